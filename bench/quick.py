"""Notice in three minutes that collab has become slower.

    python -m bench.quick             compare with bench/baseline.json (make bench-quick)
    python -m bench.quick --record    make what is measured now the baseline

Only collab is measured, and the C floor beside it: a ratio to the floor changes less from machine to machine than a
time. Memory is compared as it is. A figure that is more than a quarter above its baseline is a regression, and the exit
code is 1. Record a new baseline together with the change that explains it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bench.compare import measure
from bench.machine import claim_cores
from bench.runs import median, ratio
from bench.scenarios import SCENARIOS
from bench.servers import KINDS, Backing

BASELINE = Path(__file__).parent / "baseline.json"
TOLERANCE = 0.25


@dataclass(frozen=True)
class Check:
    """One figure of one scenario."""

    scenario: str
    rounds: int
    against_floor: bool = True


CHECKS = (
    Check("fan-out-100x100", 3),
    Check("documents", 3),
    Check("join-100k", 3),
    Check("idle", 1, against_floor=False),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quick", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="write the baseline instead of comparing with it")
    options = parser.parse_args(arguments)
    measured, faults = _measure()
    for fault in faults:
        print(f"fault: {fault}")
    if options.record and not faults:
        BASELINE.write_text(json.dumps(measured, indent=1) + "\n")
    lines, regressed = compare(measured, json.loads(BASELINE.read_text()))
    print("\n".join(lines))
    return 1 if regressed or faults else 0


def _measure() -> tuple[dict[str, float], list[str]]:
    claim_cores()
    tqdm.monitor_interval = 0
    measured: dict[str, float] = {}
    faults: list[str] = []
    total = sum(check.rounds * (1 + check.against_floor) for check in CHECKS)
    with Backing() as backing, tqdm(total=total, unit="run", disable=None, leave=False) as bar:
        for check in CHECKS:
            scenario = SCENARIOS[check.scenario]
            kinds = [KINDS["collab"], *([KINDS["floor"]] if check.against_floor else [])]
            runs = measure(scenario, kinds, check.rounds, backing, bar)
            faults += [f"{check.scenario}, {run.server}: {fault}" for run in runs for fault in run.faults]
            main_figure = scenario.figures[0].name
            value = (
                ratio(runs, "collab", "floor", main_figure)
                if check.against_floor
                else median(runs, "collab", main_figure)
            )
            if value is not None:
                measured[check.scenario] = round(value, 2)
    return measured, faults


def compare(measured: dict[str, float], baseline: dict[str, float]) -> tuple[list[str], bool]:
    """Return a line for each figure, and whether any is a regression."""
    lines, regressed = [f"{'':<24}{'now':>10}{'baseline':>10}"], False
    for name, before in baseline.items():
        now = measured.get(name)
        if now is None:
            lines.append(f"{name:<24}{'–':>10}{before:>10.2f}  not measured")
            regressed = True
            continue
        verdict = "regressed" if now > before * (1 + TOLERANCE) else "better" if now < before * (1 - TOLERANCE) else ""
        regressed |= verdict == "regressed"
        lines.append(f"{name:<24}{now:>10.2f}{before:>10.2f}  {verdict}".rstrip())
    return lines, regressed


if __name__ == "__main__":
    sys.exit(main())
