"""A running server of parts that a test chooses, and the far side of a session."""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Sequence as Seq

from collab.access.tokens import SharedSecret, TokenVerifier
from collab.errors import CollabError
from collab.ids import SessionId, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.rows import Row
from collab.relay.base import Relay
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.session import Session
from collab.serve.jwks import JwksClient
from collab.serve.replica import Replica
from collab.serve.server import Server
from collab.serve.sink import EncodedMessage
from collab.store.base import Outcome, Store
from collab.store.memory import MemoryStore
from tests.deployment import SECRET


class Ear:
    """An outlet that remembers why it was ended."""

    dialect = "rest"

    def __init__(self) -> None:
        self.ended: CollabError | None = None

    def send(self, message: EncodedMessage) -> None:
        pass

    def end(self, error: CollabError) -> None:
        self.ended = error


class WallClock:
    """The time of day, which stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


class SlowStore(MemoryStore):
    """Commits take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        await self.go_on.wait()
        return await super().append(rows)


def make_server(
    store: Store,
    relay: Relay | None = None,
    *,
    wall_clock: Callable[[], float] = time.time,
    limits: ServerLimits | None = None,
    published: JwksClient | None = None,
) -> Server:
    """Not started yet: ``async with`` does that."""
    limits = (limits or ServerLimits()).model_copy(update={"heads_poll_s": 0.05})
    replica = Replica(WriterId(1), store, relay or MemoryRelay(MemoryBus(), WriterId(1)), limits, Metrics())
    return Server(replica, TokenVerifier(SharedSecret(SECRET.encode())), published=published, wall_clock=wall_clock)


def writer(number: int) -> Session:
    """Somebody who may write."""
    return Session(SessionId(number), UserId("ada"), "Ada", can_write=True)


async def ticks(number: int) -> None:
    """So many turns of the event loop."""
    for _ in range(number):
        await asyncio.sleep(0)
