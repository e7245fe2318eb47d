"""One socket: a reader, a writer, and an end that the peer is told and the log records.

The conversations of the two dialects (``ywebsocket``, ``hocuspocus``) say what to do with a frame. The reader takes
one frame at a time and waits while the log is full, so that a flood fills the client's own buffers and not ours. The
writer empties a bounded outbox, so that a peer that does not read loses only its own connection.
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
"""Seconds that the last frames may take before the socket is closed."""


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
"""Messages of unknown types that are ignored; a client that sends more speaks another protocol."""

FRAMES_A_TURN = 32
"""Frames of one socket that are read before other tasks get their turn."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs as long as the connection does."""


class Socket(Protocol):
    """A WebSocket as the server sees it. It knows the close code of every error."""

    async def receive(self) -> bytes:
        """Return the next binary frame. Raises SocketClosed, ProtocolError for a text frame."""

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
        close_frame: bytes | None = None,
        linger_on_error: bool = False,
    ) -> None:
        """``close_frame``: sent before the close if nothing else was sent on this socket.

        ``linger_on_error``: wait before closing on a peer that is at fault, since it comes back as soon as it is
        closed, to do the same again.
        """
        loop = asyncio.get_running_loop()
        self.dialect = dialect
        self.limits = limits
        self.stats = ConnectionStats(dialect.name, metrics, clock=loop.time)
        self.ended: SocketClosed | None = None
        """How the peer has ended the connection; None while it has not, or if we did."""
        self._socket = socket
        self._metrics = metrics
        self._close_frame = close_frame
        self._linger_on_error = linger_on_error
        self._outbox = Outbox(bytes_max=limits.outbox_bytes_max, keepalive_s=limits.keepalive_s)
        self._unknown = 0
        self._ending: asyncio.Future[CollabError | None] = loop.create_future()
        self._ended_again = asyncio.Event()

    @property
    def clean(self) -> bool:
        """True if the peer has left on purpose."""
        return self.ended is not None and self.ended.clean

    def end(self, error: CollabError | None) -> None:
        """End the connection for this reason. Only the first reason counts; a second call cuts the lingering short."""
        if self._ending.done():
            self._ended_again.set()
            return
        if error is not None and not self._outbox.was_used:
            self._queue(self._close_frame)
        self._ending.set_result(error)

    async def wait_writable(self) -> None:
        """Return when the peer has read most of what it was sent: only then is more read from it."""
        await self._outbox.writable()

    def count_unknown(self) -> None:
        """Count a message of an unknown type. Raises ProtocolError when there are too many."""
        self._unknown += 1
        if self._unknown > UNKNOWN_MAX:
            raise ProtocolError("Too many messages of unknown types.")

    def send(self, message: FromServer, address: str = "") -> None:
        """Queue a message for the peer."""
        self._queue(self.dialect.encode(message, address))

    def send_encoded(self, message: EncodedMessage, address: str = "") -> None:
        """Queue a message that other peers get as well."""
        self._queue(message.frame(self.dialect, address))

    def _queue(self, frame: bytes | None) -> None:
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
        on_frame: Callable[[bytes], Coroutine[Any, Any, None]],
        *,
        keepalive_address: Callable[[], str | None],
        background: Work | None = None,
    ) -> int:
        """Read until the end, passing each frame to ``on_frame``, and return the close code.

        ``background`` runs as long as the connection does.
        """
        ending = self._socket.cancelled
        self.stats.accepted()
        try:
            error = await self._until_the_end(
                reader=partial(self._read, on_frame),
                writer=partial(self._write, keepalive_address),
                background=background,
            )
            ending = await self._close(error)
            return ending.code
        finally:
            self.stats.ended(ending, frames_out=self._outbox.frames_sent, bytes_out=self._outbox.bytes_sent)

    async def _until_the_end(self, *, reader: Work, writer: Work, background: Work | None) -> CollabError | None:
        """Run reader, writer and background side by side until the connection ends, and return why it did."""
        reading = asyncio.create_task(self._run_work(reader), name="reader")
        writing = asyncio.create_task(self._run_work(writer), name="writer")
        others = [] if background is None else [asyncio.create_task(self._run_work(background), name="background")]
        try:
            error = await self._ending
            await self._finish(reading)
            if self._linger_on_error and error is not None and not error.retryable:
                await self._linger(reading)
            return error
        finally:
            await tasks.end([reading, writing, *others])

    async def _run_work(self, work: Work) -> None:
        """Run one of the tasks. Whatever ends it ends the connection."""
        try:
            await work()
        except CollabError as error:
            self.end(error)
        except Exception:
            log.exception("connection_crashed")
            self.end(RoomClosed())

    async def _read(self, on_frame: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        stats = self.stats
        try:
            while True:
                frame = await self._socket.receive()
                stats.frames_in += 1
                stats.bytes_in += len(frame)
                await on_frame(frame)
                if stats.frames_in % FRAMES_A_TURN == 0:
                    await asyncio.sleep(0)  # thousands may come in one read, and nothing above need ever wait
        except SocketClosed as closed:
            self.ended = closed  # also if the writer was quicker: only the reader knows how the peer closed
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

    async def _finish(self, reader: "asyncio.Task[None]") -> None:
        """Read what a peer sent before it closed, or send it our last frames. Both must not take long."""
        if self.ended is not None:
            await asyncio.wait({reader}, timeout=FLUSH_S_MAX)
            return
        reader.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S_MAX):
                await self._outbox.flushed()

    async def _linger(self, reader: "asyncio.Task[None]") -> None:
        """Ignore the peer for a while, or until it has gone."""
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
        assert self.ended is not None, "we never end a connection without a reason"
        return self.ended.ending
