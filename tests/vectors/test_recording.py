"""The locked versions of the clients still send the recorded bytes."""

import subprocess
from pathlib import Path

import pytest

from tests.services.node import ensure_interop_packages, node_command

HERE = Path(__file__).parent


@pytest.mark.node
def test_clients_still_send_the_recorded_frames(tmp_path: Path) -> None:
    ensure_interop_packages()
    command = [*node_command(), str(HERE / "record.mjs"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    recorded = sorted(HERE.glob("*.json"))
    assert len(recorded) == 3
    for file in recorded:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
