"""Many documents with two or three people in each: most of the work is not sending."""

import random
from functools import cache

from bench.plan import Plan
from bench.scenario import Figure, Result, Scenario, run_plan
from bench.scenarios.people import P50, P99, PEERS, US, writer
from bench.servers import Backing, Kind


@cache
def documents_plan(documents: int = 300, rate: float = 2.0, seconds: float = 4.0, warm_s: float = 1.0) -> Plan:
    """Two or three people in each document, each of whom types ``rate`` keys a second."""
    source = random.Random(2)
    people = []
    for document in range(documents):
        for number in range(source.choice((2, 3))):
            sends = int(rate * (warm_s + seconds))
            people.append(writer(f"doc-{document}", number, sends, rate, source.random() / rate))
    return Plan(tuple(people), warm_s=warm_s)


def _documents(kind: Kind, backing: Backing) -> Result:
    return run_plan(kind, backing, documents_plan())[1]


SCENARIOS = (
    Scenario(
        "documents",
        "300 documents × 2–3 people typing, 1,500 updates/s",
        _documents,
        PEERS,
        (US, P50, P99, Figure("echo_p50_ms", "echo p50 ms"), Figure("echo_p99_ms", "echo p99 ms")),
        "The echo is the author's own update coming back; collab sends it after the commit.",
    ),
)
