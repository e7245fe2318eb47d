"""A reader that stops reading, among others that go on: what it costs the server, and what the others notice."""

from dataclasses import replace
from functools import cache

from bench.plan import Participant, Plan
from bench.scenario import Figure, Result, Scenario, run_plan
from bench.scenarios.people import P99, writer
from bench.servers import Backing, Kind

READERS, WRITERS, RATE, SECONDS = 8, 4, 25.0, 6.0
CHARACTERS = 16384


@cache
def slow_reader_plan(*, stops: bool) -> Plan:
    """Four people paste 16 KiB 25 times a second each. The last reader may stop reading."""
    people = [
        writer("slow", number, int(RATE * SECONDS), RATE, number / RATE / WRITERS, characters=CHARACTERS)
        for number in range(WRITERS)
    ]
    readers = [Participant("slow", f"reader-{number}", recorded=number % 3 == 1) for number in range(READERS)]
    readers[-1] = replace(readers[-1], stops_reading=stops)
    return Plan((*people, *readers), quiet_s=1.5)


def _slow_reader(kind: Kind, backing: Backing) -> Result:
    _, usual = run_plan(kind, backing, slow_reader_plan(stops=False))
    _, slow = run_plan(kind, backing, slow_reader_plan(stops=True))
    figures = {
        "extra_growth_mib": slow.figures["growth_mib"] - usual.figures["growth_mib"],
        "growth_mib": slow.figures["growth_mib"],
        "latency_p99_ms": slow.figures["latency_p99_ms"],
        "usual_p99_ms": usual.figures["latency_p99_ms"],
        "p99_ratio": slow.figures["latency_p99_ms"] / usual.figures["latency_p99_ms"],
    }
    return Result(figures, (*usual.faults, *slow.faults))


SCENARIOS = (
    Scenario(
        "slow-reader",
        "8 readers, 1.6 MB/s typed, one of them stops reading",
        _slow_reader,
        ("collab", "hocuspocus"),
        (
            Figure("extra_growth_mib", "growth MiB"),
            P99,
            Figure("usual_p99_ms", "p99 ms if all read"),
            Figure("p99_ratio", "p99 ratio", 2),
        ),
        "Growth is what the server's memory grew more than in the same run without a slow reader.",
    ),
)
