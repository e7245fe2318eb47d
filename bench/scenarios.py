"""The scenarios, each with the plan that it carries out. ``SCENARIOS`` is what can be named on the command line."""

import random
from functools import cache

from bench.plan import Participant, Plan, Send, Stage
from bench.scenario import Figure, Result, Scenario, run_plan
from bench.servers import Backing, Kind
from bench.traffic import presence, typing

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
        return run_plan(kind, backing, fan_out_plan(readers, rate))[2]

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
    return run_plan(kind, backing, documents_plan())[2]


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
        load, _, result = run_plan(kind, backing, idle_plan(connections, documents))
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
    )
}
