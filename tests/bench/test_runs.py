"""Medians, ratios, tables, charts and the comparison with a baseline."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from bench import quick
from bench.charts import bar_chart
from bench.report import bars, markdown_table
from bench.runs import Run, busy_note, format_scenario, load, median, ratio, rounds_in_order, save
from bench.scenarios import SCENARIOS

SCENARIO = SCENARIOS["fan-out-100x100"]


def run(server: str, number: int, us: float, *faults: str) -> Run:
    return Run(SCENARIO.name, server, number, {"us_per_delivery": us}, faults, 0.5)


RUNS = [
    *(run("collab", number, us) for number, us in enumerate((10, 20, 60))),
    *(run("hocuspocus", number, us) for number, us in enumerate((20, 80, 60))),
    run("floor", 0, 5),
]


def test_rounds_alternate() -> None:
    assert list(rounds_in_order("abc", 3)) == [list("abc"), list("cba"), list("abc")]


def test_ratio_is_taken_within_a_round() -> None:
    assert median(RUNS, "collab", "us_per_delivery") == 20
    assert ratio(RUNS, "collab", "hocuspocus", "us_per_delivery") == 0.5
    assert ratio(RUNS, "collab", "floor", "us_per_delivery") == 2


def test_run_with_a_fault_counts_for_nothing() -> None:
    runs = [run("collab", 0, 1, "one update never arrived"), run("collab", 1, 30)]
    assert median(runs, "collab", "us_per_delivery") == 30
    assert median(runs[:1], "collab", "us_per_delivery") is None
    assert "one update never arrived" in format_scenario(SCENARIO, runs)


def test_table_marks_the_best_server_whoever_it_is() -> None:
    runs = [replace(each, figures={"us_per_delivery": 200.0}) if each.server == "collab" else each for each in RUNS]
    lines = markdown_table(SCENARIO, runs, date="2026-11-25").splitlines()
    assert any(line.startswith("| Hocuspocus | **60.00** |") for line in lines)
    assert any(line.startswith("| collab | 200.00 |") for line in lines)
    assert any(line.startswith("| C floor | 5.00 |") for line in lines)


def test_table_says_that_the_machine_was_busy() -> None:
    late = replace(RUNS[0], figures={**RUNS[0].figures, "send_late_ms": 80.0})
    assert busy_note(RUNS) == ""
    assert "80 ms late" in busy_note([late])
    assert "80 ms late" in markdown_table(SCENARIO, [late], date="2026-11-25")


def test_results_read_back(tmp_path: Path) -> None:
    save(RUNS, SCENARIO, {"date": "2026-01-01"}, tmp_path)
    runs, about = load(tmp_path / f"{SCENARIO.name}.json")
    assert runs == RUNS
    assert about["date"] == "2026-01-01"


def test_chart_has_a_bar_for_each_server() -> None:
    chart = ElementTree.fromstring(bar_chart("CPU <µs>", [("a group", bars(SCENARIO, RUNS))]))
    widths = [float(each.attrib["width"]) for each in chart.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(widths) == 3
    assert widths[1] == max(widths)


def test_quick_tells_a_regression_from_noise() -> None:
    baseline = {"fan-out": 4.0}
    assert quick.compare({"fan-out": 4.9}, baseline)[1] is False
    lines, regressed = quick.compare({"fan-out": 5.1}, baseline)
    assert regressed
    assert lines[1].endswith("regressed")


def test_quick_does_not_pass_what_it_could_not_measure() -> None:
    assert quick.compare({}, {"fan-out": 4.0})[1] is True
