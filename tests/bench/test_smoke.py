"""The programs in C, the checks and a real server work together: a second of typing in front of five readers."""

import shutil

import pytest

from bench.scenario import run_plan
from bench.scenarios.fan_out import fan_out_plan
from bench.servers import KINDS, Backing
from tests.services.node import missing

PLAN = fan_out_plan(5, 20, seconds=1.0, warm_s=0.5)


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        missing("No C compiler here.")


@pytest.mark.services
@pytest.mark.parametrize("server", ["floor", "collab"])
def test_every_update_arrives_and_costs_something(server: str) -> None:
    with Backing() as backing:
        _, result = run_plan(KINDS[server], backing, PLAN)
    assert result.faults == ()
    assert result.figures["useful"] > 0
    assert result.figures["us_per_delivery"] > 0
