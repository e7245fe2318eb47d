"""A room full of cursors: everybody moves once a second, and everybody sees it."""

from functools import cache

from bench.checks import check_presence
from bench.plan import Participant, Plan, Send
from bench.scenario import Figure, Result, Scenario, percentiles, run_plan
from bench.scenarios.people import P50, P99
from bench.servers import Backing, Kind
from bench.traffic import presence

PEOPLE, SECONDS, WARM_S = 500, 3, 1.0


@cache
def presence_plan(people: int = PEOPLE) -> Plan:
    """Every participant says where its cursor is, once a second."""
    everybody = []
    for number in range(people):
        client_id = 1_000_000 + number * 7919
        sends = tuple(
            Send(number / people + second, "presence", presence(client_id, second + 2, f"Person {number}"))
            for second in range(int(WARM_S) + SECONDS)
        )
        everybody.append(
            Participant(
                "presence",
                f"person-{number}",
                client_id=client_id,
                greeting=presence(client_id, 1, f"Person {number}"),
                sends=sends,
                recorded=number % 100 == 50,
            )
        )
    return Plan(tuple(everybody), warm_s=WARM_S)


def _presence(kind: Kind, backing: Backing) -> Result:
    plan = presence_plan()
    load, result = run_plan(kind, backing, plan, check_text=False)
    delivery = check_presence(plan, load)
    faults = (f"{delivery.missing} last states never arrived",) if delivery.missing else ()
    cpu_s = result.figures["cpu_s"]
    figures = {
        "cores": cpu_s / SECONDS,
        "us_per_state": cpu_s / (SECONDS * PEOPLE * (PEOPLE - 1)) * 1e6,
        **percentiles("latency", delivery.latencies_s),
    }
    return Result(figures, (*result.faults, *faults))


SCENARIOS = (
    Scenario(
        "presence",
        "500 people in one document, each moves once a second",
        _presence,
        ("collab", "hocuspocus", "y-websocket"),
        (Figure("cores", "CPU s / s", 2), Figure("us_per_state", "CPU µs / state", 2), P50, P99),
        "A server that needs more than 1 CPU second a second falls behind for as long as they move.",
    ),
)
