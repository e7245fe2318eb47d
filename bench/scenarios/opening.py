"""The first client of a document that has a past: the server reads it from the database."""

from functools import cache
from itertools import count

from bench.plan import Participant, Plan, Stage
from bench.scenario import Figure, Result, Scenario, run_on, seeded
from bench.scenarios.joins import late_outcomes
from bench.servers import Backing, Kind, running
from bench.traffic import EditedDocument, large_document

_numbers = count(1)


@cache
def content(edits: int) -> EditedDocument:
    """Return a document of so many edits."""
    return large_document(edits)


@cache
def opening_plan(base_length: int) -> Plan:
    """One client opens a small document, and half a second later the large one."""
    people = (Participant("small", "early", Stage.FIRST), Participant("large", "opener", Stage.LATE))
    return Plan(people, warm_s=0.0, late_s=0.5, base_length=base_length)


def opening(edits: int) -> Scenario:
    """Return the scenario of opening a document with so many edits behind it."""

    def measure(kind: Kind, backing: Backing) -> Result:
        document = content(edits)
        prefix = f"open-{edits}-{next(_numbers)}-"
        with running(kind, backing, prefix=prefix) as server, seeded(server, "large", document, until_committed=True):
            pass
        with running(kind, backing, prefix=prefix) as server:
            load, result = run_on(server, backing, opening_plan(document.length), check_text=False)
        (opener,) = late_outcomes(opening_plan(document.length), load)
        figures = {
            "open_ms": (opener.synced_s - opener.started_s) * 1e3,
            "cpu_ms": load.cpu_s("storm", "stormed") * 1e3,
            "state_bytes": len(document.state),
        }
        short = opener.step2_bytes < len(document.state)
        return Result(figures, (*result.faults, *(("the newcomer got less than the document",) if short else ())))

    return Scenario(
        f"open-{edits}",
        f"open a document after {edits:,} edits, from the database",
        measure,
        ("collab",),
        (Figure("cpu_ms", "CPU ms"), Figure("open_ms", "ms until synced"), Figure("state_bytes", "bytes", 0)),
    )


SCENARIOS = (opening(10_000), opening(100_000), opening(1_000_000))
