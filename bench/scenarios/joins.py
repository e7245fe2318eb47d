"""Many people who open one large document at once."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

from bench.load import Load, Outcome
from bench.plan import Participant, Plan, Stage
from bench.scenario import Figure, Result, Scenario, percentiles, run_on, seeded
from bench.scenarios.people import writer
from bench.servers import Backing, Kind, Server, running
from bench.traffic import EditedDocument, document_of, edited_document


@cache
def storm_plan(joiners: int, base_length: int, *, typing_rate: float) -> Plan:
    """Everybody joins one large document at once; five people may type in it meanwhile."""
    early = [Participant("large", f"early-{number}", Stage.FIRST) for number in range(5)]
    sends = int(typing_rate / 5 * 4)
    people = [
        writer("large", number, sends, typing_rate / 5, number / typing_rate) for number in range(5) if typing_rate
    ]
    storm = [
        Participant("large", f"joiner-{number}", Stage.LATE, recorded=number % 25 == 0) for number in range(joiners)
    ]
    return Plan(
        (*early, *people, *storm),
        pending_max=joiners,
        warm_s=0.0,
        late_s=1.0 if typing_rate else 0.2,
        base_length=base_length,
    )


@cache
def edited_100k() -> EditedDocument:
    """A document of 100,000 edits."""
    return edited_document(100_000)


@cache
def pasted_4mb() -> EditedDocument:
    """A document of four million characters."""
    return document_of(4_000_000)


def storm(
    name: str, title: str, joiners: int, content: Callable[[], EditedDocument], *, typing_rate: float = 0
) -> Scenario:
    """Return the scenario of many people who open the same large document at once."""

    def measure(kind: Kind, backing: Backing) -> Result:
        plan = storm_plan(joiners, content().length, typing_rate=typing_rate)
        with tempfile.NamedTemporaryFile() as state:
            state.write(content().state)
            state.flush()
            with running(kind, backing, state=Path(state.name)) as server, _open(server, content()):
                load, result = run_on(server, backing, plan)
        return Result(
            _storm_figures(load, plan, content()) | _others(result),
            (*result.faults, *_cut_short(load, plan, content())),
        )

    return Scenario(
        name,
        title,
        measure,
        ("collab", "hocuspocus", "y-websocket", *(() if typing_rate else ("floor",))),
        (
            Figure("ms_per_join", "CPU ms / join", 2),
            Figure("all_synced_s", "all synced s", 2),
            Figure("join_p50_ms", "join p50 ms", 0),
            *((Figure("latency_p99_ms", "typing p99 ms"),) if typing_rate else ()),
        ),
    )


def _open(server: Server, content: EditedDocument) -> AbstractContextManager[None]:
    return seeded(server, "large", content) if server.kind.has_documents else nullcontext()


def _storm_figures(load: Load, plan: Plan, content: EditedDocument) -> dict[str, float]:
    joins = [each.synced_s - each.started_s for each in late_outcomes(plan, load)]
    return {
        "ms_per_join": load.cpu_s("storm", "stormed") / len(joins) * 1e3,
        "all_synced_s": load.elapsed_s("storm", "stormed"),
        "state_bytes": len(content.state),
        "growth_mib": load.growth_kib("storm", "stormed") / 1024,
        **percentiles("join", joins),
    }


def _others(result: Result) -> dict[str, float]:
    return {name: value for name, value in result.figures.items() if name.startswith("latency")}


def _cut_short(load: Load, plan: Plan, content: EditedDocument) -> list[str]:
    short = sum(each.step2_bytes < len(content.state) for each in late_outcomes(plan, load))
    return [f"{short} newcomers got less than the document"] if short else []


def late_outcomes(plan: Plan, load: Load) -> list[Outcome]:
    """Return what happened to those who joined late."""
    pairs = zip(plan.participants, load.outcomes, strict=True)
    return [outcome for participant, outcome in pairs if participant.stage is Stage.LATE]


SCENARIOS = (
    storm("join-100k", "500 people open a document of 100,000 edits at once", 500, edited_100k),
    storm(
        "join-100k-typing",
        "500 people open a document of 100,000 edits while five type",
        500,
        edited_100k,
        typing_rate=20,
    ),
    storm("join-4mb", "150 people open a document of 4 MB at once", 150, pasted_4mb),
)
