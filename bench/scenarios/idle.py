"""Connections that do nothing: what each costs in memory."""

from functools import cache

from bench.plan import Participant, Plan, Stage
from bench.scenario import Figure, Result, Scenario, run_plan
from bench.servers import Backing, Kind


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
        rounds=3 if documents == 1 else 1,
    )


SCENARIOS = (idle(5000, 1), idle(5000, 2500))
