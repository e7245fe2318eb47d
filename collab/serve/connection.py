"""One socket: a reader, a writer, and an end that is always told and logged.

It stands between the transport (``api/sockets.py`` adapts the web framework's) and the conversations of the two
dialects (``ywebsocket``, ``hocuspocus``), which say what to do with a frame. The reader takes one frame at
a time and waits while the log is full, so that a flood fills the client's own buffers and not ours; the writer
empties a bounded outbox, so that a peer who does not read loses only its own connection.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from collab.errors import CollabError, RoomClosed, TooSlow
from collab.observe.logs import get_logger
from collab.protocol.dialect import Dialect
from collab.protocol.messages import KEEPALIVE, FromServer
from collab.serve.outbox import Outbox
from collab.serve.outlet import Outgoing

log = get_logger("connection")

FLUSH_S_MAX = 2.0
"""How long the last frames may take before the socket is closed."""


class SocketClosed(Exception):
    """The peer has closed the socket, or the network has. 1006: without a close frame."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason

    @property
    def goodbye(self) -> bool:
        """Whether the client meant it: a closed tab, not a lost network."""
        return self.code in (1000, 1001)


class Socket(Protocol):
    """A WebSocket as the server sees it. Knows how errors are said as close codes."""

    async def receive(self) -> bytes:
        """The next binary frame. Raises SocketClosed, ProtocolError for a text frame."""

    async def send(self, frame: bytes) -> None:
        """Write a binary frame. Raises SocketClosed."""

    async def close(self, error: CollabError | None) -> int:
        """Close, saying why (None: nothing is wrong); the code that was said. Idempotent, never raises."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may use."""

    outbox_bytes_max: int = 4 << 20
    keepalive_s: float = 20.0
    denial_hold_s: float = 2.5
    """How long a denied y-websocket client is held before the close: it comes back at once otherwise."""
    auth_s_max: float = 10.0
    """How long a document on a shared socket may wait for its token."""
    early_bytes_max: int = 5 << 20
    early_frames_max: int = 1000
    """What may be said on a socket for documents that are not authenticated yet."""
    early_documents_max: int = 100
    """Documents on one socket without a good token."""
    documents_max: int = 256
    """Documents on one socket."""


class Connection:
    """One socket and its tasks. ``run`` returns when it has ended, for whatever reason."""

    def __init__(self, socket: Socket, dialect: Dialect, limits: ConnectionLimits) -> None:
        self.dialect = dialect
        self.limits = limits
        self.ended: SocketClosed | None = None
        """How the peer ended it, once it has; None when we did."""
        self._socket = socket
        self._outbox = Outbox(bytes_max=limits.outbox_bytes_max, keepalive_s=limits.keepalive_s)
        self._ending: asyncio.Future[CollabError | None] = asyncio.get_running_loop().create_future()

    @property
    def goodbye(self) -> bool:
        """Whether the peer has left on purpose."""
        return self.ended is not None and self.ended.goodbye

    def end(self, error: CollabError | None) -> None:
        """End the connection for this reason; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(error)

    async def peer_reads(self) -> None:
        """Return when the peer has taken most of what it was sent: only then is it heard further."""
        await self._outbox.spacious()

    def say(self, message: FromServer, address: str = "") -> None:
        """Queue a message for the peer."""
        self.write(self.dialect.encode(message, address))

    def deliver(self, outgoing: Outgoing, address: str = "") -> None:
        """Queue a message that others get as well."""
        self.write(outgoing.frame(self.dialect, address))

    def write(self, frame: bytes | None) -> None:
        """Queue a frame. A peer that does not read what it is sent is ended."""
        if frame is None or self._ending.done():
            return
        try:
            self._outbox.put(frame)
        except TooSlow as error:
            self.end(error)

    async def run(
        self,
        converse: Callable[[bytes], Coroutine[Any, Any, None]],
        *,
        keepalive_address: Callable[[], str | None],
        beside: Coroutine[Any, Any, None] | None = None,
    ) -> int:
        """Read until the end, handing each frame to ``converse``; the close code that was said or heard.

        ``beside`` runs as long as the connection does.
        """
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(converse), name="reader")
            writer = tasks.create_task(self._write(keepalive_address), name="writer")
            helper = tasks.create_task(self._beside(beside), name="beside") if beside is not None else None
            error = await self._ending
            reader.cancel()
            if self.ended is None:
                await self._flush(writer)
            writer.cancel()
            if helper is not None:
                helper.cancel()
        code = await self._socket.close(error)
        return self.ended.code if self.ended is not None else code

    async def _read(self, converse: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        try:
            while True:
                await converse(await self._socket.receive())
        except SocketClosed as closed:
            self.ended = closed
            self.end(None)
        except CollabError as error:
            self.end(error)
        except Exception:
            log.exception("connection_crashed")
            self.end(RoomClosed())

    async def _write(self, keepalive_address: Callable[[], str | None]) -> None:
        def keepalive() -> bytes | None:
            address = keepalive_address()
            return None if address is None else self.dialect.encode(KEEPALIVE, address)

        try:
            await self._outbox.run(self._socket.send, keepalive)
        except SocketClosed as closed:
            self.ended = closed
            self.end(None)

    async def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CollabError as error:
            self.end(error)

    async def _flush(self, writer: asyncio.Task[None]) -> None:
        """Let the last words out, if the peer takes them soon."""
        flushed = asyncio.ensure_future(self._outbox.flushed())
        await asyncio.wait({flushed, writer}, timeout=FLUSH_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        flushed.cancel()
