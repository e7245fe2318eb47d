"""The people of the scenarios, and the figures that several of them have."""

import random

from bench.plan import Participant, Send
from bench.scenario import Figure
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
