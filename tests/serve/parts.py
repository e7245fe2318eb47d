"""A server of parts that a test chooses, and stand-ins for the far side of a session and of a socket."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence as Seq

from collab.access.tokens import Principal, SharedSecret, TokenVerifier
from collab.api.close_codes import CANCELLED, closed_by_peer, closed_for
from collab.errors import CollabError
from collab.ids import DocumentName, SessionId, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import FromServer
from collab.protocol.rows import Row
from collab.protocol.websocket import Frame
from collab.relay.base import Relay
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.session import Session
from collab.serve.connection_stats import Ending
from collab.serve.jwks import JwksClient
from collab.serve.replica import Replica
from collab.serve.server import Server
from collab.serve.sink import EncodedMessage
from collab.serve.socket import Receiver, SocketClosed
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
    """A socket on which the peer sends ``frames`` and then stays, until the test has it hang up."""

    cancelled = CANCELLED

    def __init__(self, *frames: bytes) -> None:
        self._from_peer: deque[bytes | SocketClosed] = deque(frames)
        self._receiver: Receiver | None = None
        self._is_paused = False
        self._ended = asyncio.Event()
        self.message_bytes_max = ServerLimits().frame_bytes_max
        self.buffered_bytes = 0
        self.sent: list[bytes] = []
        self.pings = 0
        self.closed_for: CollabError | None = None
        self.is_closed = False

    # --- the peer ---------------------------------------------------------------------------------------

    def say(self, frame: bytes) -> None:
        """Have the peer send a frame."""
        self._from_peer.append(frame)
        self._deliver_soon()

    def hang_up(self, code: int = 1000) -> None:
        """Have the peer close the socket."""
        self._from_peer.append(SocketClosed(closed_by_peer(code)))
        self._deliver_soon()

    @property
    def unread(self) -> int:
        """Number of frames that the server has not read."""
        return len(self._from_peer)

    @property
    def receiver(self) -> Receiver:
        """The connection."""
        assert self._receiver is not None
        return self._receiver

    # --- the socket -------------------------------------------------------------------------------------

    def attach(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        self._deliver_soon()

    async def run(self) -> None:
        """Return when it is closed."""
        await self._ended.wait()

    def write(self, frame: Frame) -> None:
        """Keep what the peer is sent."""
        self.sent.append(frame.payload)

    def pause(self) -> None:
        """Deliver nothing for now."""
        self._is_paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._is_paused = False
        self._deliver_soon()

    def close(self, error: CollabError | None) -> Ending:
        """Keep the reason."""
        if not self.is_closed:
            self.closed_for, self.is_closed = error, True
            self._from_peer.clear()
            self._from_peer.append(SocketClosed(closed_for(error)))
            self.resume()
        return closed_for(error)

    def check_alive(self) -> None:
        """Count the ping."""
        self.pings += 1

    def _deliver_soon(self) -> None:
        if self._receiver is not None:
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        if self._is_paused or not self._from_peer:
            return
        next_ = self._from_peer.popleft()
        if isinstance(next_, SocketClosed):
            self.receiver.closed(next_)
            self._ended.set()
        else:
            self.receiver.received(next_)
            self._deliver_soon()


async def serve_ywebsocket(server: Server, socket: ScriptedSocket, name: DocumentName, principal: Principal) -> None:
    """Serve a y-websocket connection until it has ended."""
    await server.serve_ywebsocket(socket, name, principal)
    await socket.run()


async def serve_hocuspocus(server: Server, socket: ScriptedSocket, principal: Principal | None) -> None:
    """Serve a Hocuspocus connection until it has ended."""
    server.serve_hocuspocus(socket, principal)
    await socket.run()


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
    heads_poll_s: float = 0.05,
) -> Server:
    """Return a server that is not started yet: ``async with`` does that."""
    limits = (limits or ServerLimits()).model_copy(update={"heads_poll_s": heads_poll_s})
    replica = Replica(WriterId(1), store, relay or MemoryRelay(MemoryBus(), WriterId(1)), limits, Metrics())
    return Server(replica, TokenVerifier(SharedSecret(SECRET.encode())), published=published, wall_clock=wall_clock)


def writer(number: int) -> Session:
    """Return a session that may write."""
    return Session(SessionId(number), UserId("ada"), "Ada", can_write=True)


async def ticks(number: int) -> None:
    """Give every other task so many turns."""
    for _ in range(number):
        await asyncio.sleep(0)
