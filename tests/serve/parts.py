"""A server of parts that a test chooses, and stand-ins for the far side of a session and of a socket."""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Sequence as Seq

from collab.access.tokens import SharedSecret, TokenVerifier
from collab.api.close_codes import CANCELLED, closed_by_peer, closed_for
from collab.errors import CollabError
from collab.ids import SessionId, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import FromServer
from collab.protocol.rows import Row
from collab.relay.base import Relay
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.session import Session
from collab.serve.connection import SocketClosed
from collab.serve.connection_stats import Ending
from collab.serve.jwks import JwksClient
from collab.serve.replica import Replica
from collab.serve.server import Server
from collab.serve.sink import EncodedMessage
from collab.store.base import Outcome, Store
from collab.store.memory import MemoryStore
from tests.deployment import SECRET


class RecordingSink:
    """A sink that keeps what it was sent, and why it was ended."""

    dialect = "rest"

    def __init__(self) -> None:
        self.sent: list[FromServer] = []
        self.ended: CollabError | None = None

    def send(self, message: EncodedMessage) -> None:
        """Keep the message."""
        self.sent.append(message.message)

    def end(self, error: CollabError) -> None:
        """Keep the reason."""
        self.ended = error


class ScriptedSocket:
    """A socket on which the peer sends ``frames`` and then stays, until the test closes it."""

    cancelled = CANCELLED

    def __init__(self, *frames: bytes) -> None:
        self._from_peer: asyncio.Queue[bytes | None] = asyncio.Queue()
        for frame in frames:
            self.say(frame)
        self.sent: list[bytes] = []
        self.closed_for: CollabError | None = None
        self.is_closed = False

    def say(self, frame: bytes) -> None:
        """Have the peer send a frame."""
        self._from_peer.put_nowait(frame)

    def hang_up(self) -> None:
        """Have the peer close the socket."""
        self._from_peer.put_nowait(None)

    async def receive(self) -> bytes:
        """Return the peer's next frame."""
        frame = await self._from_peer.get()
        if frame is None:
            raise SocketClosed(closed_by_peer(1000))
        return frame

    async def send(self, frame: bytes) -> None:
        """Keep what the peer is sent."""
        self.sent.append(frame)

    async def close(self, error: CollabError | None) -> Ending:
        """Keep the reason."""
        self.closed_for, self.is_closed = error, True
        return closed_for(error)


class WallClock:
    """A time of day that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


class SlowStore(MemoryStore):
    """A store whose commits wait until they are let go."""

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
    """Return a server that is not started yet: ``async with`` does that."""
    limits = (limits or ServerLimits()).model_copy(update={"heads_poll_s": 0.05})
    replica = Replica(WriterId(1), store, relay or MemoryRelay(MemoryBus(), WriterId(1)), limits, Metrics())
    return Server(replica, TokenVerifier(SharedSecret(SECRET.encode())), published=published, wall_clock=wall_clock)


def writer(number: int) -> Session:
    """Return a session that may write."""
    return Session(SessionId(number), UserId("ada"), "Ada", can_write=True)


async def ticks(number: int) -> None:
    """Give every other task so many turns."""
    for _ in range(number):
        await asyncio.sleep(0)
