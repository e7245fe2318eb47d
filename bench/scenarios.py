"""The scenarios, each with the plan that it carries out. ``SCENARIOS`` is what can be named on the command line."""

import random
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

from bench.load import Load, Outcome
from bench.plan import Participant, Plan, Send, Stage
from bench.scenario import Figure, Result, Scenario, percentiles, run_on, run_plan, seeded
from bench.servers import Backing, Kind, Server, running
from bench.traffic import EditedDocument, document_of, edited_document, presence, typing

US = Figure("us_per_delivery", "CPU µs / delivery", 2)
P50 = Figure("latency_p50_ms", "p50 ms", 2)
P99 = Figure("latency_p99_ms", "p99 ms", 1)
SHARE = Figure("core_share", "share of a core", 2)

PEERS = ("collab", "hocuspocus", "y-websocket", "floor")


def writer(document: str, number: int, sends: int, rate: float, offset_s: float, *, characters: int = 1) -> Participant:
    """Return a person who types ``sends`` updates, ``rate`` a second."""
    typed = typing(sends, random.Random(f"{document} {number}"), characters=characters)
    return Participant(
        document,
        f"writer-{document}-{number}",
        client_id=typed.client_id,
        greeting=presence(typed.client_id, 1, f"Writer {number}"),
        sends=tuple(Send(offset_s + i / rate, "update", update) for i, update in enumerate(typed.updates)),
        characters=characters,
    )


# --- one document, many readers ---------------------------------------------------------------------------


@cache
def fan_out_plan(readers: int, rate: float, seconds: float = 4.0, writers: int = 5, warm_s: float = 1.0) -> Plan:
    """``writers`` type ``rate`` updates a second together, while ``readers`` watch."""
    own = rate / writers
    people = [
        writer("fan-out", number, int(own * (warm_s + seconds)), own, number / writers / own)
        for number in range(writers)
    ]
    people += [Participant("fan-out", f"reader-{number}") for number in range(readers)]
    return Plan(tuple(people), warm_s=warm_s)


def fan_out(readers: int, rate: float, servers: tuple[str, ...] = PEERS) -> Scenario:
    """Return the scenario of one document with many readers."""

    def measure(kind: Kind, backing: Backing) -> Result:
        return run_plan(kind, backing, fan_out_plan(readers, rate))[1]

    return Scenario(
        f"fan-out-{readers}x{rate:g}",
        f"{readers:,} readers, {rate:g} updates/s",
        measure,
        servers,
        (US, P50, P99, SHARE),
    )


# --- many documents ---------------------------------------------------------------------------------------


@cache
def documents_plan(documents: int = 300, rate: float = 2.0, seconds: float = 5.0, warm_s: float = 1.0) -> Plan:
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


# --- idle connections -------------------------------------------------------------------------------------


@cache
def idle_plan(connections: int = 5000, documents: int = 1) -> Plan:
    """Many clients that join and say nothing. A hundred come first, so that code that is loaded late is not counted."""
    people = [Participant(f"idle-{number % documents}", f"idler-{number}") for number in range(connections)]
    early = [Participant("warm-up", f"early-{number}", Stage.FIRST) for number in range(100)]
    return Plan((*early, *people), hold_s=2.0, warm_s=0.0, quiet_s=0.1, pending_max=100)


def idle(connections: int, documents: int) -> Scenario:
    """Return the scenario of clients that do nothing."""

    def measure(kind: Kind, backing: Backing) -> Result:
        load, result = run_plan(kind, backing, idle_plan(connections, documents))
        figures = {
            "kib_per_connection": load.growth_kib("first", "joined") / connections,
            "join_us": load.cpu_s("first", "joined") / connections * 1e6,
        }
        return Result(figures, result.faults)

    spread = "one document" if documents == 1 else f"{documents:,} documents"
    return Scenario(
        "idle" if documents == 1 else f"idle-{documents}",
        f"{connections:,} idle connections, {spread}",
        measure,
        ("collab", "hocuspocus", "y-websocket"),
        (Figure("kib_per_connection", "KiB / connection"), Figure("join_us", "CPU µs / join", 0)),
    )


# --- joins ------------------------------------------------------------------------------------------------


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


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        fan_out(100, 20, (*PEERS, "collab-unbatched")),
        fan_out(100, 100, (*PEERS, "collab-unbatched", "pycrdt", "broadcast")),
        fan_out(100, 500, (*PEERS, "collab-unbatched")),
        fan_out(1000, 10),
        fan_out(20, 100),
        Scenario(
            "documents",
            "300 documents × 2–3 people typing, 1,500 updates/s",
            _documents,
            PEERS,
            (US, P50, P99, Figure("echo_p50_ms", "echo p50 ms"), Figure("echo_p99_ms", "echo p99 ms")),
            "The echo is the author's own update coming back; collab sends it after the commit.",
        ),
        idle(5000, 1),
        idle(5000, 2500),
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
}
