"""Compare collab with other servers, side by side on this machine.

    python -m bench.compare                                   everything; about 25 minutes (make bench)
    python -m bench.compare fan-out-100x100 documents         two scenarios, with their usual servers and rounds
    python -m bench.compare fan-out-100x100 --rounds 1 --servers collab,floor
    python -m bench.compare documents --servers collab,collab:COLLAB_FLUSH_WINDOW_MS=5
    python -m bench.compare --list                            the scenarios and the servers

A round runs every server once; the next round goes the other way round. Each run starts a fresh server on one core and
the load generator on another, checks that every client got exactly what was typed, and prints medians over the rounds.
"collab / it" is the median of collab's figure divided by the server's in the same round: below 1, collab needs less.
With a fault in any run, the exit code is 1.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bench.load import LoadFailed
from bench.machine import claim_cores, describe, load_average
from bench.runs import Run, format_scenario, rounds_in_order, save
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
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    claim_cores()
    tqdm.monitor_interval = 0
    about = {**describe(), "date": time.strftime("%Y-%m-%d")}
    faults = False
    with Backing() as backing, tqdm(total=_count(options, chosen), unit="run", disable=None) as bar:
        for scenario in chosen:
            runs = measure(scenario, _kinds(options, scenario), _rounds(options, scenario), backing, bar)
            faults |= any(run.faults for run in runs)
            bar.clear()
            print(format_scenario(scenario, runs), flush=True)
            if options.out:
                save(runs, scenario, about, options.out)
    return 1 if faults else 0


def measure(scenario: Scenario, kinds: Sequence[Kind], rounds: int, backing: Backing, bar: "tqdm[None]") -> list[Run]:
    """Run a scenario on each server, in alternating order."""
    runs = []
    for number, order in enumerate(rounds_in_order(kinds, rounds)):
        for kind in order:
            bar.set_description(f"{scenario.name} {kind.name}")
            runs.append(_run(scenario, number, kind, backing))
            bar.update()
    return runs


def _run(scenario: Scenario, number: int, kind: Kind, backing: Backing) -> Run:
    before = load_average()
    try:
        result = scenario.measure(kind, backing)
    except (LoadFailed, ServerFailed, OSError) as error:
        result = Result({}, (str(error),))
    return Run(scenario.name, kind.name, number, result.figures, result.faults, before)


def _count(options: argparse.Namespace, chosen: Sequence[Scenario]) -> int:
    return sum(len(_kinds(options, scenario)) * _rounds(options, scenario) for scenario in chosen)


def _rounds(options: argparse.Namespace, scenario: Scenario) -> int:
    return int(options.rounds or scenario.rounds)


def _kinds(options: argparse.Namespace, scenario: Scenario) -> list[Kind]:
    return options.servers or [KINDS[name] for name in scenario.servers]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="the scenarios to run; default: all")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario; default: what it usually has, mostly 3")
    parser.add_argument("--servers", type=_servers, help="comma-separated servers, instead of each scenario's own")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write each scenario's runs there, as JSON")
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
