"""The WebSocket connection of ``collab serve``: the class that uvicorn hands a connection to when a client upgrades.

It is as little as a connection can be, because most are idle and every update passes it: one object, no task, no queue
and no timer. Messages go to the receiver from where the event loop read them, and a message for many is written to
each as the same bytes. Tasks, timers and the framework exist only while a connection opens or closes.

What a stranger sends can hold up nobody: a read is taken in portions, and between them it is the others' turn.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol, cast
from urllib.parse import unquote

import uvicorn
from starlette.types import Scope
from uvicorn.server import ServerState

from collab.api import close_codes
from collab.api.asgi_call import AsgiCall
from collab.api.close_codes import LOST, CloseCode
from collab.api.handshake import Handshake
from collab.api.turn_writes import TURN_WRITES
from collab.errors import CollabError, Draining
from collab.protocol.websocket import (
    PART,
    Close,
    Event,
    Fault,
    Frame,
    FrameReader,
    Opcode,
    Oversized,
    Ping,
    Pong,
    Text,
    encode_close,
    encode_frame,
)
from collab.serve.connection_stats import Ending
from collab.serve.socket import Receiver, SocketClosed

if sys.platform == "linux":
    import fcntl
    import termios

EXTENSION = "collab.socket"
"""Key of ``scope["extensions"]``: the ``serve.socket.Socket`` of the connection."""

FRAMES_A_TURN = 32
"""Frames of one connection that are read before it is the others' turn."""
REST_S = 0.001
"""Seconds until its next turn: a flood of frames takes so a small part of the processor, even of an idle one."""
READ_BYTES_A_TURN = 128 << 10
"""A read of so many bytes was probably a full one, and uvloop would read on at once: it is the others' turn."""

TURNS_TO_CLOSE_MAX = 128
"""Turns for which the peer's close frame is looked for behind its messages, once we have closed."""
UNTAKEN_S_MAX = 3.0
"""Seconds in which the peer must take what is written, once the connection closes."""
CLOSED_S_MAX = 12.0
"""Seconds in which the peer must answer a close frame."""
FLUSH_S_MAX = 2.0
"""Seconds in which the receiver must take what was read before the connection was lost."""
LINGER_S_MAX = 2.0
"""Seconds for which the bytes of a peer at fault are dropped: a reset could overtake its close frame."""

PING = encode_frame(Opcode.PING, b"")


class State(Enum):
    """Where a connection stands."""

    HANDSHAKE = "handshake"
    """The application has not answered yet."""
    OPEN = "open"
    CLOSING = "closing"
    """Our close frame is written, and the peer's is looked for. No message is delivered any more."""
    ENDING = "ending"
    """Nothing is read or written any more; TCP ends when the peer has taken what is written."""
    LOST = "lost"
    """TCP has ended. What was read before is still delivered."""


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.HANDSHAKE: frozenset({State.OPEN, State.ENDING, State.LOST}),
    State.OPEN: frozenset({State.CLOSING, State.ENDING, State.LOST}),
    State.CLOSING: frozenset({State.ENDING, State.LOST}),
    State.ENDING: frozenset({State.LOST}),
    State.LOST: frozenset(),
}


class Output(Protocol):
    """Where frames are written: a transport, or nowhere."""

    def write(self, data: bytes, /) -> None:
        """Write bytes."""


class Nowhere:
    """The output of a connection that has closed, and the receiver of one that nobody has taken or that has ended."""

    def write(self, data: bytes, /) -> None:
        """Drop it."""

    def received(self, message: bytes) -> None:
        """Drop it."""

    def received_text(self) -> None:
        """Drop it."""

    def received_oversized(self, head: bytes) -> None:
        """Drop it."""

    def congested(self) -> None:
        """Ignore it."""

    def drained(self) -> None:
        """Ignore it."""

    def closed(self, closed: SocketClosed) -> None:
        """Ignore it."""


NOWHERE = Nowhere()


def untaken_bytes(transport: asyncio.Transport) -> int:
    """Return how many written bytes the peer has not acknowledged: in our buffer and, on Linux, in the kernel's."""
    queued = bytearray(4)
    if sys.platform == "linux" and not transport.is_closing():
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket connection, and the ``serve.socket.Socket`` of whoever is attached to it."""

    __slots__ = (
        "_awaits_pong",
        "_ending",
        "_is_congested",
        "_is_held",
        "_is_paused",
        "_is_waiting",
        "_opening",
        "_output",
        "_owed_pong",
        "_reader",
        "_receiver",
        "_server_state",
        "_state",
        "_timer",
        "_transport",
        "_turns_to_close",
        "_untaken",
        "_unwritten",
        "_was_congested",
    )

    cancelled = close_codes.CANCELLED

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """The arguments are those that uvicorn gives to every WebSocket class."""
        self._opening: tuple[uvicorn.Config, dict[str, Any]] | None = (config, app_state)
        self._server_state = server_state
        self._state = State.HANDSHAKE
        self._reader = FrameReader(config.ws_max_size)
        self._receiver: Receiver = NOWHERE
        self._output: Output = NOWHERE
        self._is_paused = True
        """The receiver wants nothing, or there is none."""
        self._is_waiting = False
        """It is the others' turn."""
        self._is_held = False
        """The transport does not read, for one of these reasons."""
        self._is_congested = self._was_congested = False
        """The peer does not take what is written; and what the receiver knows of it."""
        self._owed_pong: bytes | None = None
        self._unwritten: list[bytes] | None = None
        """The messages of this turn."""
        self._awaits_pong = False
        self._untaken = 0
        """Bytes the peer had not taken when we last looked: when a ping was sent, or its pong waited for."""
        self._ending: Ending | None = None
        """How the connection ends, once that is known."""
        self._timer: asyncio.TimerHandle | None = None
        self._turns_to_close = TURNS_TO_CLOSE_MAX

    # --- the socket -------------------------------------------------------------------------------------

    @property
    def message_bytes_max(self) -> int:
        """Size limit of one message. May be changed at any time."""
        return self._reader.message_bytes_max

    @message_bytes_max.setter
    def message_bytes_max(self, bytes_max: int) -> None:
        self._reader.message_bytes_max = bytes_max

    def attach(self, receiver: Receiver) -> None:
        """Say who receives, and begin to read."""
        self._receiver = receiver
        self._is_paused = False
        self._wait_for_turn()  # also to say that the connection is lost already

    async def run(self) -> None:
        """Return at once: the connection lives on by itself."""

    def write(self, frame: Frame) -> None:
        """Write a message when this turn of the event loop ends."""
        if self._unwritten is None:
            self._unwritten = [frame.wire]
            TURN_WRITES.add(self)
        else:
            self._unwritten.append(frame.wire)

    def write_all(self) -> None:
        """Write the messages of this turn."""
        wires, self._unwritten = self._unwritten, None
        if wires is not None:
            self._output.write(wires[0] if len(wires) == 1 else b"".join(wires))

    @property
    def buffered_bytes(self) -> int:
        """Bytes that are written and not yet given to the kernel."""
        unwritten = 0 if self._unwritten is None else sum(map(len, self._unwritten))
        return self._transport.get_write_buffer_size() + unwritten

    def pause(self) -> None:
        """Deliver no more messages for now."""
        if self._state in (State.OPEN, State.LOST):
            self._is_paused = True
            self._hold()

    def resume(self) -> None:
        """Deliver messages again, from the next turn on."""
        if self._is_paused:
            self._is_paused = False
            self._wait_for_turn()

    def close(self, error: CollabError | None) -> Ending:
        """Close behind everything written, and tell the peer why."""
        ending = close_codes.closed_for(error)
        self._close(ending, "" if error is None else error.reason)
        return ending

    def check_alive(self) -> None:
        """Send a ping; or drop the connection if the last one is unanswered and the peer took nothing since.

        A pong may only be late: the ping waits behind other bytes, or we have paused reading.
        """
        if self._state is not State.OPEN:
            return
        before, self._untaken = self._untaken, untaken_bytes(self._transport)
        if not self._awaits_pong:
            self._awaits_pong = True
            self._output.write(PING)
        elif self._untaken >= before and not (self._untaken == 0 and self._is_held):
            self._ending = close_codes.ending(CloseCode.NO_CLOSE_FRAME, "server", "no-pong")
            self._output = NOWHERE
            self._transport.abort()

    # --- what the call of the application needs -----------------------------------------------------------

    def open(self, answer: bytes) -> None:
        """Write the answer that opens the WebSocket."""
        if self._state is State.HANDSHAKE:
            self._enter(State.OPEN)
            self._output = self._transport
            self._output.write(answer)

    def refuse(self, answer: bytes) -> None:
        """Write an answer that does not, and hang up."""
        if self._state is State.HANDSHAKE:
            self._transport.write(answer)
            self._ending = LOST
            self._hang_up()

    def receive_plainly(self) -> None:
        """Deliver the next messages to the call of the application itself."""
        self.resume()

    def send_message(self, opcode: Opcode, payload: bytes) -> None:
        """Write a message."""
        self._output.write(encode_frame(opcode, payload))

    def end(self, code: int, reason: str) -> None:
        """Close the WebSocket with a code that is not of our errors."""
        self._close(close_codes.ending(code, "server", "closed"), reason)

    def is_received_by(self, call: AsgiCall) -> bool:
        """True while nobody else has been attached, and the connection has not ended."""
        return self._receiver is call

    # --- uvicorn and the event loop -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names only its own classes

    def data_received(self, data: bytes) -> None:
        if not self._is_held and (message := self._reader.read_whole(data)) is not None:
            self._receiver.received(message)
            return
        if self._opening is not None:
            self._begin(data)
        elif self._state is not State.ENDING:
            self._reader.feed(data)
            if not self._is_held:
                self._deliver()
        if len(data) >= READ_BYTES_A_TURN and self._state is not State.LOST:
            self._wait_for_turn()

    def pause_writing(self) -> None:
        """The transport says so inside ``write``; the receiver is told later."""
        self._is_congested = True
        asyncio.get_running_loop().call_soon(self._tell_congestion)

    def resume_writing(self) -> None:
        # Also where the receiver has not been told of the congestion yet: it may have paused because of what it wrote.
        self._is_congested = self._was_congested = False
        self._receiver.drained()
        pong, self._owed_pong = self._owed_pong, None
        if pong is not None:
            self._output.write(pong)

    def eof_received(self) -> None:
        """Let the transport close itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)
        was, self._output = self._state, NOWHERE
        self._enter(State.LOST)
        if self._ending is None:
            self._ending = LOST
        self._stop_timer()
        if was is not State.OPEN or not self._reader.has_data:
            self._tell_closed()
            return
        self._start_timer(FLUSH_S_MAX, self._tell_closed)
        if not self._is_paused:
            self._wait_for_turn()

    def shutdown(self) -> None:
        """End the connection, because the server stops (called by uvicorn)."""
        if self._state is State.OPEN:
            self.close(Draining())
        elif self._state is State.HANDSHAKE:
            self._hang_up()
        elif self._state is State.CLOSING:
            self._transport.close()

    # --- the handshake ----------------------------------------------------------------------------------

    def _begin(self, request: bytes) -> None:
        """Call the application. Until somebody is attached nothing more is read."""
        assert self._opening is not None
        self._hold()
        (config, app_state), self._opening = self._opening, None
        handshake = Handshake(request)
        if handshake.refused is not None:
            self.refuse(handshake.refused)
            return
        call = AsgiCall(self, handshake, self._scope(handshake, config, app_state))
        self._receiver = call
        task = asyncio.get_running_loop().create_task(call.run(config.loaded_app))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _scope(self, handshake: Handshake, config: uvicorn.Config, app_state: dict[str, Any]) -> Scope:
        seen, get = handshake.scope(), self._transport.get_extra_info
        return {
            **seen,
            "type": "websocket",
            "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws" if get("sslcontext") is None else "wss",
            "server": _address(get("sockname")),
            "client": _address(get("peername")),
            "root_path": config.root_path,
            "path": config.root_path + unquote(seen["raw_path"].decode("ascii")),
            "raw_path": config.root_path.encode("ascii") + seen["raw_path"],
            "state": app_state.copy(),
            "extensions": {"websocket.http.response": {}, EXTENSION: self},
        }

    # --- reading ----------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Pass on what was read, for one turn at most."""
        next_event = self._reader.next_event
        for _ in range(FRAMES_A_TURN):
            if self._is_paused:
                return
            event = next_event()
            if type(event) is bytes:
                self._receiver.received(event)
            elif event is None:
                self._caught_up()
                return
            elif event is not PART:
                self._take(event)
            if self._state is State.ENDING:
                return
        self._end_turn()

    def _end_turn(self) -> None:
        if self._state is State.CLOSING:
            self._turns_to_close -= 1
            if not self._turns_to_close:
                self._tell_closed()
                self._linger()
                return
        self._wait_for_turn(REST_S)

    def _wait_for_turn(self, rest_s: float = 0) -> None:
        """Read no more in this turn of the event loop, and until ``rest_s`` later."""
        self._hold()
        if not self._is_waiting:
            self._is_waiting = True
            loop = asyncio.get_running_loop()
            if rest_s:
                loop.call_later(rest_s, self._go_on)
            else:
                loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_waiting = False
        if self._state is State.ENDING:
            self._release()
        elif not self._is_paused:
            self._deliver()

    def _caught_up(self) -> None:
        """Everything that was read has been passed on."""
        if self._state is State.LOST:
            self._tell_closed()
        else:
            self._release()

    def _hold(self) -> None:
        if not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def _release(self) -> None:
        if self._is_held and not self._is_waiting:
            self._is_held = False
            self._transport.resume_reading()

    def _take(self, event: Event) -> None:
        """Take anything but a binary message."""
        match event:
            case Ping(payload):
                self._answer(payload)
            case Pong():
                self._awaits_pong = False
            case Text(text):
                if isinstance(self._receiver, AsgiCall):
                    self._receiver.received_string(text)
                else:
                    self._receiver.received_text()
            case Oversized(head):
                self._receiver.received_oversized(head)
            case Close(code):
                self._peer_closed(code)
            case Fault():
                self._fail(event)

    def _answer(self, payload: bytes) -> None:
        """Answer a ping. While the peer takes nothing only its last one is owed an answer, as RFC 6455 allows."""
        pong = encode_frame(Opcode.PONG, payload)
        if self._is_congested:
            self._owed_pong = pong
        else:
            self._output.write(pong)

    # --- writing ----------------------------------------------------------------------------------------

    def _tell_congestion(self) -> None:
        if self._is_congested and not self._was_congested:
            self._was_congested = True
            self._receiver.congested()

    # --- the end ----------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        assert state in TRANSITIONS[self._state], f"{self._state} → {state}"
        self._state = state

    def _close(self, ending: Ending, reason: str) -> None:
        if self._state is not State.OPEN or self._ending is not None:
            return
        self._enter(State.CLOSING)
        self._ending = ending
        self._write_last(ending.code, reason)
        self._reader.skip_messages()
        self.resume()
        self._start_timer(UNTAKEN_S_MAX, self._wait_for_answer)

    def _write_last(self, code: int, reason: str = "") -> None:
        self.write_all()
        self._output.write(encode_close(code, reason))
        self._output = NOWHERE
        self._owed_pong = None

    def _peer_closed(self, code: int) -> None:
        """Both sides have said that they close, so the server ends TCP."""
        if self._state is State.OPEN:
            self._write_last(code)
        if self._ending is None or self._ending == LOST:
            self._ending = close_codes.closed_by_peer(code)
        self._tell_closed()
        if self._state is not State.LOST:
            self._hang_up()

    def _fail(self, fault: Fault) -> None:
        """Tell the peer what it did wrong. Nothing it sends can be understood any more."""
        if self._state is State.OPEN:
            self._write_last(fault.code, fault.reason)
            self._ending = close_codes.ending(fault.code, "server", "protocol-error")
        self._tell_closed()
        if self._state is not State.LOST:
            self._linger()

    def _linger(self) -> None:
        """End TCP, and drop what still comes until the peer does the same."""
        if not self._transport.can_write_eof():  # TLS
            self._hang_up()
            return
        self._enter(State.ENDING)
        self._reader.skip_messages()
        with suppress(OSError):  # it may have been reset
            self._transport.write_eof()
        self._wait_for_turn()
        self._start_timer(LINGER_S_MAX, self._transport.abort)

    def _hang_up(self) -> None:
        """End TCP once the peer has taken what is written."""
        self._enter(State.ENDING)
        self._transport.close()
        self._start_timer(UNTAKEN_S_MAX, self._transport.abort)

    def _tell_closed(self) -> None:
        assert self._ending is not None
        self._reader.drop()
        receiver, self._receiver = self._receiver, NOWHERE
        receiver.closed(SocketClosed(self._ending))

    def _wait_for_answer(self) -> None:
        """Wait for the peer's close frame, unless it has not even taken ours."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._start_timer(CLOSED_S_MAX - UNTAKEN_S_MAX, self._transport.abort)

    def _start_timer(self, delay_s: float, callback: Callable[[], object]) -> None:
        """Run the callback later, unless another step of the end comes first."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(delay_s, callback)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _address(info: Any) -> tuple[str, int | None] | None:
    """Return an address as ASGI has it."""
    if isinstance(info, tuple):
        return str(info[0]), int(info[1])
    return (info, None) if isinstance(info, str) and info else None
