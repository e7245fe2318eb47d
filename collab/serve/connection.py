"""One socket: a reader, a writer, and an end that is always told and logged.

It stands between the transport (``api/sockets.py`` adapts the web framework's) and the conversations of the two
dialects (``ywebsocket``, ``hocuspocus``), which say what to do with a frame. The reader takes one frame at
a time and waits while the log is full, so that a flood fills the client's own buffers and not ours; the writer
empties a bounded outbox, so that a peer who does not read loses only its own connection.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from collab.errors import CollabError, ProtocolError, RoomClosed, TooSlow
from collab.limits import ServerLimits
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.protocol.dialect import Dialect
from collab.protocol.messages import KEEPALIVE, FromServer
from collab.serve import tasks
from collab.serve.connection_stats import ConnectionStats, Ending
from collab.serve.outbox import Outbox
from collab.serve.sink import EncodedMessage

log = get_logger("connection")

FLUSH_S_MAX = 2.0
"""How long the last frames may take before the socket is closed."""


class SocketClosed(Exception):
    """The peer, the network or our transport has closed the socket."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__(f"{ending.code} {ending.reason}")

    @property
    def clean(self) -> bool:
        """True if the client meant it: a closed tab, not a lost network."""
        return self.ending.reason == "left"


UNKNOWN_MAX = 10
"""Messages of unknown types that are passed over; a client that sends more speaks another protocol."""

FRAMES_A_TURN = 32
"""How many frames of one socket are heard before it is the others' turn."""

Part: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs as long as the connection does."""


class Socket(Protocol):
    """A WebSocket as the server sees it. Knows how errors are said as close codes."""

    async def receive(self) -> bytes:
        """The next binary frame. Raises SocketClosed, ProtocolError for a text frame."""

    async def send(self, frame: bytes) -> None:
        """Write a binary frame. Raises SocketClosed."""

    async def close(self, error: CollabError | None) -> Ending:
        """Close, and tell the peer why (None: nothing is wrong). Idempotent, never raises."""

    @property
    def cancelled(self) -> Ending:
        """The end of a connection whose task was cancelled before it could be closed."""


class Connection:
    """One socket and its tasks. ``run`` returns when it has ended, for whatever reason."""

    def __init__(
        self,
        socket: Socket,
        dialect: Dialect,
        limits: ServerLimits,
        metrics: Metrics,
        *,
        parting: bytes | None = None,
        holds: bool = False,
    ) -> None:
        """``parting``: the frame for a peer that we end before we have said anything else to it.

        ``holds``: a peer that is at fault is held before the close, since it comes back as soon as it is closed,
        to do the same again.
        """
        loop = asyncio.get_running_loop()
        self.dialect = dialect
        self.limits = limits
        self.account = ConnectionStats(dialect.name, metrics, clock=loop.time)
        self.ended: SocketClosed | None = None
        """How the peer ended it, once it has; None when we did."""
        self._socket = socket
        self._metrics = metrics
        self._parting = parting
        self._holds = holds
        self._outbox = Outbox(bytes_max=limits.outbox_bytes_max, keepalive_s=limits.keepalive_s)
        self._unknown = 0
        self._ending: asyncio.Future[CollabError | None] = loop.create_future()
        self._ended_again = asyncio.Event()

    @property
    def clean(self) -> bool:
        """Whether the peer has left on purpose."""
        return self.ended is not None and self.ended.clean

    def end(self, error: CollabError | None) -> None:
        """End the connection for this reason; the first reason counts. A second ends it without delay."""
        if self._ending.done():
            self._ended_again.set()
            return
        if error is not None and not self._outbox.was_used:
            self.write(self._parting)
        self._ending.set_result(error)

    async def wait_writable(self) -> None:
        """Return when the peer has taken most of what it was sent: only then is it heard further."""
        await self._outbox.writable()

    def count_unknown(self) -> None:
        """The peer has sent a message of a type that is not known. Raises ProtocolError when it keeps doing so."""
        self._unknown += 1
        if self._unknown > UNKNOWN_MAX:
            raise ProtocolError("Too many messages of unknown types.")

    def say(self, message: FromServer, address: str = "") -> None:
        """Queue a message for the peer."""
        self.write(self.dialect.encode(message, address))

    def deliver(self, outgoing: EncodedMessage, address: str = "") -> None:
        """Queue a message that others get as well."""
        self.write(outgoing.frame(self.dialect, address))

    def write(self, frame: bytes | None) -> None:
        """Queue a frame. A peer that does not read what it is sent is ended."""
        if frame is None or self._ending.done():
            return
        try:
            self._outbox.put(frame)
        except TooSlow as error:
            self._metrics.outbox_overflows.inc()
            self.end(error)

    async def run(
        self,
        converse: Callable[[bytes], Coroutine[Any, Any, None]],
        *,
        keepalive_address: Callable[[], str | None],
        beside: Part | None = None,
    ) -> int:
        """Read until the end, handing each frame to ``converse``; the close code that was said or heard.

        ``beside`` runs as long as the connection does.
        """
        ending = self._socket.cancelled
        self.account.accepted()
        try:
            error = await self._until_the_end(
                reader=partial(self._read, converse), writer=partial(self._write, keepalive_address), beside=beside
            )
            ending = await self._close(error)
            return ending.code
        finally:
            self.account.ended(ending, frames_out=self._outbox.frames_sent, bytes_out=self._outbox.bytes_sent)

    async def _until_the_end(self, *, reader: Part, writer: Part, beside: Part | None) -> CollabError | None:
        """Run the parts side by side until the connection is to end; why it is."""
        reading = asyncio.create_task(self._run_part(reader), name="reader")
        writing = asyncio.create_task(self._run_part(writer), name="writer")
        helping = [] if beside is None else [asyncio.create_task(self._run_part(beside), name="beside")]
        try:
            error = await self._ending
            await self._farewell(reading)
            if self._holds and error is not None and not error.retryable:
                await self._hold(reading)
            return error
        finally:
            await tasks.end([reading, writing, *helping])

    async def _run_part(self, part: Part) -> None:
        """Whatever ends one part ends the connection."""
        try:
            await part()
        except CollabError as error:
            self.end(error)
        except Exception:
            log.exception("connection_crashed")
            self.end(RoomClosed())

    async def _read(self, converse: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        account = self.account
        try:
            while True:
                frame = await self._socket.receive()
                account.frames_in += 1
                account.bytes_in += len(frame)
                await converse(frame)
                if account.frames_in % FRAMES_A_TURN == 0:
                    await asyncio.sleep(0)  # thousands may have come in one read, and nothing above had to wait
        except SocketClosed as closed:
            self.ended = closed  # also when the writer was quicker: here it is known how the peer closed
            self.end(None)

    async def _write(self, keepalive_address: Callable[[], str | None]) -> None:
        def keepalive() -> bytes | None:
            address = keepalive_address()
            return None if address is None else self.dialect.encode(KEEPALIVE, address)

        try:
            await self._outbox.run(self._socket.send, keepalive)
        except SocketClosed as closed:
            self.ended = self.ended or closed
            self.end(None)

    async def _farewell(self, reader: "asyncio.Task[None]") -> None:
        """Hear what a peer that has gone had said before, or let our own last words out, if it takes them soon."""
        if self.ended is not None:
            await asyncio.wait({reader}, timeout=FLUSH_S_MAX)
            return
        reader.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S_MAX):
                await self._outbox.flushed()

    async def _hold(self, reader: "asyncio.Task[None]") -> None:
        """Be deaf to the peer for a while, or until it has gone."""
        await tasks.end([reader])
        waiting = [asyncio.create_task(each) for each in (self._ignore(), self._ended_again.wait())]
        try:
            await asyncio.wait(waiting, timeout=self.limits.denial_hold_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(waiting)

    async def _ignore(self) -> None:
        with suppress(SocketClosed, CollabError):
            while True:
                await self._socket.receive()

    async def _close(self, error: CollabError | None) -> Ending:
        ending = await self._socket.close(error)
        if error is not None:
            return ending
        assert self.ended is not None, "we end it for a reason"
        return self.ended.ending
