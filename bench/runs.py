"""The runs of a comparison, and what follows from them: medians, and ratios within one round.

Two servers are compared only within a round, in which they ran one right after the other: the machine's own mood
changes between rounds. A run with a fault counts for nothing.
"""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from bench.scenario import Figure, Scenario

T = TypeVar("T")

LATE_MS = 50.0
"""A load generator that sends this late was kept from its core."""

US = "collab"
"""The server that the others are compared with."""


@dataclass(frozen=True)
class Run:
    """One run of a scenario on a server."""

    scenario: str
    server: str
    round: int
    figures: dict[str, float]
    faults: tuple[str, ...]
    load_average: float
    """Before it began."""


def save(runs: Sequence[Run], scenario: Scenario, about: dict[str, str], folder: Path) -> None:
    """Write the runs of one scenario."""
    content = {"scenario": scenario.name, "title": scenario.title, **about, "runs": [asdict(run) for run in runs]}
    (folder / f"{scenario.name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load(path: Path) -> tuple[list[Run], dict[str, str]]:
    """Read the runs of one scenario, and what is said about the machine."""
    content = json.loads(path.read_text())
    runs = [Run(**{**run, "faults": tuple(run["faults"])}) for run in content.pop("runs")]
    return runs, content


def rounds_in_order(servers: Sequence[T], rounds: int) -> Iterator[list[T]]:
    """Yield the servers of each round: A B C, then C B A, so that none always runs first."""
    for number in range(rounds):
        yield list(servers) if number % 2 == 0 else list(reversed(servers))


def median(runs: Sequence[Run], server: str, figure: str) -> float | None:
    """Return the median of a figure over the rounds of a server."""
    values = [run.figures[figure] for run in runs if _counts(run, server, figure)]
    return statistics.median(values) if values else None


def ratio(runs: Sequence[Run], server: str, other: str, figure: str) -> float | None:
    """Return the median over the rounds of ``server`` divided by ``other``."""
    pairs = []
    for run in runs:
        if _counts(run, server, figure):
            pairs += [
                run.figures[figure] / each.figures[figure]
                for each in runs
                if _counts(each, other, figure) and each.round == run.round and each.figures[figure]
            ]
    return statistics.median(pairs) if pairs else None


def _counts(run: Run, server: str, figure: str) -> bool:
    return run.server == server and not run.faults and figure in run.figures


def servers_of(runs: Sequence[Run]) -> list[str]:
    """Return the servers in the order in which they first ran."""
    return list(dict.fromkeys(run.server for run in runs))


def format_scenario(scenario: Scenario, runs: Sequence[Run]) -> str:
    """Return a table for a terminal: medians, and collab's main figure divided by each server's."""
    lines = [f"\n{scenario.title}  ({scenario.name})"]
    heads = [figure.title for figure in scenario.figures]
    lines.append(f"{'':<34}" + "".join(f"{head:>18}" for head in heads) + f"{'collab / it':>14}")
    main = scenario.figures[0]
    for server in servers_of(runs):
        cells = [format_figure(median(runs, server, figure.name), figure) for figure in scenario.figures]
        against = ratio(runs, US, server, main.name) if server != US else None
        last = f"{against:>14.2f}" if against is not None else ""
        lines.append(f"{server:<34}" + "".join(f"{cell:>18}" for cell in cells) + last)
    lines += [f"  round {run.round + 1}, {run.server}: {fault}" for run in runs for fault in run.faults]
    if note := busy_note(runs):
        lines.append(f"  {note}")
    return "\n".join(lines)


def busy_note(runs: Sequence[Run]) -> str:
    """Return a sentence if the machine had so much else to do that times mean little, or nothing."""
    late_ms = max((run.figures.get("send_late_ms", 0.0) for run in runs), default=0.0)
    if late_ms < LATE_MS:
        return ""
    load = statistics.median(run.load_average for run in runs)
    return (
        f"The machine was busy (load average {load:.1f}; the load generator was up to {late_ms:,.0f} ms late): "
        "the times say little, the ratios more."
    )


def format_figure(value: float | None, figure: Figure) -> str:
    """Return a figure with its digits, or a dash if there is none."""
    return "–" if value is None else f"{value:,.{figure.digits}f}"
