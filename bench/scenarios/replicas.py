"""Two replicas with half of the people on each: updates pass through Redis."""

from dataclasses import replace
from functools import cache

from bench.plan import Plan
from bench.scenario import Result, Scenario, run_plan
from bench.scenarios.fan_out import fan_out_plan
from bench.scenarios.people import P50, P99, US
from bench.servers import Backing, Kind


@cache
def replicas_plan(readers: int, rate: float = 100) -> Plan:
    """Every other participant is on the second replica."""
    plan = fan_out_plan(readers, rate)
    return replace(
        plan, participants=tuple(replace(each, replica=number % 2) for number, each in enumerate(plan.participants))
    )


def two_replicas(readers: int) -> Scenario:
    """Return the scenario of one document on two replicas."""

    def measure(kind: Kind, backing: Backing) -> Result:
        return run_plan(kind, backing, replicas_plan(readers), replicas=2)[1]

    return Scenario(
        f"replicas-{readers}",
        f"two replicas, {readers} readers, 100 updates/s",
        measure,
        ("collab", "hocuspocus"),
        (US, P50, P99),
        "Both processes share one core. Redis' and Postgres' CPU is not counted.",
    )


SCENARIOS = (two_replicas(100), two_replicas(4))
