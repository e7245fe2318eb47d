"""Compare collab with other servers, side by side on this machine.

python -m bench.compare                                   everything (make bench)
python -m bench.compare fan-out-100x100 documents         two scenarios
python -m bench.compare fan-out-100x100 --rounds 1 --servers collab,floor
python -m bench.compare documents --servers collab,collab:COLLAB_FLUSH_WINDOW_MS=5
python -m bench.compare --list                            the scenarios and the servers
"""

import argparse
import sys
from collections.abc import Sequence

from tqdm import tqdm

from bench.load import LoadFailed
from bench.machine import claim_cores, load_average
from bench.results import Run, format_scenario, rounds_in_order
from bench.scenario import Result, Scenario
from bench.scenarios import SCENARIOS
from bench.servers import KINDS, Backing, Kind, ServerFailed, parse_server


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, print."""
    options = _options(arguments)
    if options.list:
        _print_list()
        return 0
    chosen = [SCENARIOS[name] for name in options.scenarios or SCENARIOS]
    claim_cores()
    tqdm.monitor_interval = 0
    jobs = [
        (scenario, number, kind)
        for scenario in chosen
        for number, kinds in enumerate(rounds_in_order(_kinds(options, scenario), options.rounds or scenario.rounds))
        for kind in kinds
    ]
    runs: list[Run] = []
    with Backing() as backing, tqdm(total=len(jobs), unit="run", disable=None) as bar:
        for scenario in chosen:
            for each, number, kind in jobs:
                if each is scenario:
                    bar.set_description(f"{scenario.name} {kind.name}")
                    runs.append(_run(scenario, number, kind, backing))
                    bar.update()
            bar.clear()
            print(format_scenario(scenario, [run for run in runs if run.scenario == scenario.name]), flush=True)
    return 1 if any(run.faults for run in runs) else 0


def _run(scenario: Scenario, number: int, kind: Kind, backing: Backing) -> Run:
    before = load_average()
    try:
        result = scenario.measure(kind, backing)
    except (LoadFailed, ServerFailed) as error:
        result = Result({}, (str(error),))
    return Run(scenario.name, kind.name, number, result.figures, result.faults, before)


def _kinds(options: argparse.Namespace, scenario: Scenario) -> list[Kind]:
    return options.servers or [KINDS[name] for name in scenario.servers]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="the scenarios to run; default: all")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario; each runs every server once")
    parser.add_argument("--servers", type=_servers, help="comma-separated servers, instead of each scenario's own")
    parser.add_argument("--list", action="store_true", help="list the scenarios and the servers, and stop")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.scenarios if name not in SCENARIOS]:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    return options


def _servers(text: str) -> list[Kind]:
    try:
        return [parse_server(name) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _print_list() -> None:
    print("scenarios")
    for scenario in SCENARIOS.values():
        print(f"  {scenario.name:<22} {scenario.title}  [{', '.join(scenario.servers)}]")
    print("servers")
    for kind in KINDS.values():
        print(f"  {kind.name:<22} {kind.title}")


if __name__ == "__main__":
    sys.exit(main())
