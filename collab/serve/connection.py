"""One socket and its conversation: what comes in, what goes out, and an end that the peer is told and the log records.

A connection has no task. The socket calls it with each message, and it hands the message to the conversation of the
dialect (``ywebsocket``, ``hocuspocus``). While the log is full, or the peer does not take what it was sent, the socket
is not read, so a flood fills the client's own buffers and not ours. What is to be done from time to time is done when
``heartbeat`` visits it.
"""

import asyncio
from enum import Enum, Flag, auto
from typing import Protocol

from collab.errors import CollabError, ProtocolError, RoomClosed, TextFrame
from collab.observe.logs import get_logger
from collab.protocol.dialect import Dialect
from collab.protocol.messages import KEEPALIVE, FromServer
from collab.protocol.websocket import Frame
from collab.serve.connection_stats import ConnectionStats, Ending
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.socket import Socket, SocketClosed

log = get_logger("connection")

UNKNOWN_MAX = 10
"""Messages of unknown types that are ignored; a client that sends more speaks another protocol."""


class ConnectionState(Enum):
    """The life of a connection."""

    OPEN = auto()
    """Messages go both ways."""
    LINGERING = auto()
    """The peer was told why it must go, and what it sends is dropped: closed at once, it would be back at once."""
    CLOSING = auto()
    """Our close frame is on its way."""
    CLOSED = auto()
    """The socket is closed, and the end is logged."""


TRANSITIONS: dict[ConnectionState, frozenset[ConnectionState]] = {
    ConnectionState.OPEN: frozenset((ConnectionState.LINGERING, ConnectionState.CLOSING, ConnectionState.CLOSED)),
    ConnectionState.LINGERING: frozenset((ConnectionState.CLOSING, ConnectionState.CLOSED)),
    ConnectionState.CLOSING: frozenset((ConnectionState.CLOSED,)),
    ConnectionState.CLOSED: frozenset(),
}
"""What each state may become."""


class Pause(Flag):
    """Why a socket is not read."""

    JOINING = auto()
    """The document is being opened."""
    LOG = auto()
    """Too much waits to be committed."""
    PEER = auto()
    """The peer has not taken what it was sent."""
    TOKEN = auto()
    """A fresh token is being checked, and what comes after it rests on it."""


NOT_PAUSED = Pause(0)


class Conversation(Protocol):
    """What one dialect does with a connection. ``receive`` and ``receive_oversized`` may raise CollabError."""

    @property
    def wire(self) -> Dialect:
        """The framing."""

    @property
    def close_frame(self) -> bytes | None:
        """What is sent before the close if nothing else was sent on this socket."""

    @property
    def lingers(self) -> bool:
        """True if a peer at fault is held for a while before the close, since it comes back to do the same again."""

    def receive(self, message: bytes) -> None:
        """Take a message."""

    def receive_oversized(self, head: bytes) -> None:
        """Take the beginning of a message that is too large."""

    def keepalive_address(self) -> str | None:
        """Return the address of a document that the client surely knows, or None."""

    def congested(self) -> None:
        """Take note that the peer does not take what it is sent."""

    def fell_behind(self, waiting_bytes: int) -> None:
        """Take note that more of what the peer was sent waits in memory than may. It may be told repeatedly."""

    def drained(self) -> None:
        """Take note that the peer has taken most of it."""

    def disconnected(self, *, clean: bool) -> None:
        """Leave every document: the connection has ended. ``clean``: the peer meant to close it."""


class Connection:
    """One socket, from the handshake until it is closed."""

    __slots__ = (
        "__weakref__",
        "_beats_to_ping",
        "_conversation",
        "_dialect",
        "_ending",
        "_error",
        "_frames_seen",
        "_hold",
        "_is_backlog_watched",
        "_is_congested",
        "_parts",
        "_paused_for",
        "_silent_beats",
        "_socket",
        "_state",
        "_unknown",
        "stats",
    )

    def __init__(
        self, socket: Socket, conversation: Conversation, parts: ServerParts, *, paused_for: Pause = NOT_PAUSED
    ) -> None:
        """``paused_for``: why nothing is read yet; ``go_on`` begins."""
        self.stats = ConnectionStats(conversation.wire.name, parts.metrics, clock=asyncio.get_running_loop().time)
        self._socket = socket
        self._conversation: Conversation | None = conversation
        self._dialect = conversation.wire
        self._parts = parts
        self._state = ConnectionState.OPEN
        self._paused_for = paused_for
        self._error: CollabError | None = None
        self._ending: Ending | None = None
        self._hold: asyncio.TimerHandle | None = None
        self._unknown = 0
        self._is_congested = self._is_backlog_watched = False
        self._frames_seen = self._silent_beats = 0
        self._beats_to_ping = self._beats_a_ping
        socket.attach(self)
        if paused_for:
            socket.pause()
        self.stats.accepted()
        parts.connections.add(self)
        parts.heartbeat.add(self)

    @property
    def is_open(self) -> bool:
        """True until it ends, for whatever reason."""
        return self._state is ConnectionState.OPEN

    # --- what goes out ----------------------------------------------------------------------------------

    def send(self, message: FromServer, address: str = "") -> None:
        """Send the peer a message."""
        payload = self._dialect.encode(message, address)
        if payload is not None:
            self._write(Frame(payload))

    def send_encoded(self, message: EncodedMessage, address: str = "") -> None:
        """Send the peer a message that other peers get as well."""
        frame = message.frame(self._dialect, address)
        if frame is not None:
            self._write(frame)

    def _write(self, frame: Frame) -> None:
        if self._state is ConnectionState.OPEN:
            stats = self.stats
            stats.frames_out += 1
            stats.bytes_out += len(frame.payload)
            self._socket.write(frame)
            if self._is_congested:
                self._watch_backlog()

    # --- what comes in ----------------------------------------------------------------------------------

    def received(self, message: bytes) -> None:
        """Hand a message to the conversation, and read on when there is space for the next."""
        stats = self.stats
        stats.frames_in += 1
        stats.bytes_in += len(message)
        bytes_out = stats.bytes_out
        conversation = self._conversation
        if self._state is not ConnectionState.OPEN or conversation is None:
            return
        try:
            conversation.receive(message)
        except CollabError as error:
            self.end(error)
        except Exception:
            log.exception("connection_crashed")
            self.end(RoomClosed())
        else:
            if self._parts.log_writer.is_full:
                self._wait_for_log()
            if stats.bytes_out != bytes_out or self._is_congested:
                self._pause_if_backlog()

    def received_text(self) -> None:
        """End: no dialect has text messages."""
        self.end(TextFrame())

    def received_oversized(self, head: bytes) -> None:
        """Have the conversation refuse a message that is too large."""
        if self._state is ConnectionState.OPEN and self._conversation is not None:
            try:
                self._conversation.receive_oversized(head)
            except CollabError as error:
                self.end(error)

    def count_unknown(self) -> None:
        """Count a message of an unknown type. Raises ProtocolError when there are too many."""
        self._unknown += 1
        if self._unknown > UNKNOWN_MAX:
            raise ProtocolError("Too many messages of unknown types.")

    def allow_messages_of(self, bytes_max: int) -> None:
        """Take messages up to this size from now on."""
        self._socket.message_bytes_max = bytes_max

    # --- back-pressure ----------------------------------------------------------------------------------

    def pause(self, reason: Pause) -> None:
        """Read no more until ``go_on`` is called for every reason."""
        if not self._paused_for:
            self._socket.pause()
        self._paused_for |= reason

    def go_on(self, reason: Pause) -> None:
        """Read on, unless it is paused for another reason."""
        if self._paused_for & reason:
            self._paused_for &= ~reason
            if not self._paused_for:
                self._socket.resume()

    def _wait_for_log(self) -> None:
        self.pause(Pause.LOG)
        self._parts.log_writer.call_when_writable(self._go_on_with_log)

    def _pause_if_backlog(self) -> None:
        """Read no more while too much of what was sent waits. What was answered just now may be what is too much."""
        if self._is_backlog_full:
            self.pause(Pause.PEER)
            # What is written now may go out at once; else the socket tells when it has.
            asyncio.get_running_loop().call_soon(self._go_on_with_peer)

    @property
    def _is_backlog_full(self) -> bool:
        return self._socket.buffered_bytes > self._parts.limits.outbox_bytes_max

    def _go_on_with_peer(self) -> None:
        if not self._is_backlog_full:
            self.go_on(Pause.PEER)

    def _go_on_with_log(self) -> None:
        self.go_on(Pause.LOG)

    def congested(self) -> None:
        """Have the conversation send only what must be sent."""
        self._is_congested = True
        if self._conversation is not None:
            self._conversation.congested()

    def _watch_backlog(self) -> None:
        """Look once a turn: what waits is summed up each time, and a commit may acknowledge thousands of edits."""
        if not self._is_backlog_watched:
            self._is_backlog_watched = True
            # Later, since a room is just performing its effects, and this is an event of its own.
            asyncio.get_running_loop().call_soon(self._fall_behind)

    def _fall_behind(self) -> None:
        self._is_backlog_watched = False
        # The peer may have taken it meanwhile, and then nobody would tell of that again.
        if self._conversation is not None and self._is_congested and self._is_backlog_full:
            self._conversation.fell_behind(self._socket.buffered_bytes)

    def drained(self) -> None:
        """Have the conversation send again, and read on."""
        self._is_congested = False
        if self._conversation is not None:
            self._conversation.drained()
        self.go_on(Pause.PEER)

    # --- time -------------------------------------------------------------------------------------------

    def beat(self) -> bool:
        """Send a keepalive after a silence, and look from time to time whether the peer is still there.

        Every client drops a socket on which no message came for 30 s; WebSocket pings do not count for them.
        """
        if self._state is ConnectionState.CLOSED:
            return False
        if self._state is ConnectionState.OPEN:
            self._keep_alive()
        self._beats_to_ping -= 1
        if self._beats_to_ping <= 0:
            self._beats_to_ping = self._beats_a_ping
            self._socket.check_alive()
        return True

    def _keep_alive(self) -> None:
        if self._frames_seen != self.stats.frames_out:
            self._frames_seen, self._silent_beats = self.stats.frames_out, 0
            return
        self._silent_beats += 1
        # It was silent for at least so many periods, and in the next one it would be silent for too long.
        if (self._silent_beats + 2) * self._parts.heartbeat.period_s <= self._parts.limits.keepalive_s:
            return
        assert self._conversation is not None
        if (address := self._conversation.keepalive_address()) is not None:
            self.send(KEEPALIVE, address)

    @property
    def _beats_a_ping(self) -> int:
        return round(self._parts.limits.ping_s / self._parts.heartbeat.period_s)

    # --- the end ----------------------------------------------------------------------------------------

    def end(self, error: CollabError) -> None:
        """End the connection for this reason. Only the first reason counts; a second call cuts the lingering short."""
        if self._state is ConnectionState.LINGERING:
            self._close()
        if self._state is not ConnectionState.OPEN:
            return
        conversation = self._conversation
        assert conversation is not None
        if not self.stats.frames_out and conversation.close_frame is not None:
            self._write(Frame(conversation.close_frame))
        self._error = error
        loop = asyncio.get_running_loop()
        # Later, since this may be called while a room performs its effects, and leaving is an event of its own.
        loop.call_soon(self._disconnect)
        if conversation.lingers and not error.retryable:
            self._become(ConnectionState.LINGERING)
            self._hold = loop.call_later(self._parts.limits.denial_hold_s, self._close)
            self.go_on(self._paused_for)
        else:
            self._close()

    def _disconnect(self, *, clean: bool = False) -> None:
        conversation, self._conversation = self._conversation, None  # so that what refers to each other is freed
        if conversation is not None:
            conversation.disconnected(clean=clean)

    def _close(self) -> None:
        self._cancel_hold()
        self._become(ConnectionState.CLOSING)
        self._ending = self._socket.close(self._error)

    def closed(self, closed: SocketClosed) -> None:
        """Leave every document, and log the end."""
        if self._state is ConnectionState.CLOSED:
            return
        self._cancel_hold()
        self._parts.log_writer.forget(self._go_on_with_log)
        ending = closed.ending
        if self._error is not None:
            ending = self._ending or self._socket.close(self._error)
        self._become(ConnectionState.CLOSED)
        self._disconnect(clean=closed.clean and self._error is None)
        self.stats.ended(ending)
        self._parts.connections.discard(self)

    def cancel(self) -> None:
        """Note that the task which was to open the document was cancelled."""
        self.closed(SocketClosed(self._socket.cancelled))

    def _cancel_hold(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    def _become(self, state: ConnectionState) -> None:
        assert state in TRANSITIONS[self._state], f"{self._state} cannot become {state}"
        self._state = state
