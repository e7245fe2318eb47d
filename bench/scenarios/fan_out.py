"""One document with many readers: every update goes to each of them."""

from functools import cache

from bench.plan import Participant, Plan
from bench.scenario import Result, Scenario, run_plan
from bench.scenarios.people import P50, P99, PEERS, SHARE, US, writer
from bench.servers import Backing, Kind


@cache
def fan_out_plan(readers: int, rate: float, seconds: float = 3.0, writers: int = 5, warm_s: float = 1.0) -> Plan:
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


SCENARIOS = (
    fan_out(100, 20, (*PEERS, "collab-unbatched")),
    fan_out(100, 100, (*PEERS, "collab-unbatched", "pycrdt", "broadcast")),
    fan_out(100, 500, (*PEERS, "collab-unbatched")),
    fan_out(1000, 10),
    fan_out(20, 100),
)
