"""Turn the committed results into the tables of docs/performance.md and the charts beside it.

    python -m bench.report

Nothing is measured here: ``bench/results`` is read. What stands between the two markers in docs/performance.md is
replaced.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.charts import Bar, bar_chart
from bench.runs import US, Run, busy_note, format_figure, load, median, ratio, servers_of
from bench.scenario import Scenario
from bench.scenarios import SCENARIOS
from bench.servers import parse_server

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
CHARTS = DOCUMENT.parent / "charts"
BEGIN, END = "<!-- figures: written by bench/report.py -->", "<!-- end of figures -->"

GROUPS = {
    "fan-out": ("CPU a delivered update, µs", ("fan-out-100x20", "fan-out-100x100", "fan-out-100x500", "documents")),
    "memory": ("Memory of an idle connection, KiB", ("idle", "idle-2500")),
    "joins": ("CPU a join, ms", ("join-100k", "join-100k-typing", "join-4mb")),
}
"""Charts: their title, and their scenarios."""


def main() -> int:
    """Read the results; write the tables and the charts."""
    found = {name: load(RESULTS / f"{name}.json") for name in SCENARIOS if (RESULTS / f"{name}.json").exists()}
    if not found:
        print(f"There are no results in {RESULTS}: run `make bench` first.")
        return 1
    runs = {name: each for name, (each, _) in found.items()}
    abouts = [about for _, about in found.values()]
    tables = [
        _machine(abouts[-1]),
        *(markdown_table(SCENARIOS[name], each, date=about["date"]) for name, (each, about) in found.items()),
    ]
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(before + BEGIN + "\n\n" + "\n\n".join(tables) + "\n\n" + END + after)
    CHARTS.mkdir(exist_ok=True)
    for name, (title, scenarios) in GROUPS.items():
        groups = [(SCENARIOS[each].title, bars(SCENARIOS[each], runs[each])) for each in scenarios if each in runs]
        groups = [group for group in groups if group[1]]
        if groups:
            (CHARTS / f"{name}.svg").write_text(bar_chart(title, groups))
    return 0


def _machine(about: dict[str, str]) -> str:
    machine = f"{about['cpu']}, {about['kernel']}, Python {about['python']}"
    return f"All on one machine ({machine}), on the day that stands below each table."


def markdown_table(scenario: Scenario, runs: Sequence[Run], *, date: str) -> str:
    """Return a table of medians, measured on ``date``. The best main figure among real servers is bold."""
    heads = ["", *(figure.title for figure in scenario.figures), "collab / it"]
    main = scenario.figures[0]
    values = {server: median(runs, server, main.name) for server in servers_of(runs)}
    real = [value for server, value in values.items() if value is not None and parse_server(server).has_documents]
    lines = [f"### {scenario.title}", "", f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for server, value in values.items():
        cells = [format_figure(median(runs, server, figure.name), figure) for figure in scenario.figures]
        if value is not None and parse_server(server).has_documents and value == min(real):
            cells[0] = f"**{cells[0]}**"
        against = ratio(runs, US, server, main.name) if server != US else None
        lines.append(
            f"| {parse_server(server).title} | {' | '.join(cells)} | {'' if against is None else f'{against:.2f}'} |"
        )
    rounds = 1 + max(run.round for run in runs)
    notes = [f"{date}, {rounds} round{'s' if rounds > 1 else ''}.", scenario.explanation, busy_note(runs)]
    notes += [
        f"{parse_server(run.server).title}, round {run.round + 1}: {fault}." for run in runs for fault in run.faults
    ]
    return "\n".join([*lines, "", " ".join(filter(None, notes))])


def bars(scenario: Scenario, runs: Sequence[Run]) -> list[Bar]:
    """Return one bar for each server that has the main figure."""
    figure = scenario.figures[0]
    found = []
    for server in servers_of(runs):
        value = median(runs, server, figure.name)
        if value is not None and value > 0:
            found.append(Bar(parse_server(server).title, value, format_figure(value, figure), server.startswith(US)))
    return found


if __name__ == "__main__":
    sys.exit(main())
