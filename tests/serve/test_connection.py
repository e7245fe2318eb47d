"""A connection ends once and completely, and passes its cancellation on, whatever happens in the same moment."""

import asyncio
import gc

import anyio
import pytest

from collab.api.close_codes import CANCELLED, LOST, CloseCode, closed_by_peer, ending
from collab.errors import CollabError, Draining, Overloaded, ProtocolError, RoomClosed, TooSlow
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import KEEPALIVE
from collab.protocol.ywebsocket import YWebsocket
from collab.serve.connection import FRAMES_A_TURN, Connection, SocketClosed
from collab.serve.connection_stats import Ending
from tests.metering import sample
from tests.serve.parts import ticks

TICKS = range(12)
"""Turns of the event loop: more than any of these connections needs to end."""


class ScriptedSocket:
    """A socket that gives ``frames`` and then ``close``. Writing breaks after so many turns of the event loop."""

    cancelled = CANCELLED

    def __init__(self, *frames: bytes, close: int | None = None, breaks: int | None = None) -> None:
        self.frames = list(frames)
        self._close = None if close is None else SocketClosed(closed_by_peer(close))
        self._breaks = breaks
        self.closed_for: CollabError | None = None

    async def receive(self) -> bytes:
        if self.frames:
            return self.frames.pop(0)
        if self._close is None:
            await asyncio.Event().wait()
        raise self._close or AssertionError

    async def send(self, frame: bytes) -> None:
        if self._breaks is not None:
            await ticks(self._breaks)
            raise ZeroDivisionError

    async def close(self, error: CollabError | None) -> Ending:
        self.closed_for = error
        return ending(CloseCode.SERVICE_RESTART, "server", "" if error is None else error.slug)


def make(socket: ScriptedSocket) -> tuple[Connection, Metrics]:
    metrics = Metrics()
    return Connection(socket, YWebsocket(), ServerLimits(), metrics), metrics


async def hear_nothing(_frame: bytes) -> None:
    """Ignore the frame."""


@pytest.mark.parametrize("breaks", TICKS)
async def test_cancellation_is_not_lost_while_a_task_fails(breaks: int) -> None:
    for cancelled_after in TICKS:
        socket = ScriptedSocket(breaks=breaks)
        connection, metrics = make(socket)
        connection.send(KEEPALIVE)
        running = asyncio.create_task(connection.run(hear_nothing, keepalive_address=lambda: ""))
        await ticks(cancelled_after)
        asked = running.cancel()
        await asyncio.wait({running})
        assert running.cancelled() or not asked
        if not running.cancelled():
            assert isinstance(socket.closed_for, RoomClosed)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert sample(metrics, "sockets", dialect="y-websocket") == 0


async def test_cancel_scope_recognises_its_cancellation_at_any_moment() -> None:
    """Frameworks end an embedded application this way, and so do their test clients."""

    async def cancel(scope: anyio.CancelScope, after: int) -> None:
        await ticks(after)
        scope.cancel()

    for cancelled_after in TICKS:
        connection, _ = make(ScriptedSocket(close=1000))
        with anyio.CancelScope() as scope:
            cancelling = asyncio.create_task(cancel(scope, cancelled_after))
            await connection.run(hear_nothing, keepalive_address=lambda: "")
        await cancelling
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_failing_task_ends_the_connection_retryably() -> None:
    socket = ScriptedSocket(breaks=0)
    connection, metrics = make(socket)
    connection.send(KEEPALIVE)
    assert await connection.run(hear_nothing, keepalive_address=lambda: "") == 1012
    assert isinstance(socket.closed_for, RoomClosed)
    assert sample(metrics, "sockets_closed_total", dialect="y-websocket", code="1012", by="server") == 1


async def test_frames_before_the_close_are_read_although_writing_failed_first() -> None:
    heard: list[bytes] = []

    async def hear_slowly(frame: bytes) -> None:
        await ticks(20)
        heard.append(frame)

    class Gone(ScriptedSocket):
        async def send(self, frame: bytes) -> None:
            raise SocketClosed(LOST)

    connection, metrics = make(Gone(b"one", b"two", close=1001))
    connection.send(KEEPALIVE)
    assert await connection.run(hear_slowly, keepalive_address=lambda: "") == 1001
    assert heard == [b"one", b"two"]
    assert connection.clean
    assert sample(metrics, "sockets_closed_total", dialect="y-websocket", code="1001", by="peer") == 1


def make_lingering(socket: ScriptedSocket) -> Connection:
    """Return a connection that lingers for an hour, which no test waits for."""
    return Connection(socket, YWebsocket(), ServerLimits(denial_hold_s=3600), Metrics(), linger_on_error=True)


async def refuse(_frame: bytes) -> None:
    raise ProtocolError


async def test_connection_lingers_and_ignores_a_peer_at_fault() -> None:
    socket = ScriptedSocket(b"nonsense", b"more", b"of it", close=1006)
    assert await make_lingering(socket).run(refuse, keepalive_address=lambda: "") == 1012
    assert socket.frames == []
    assert isinstance(socket.closed_for, ProtocolError)


async def test_shutdown_cuts_the_lingering_short() -> None:
    socket = ScriptedSocket(b"nonsense")
    connection = make_lingering(socket)
    running = asyncio.create_task(connection.run(refuse, keepalive_address=lambda: ""))
    await ticks(50)
    assert not running.done()
    connection.end(Draining())
    await running
    assert isinstance(socket.closed_for, ProtocolError)


@pytest.mark.parametrize("error", [Overloaded, TooSlow])
async def test_connection_does_not_linger_for_other_errors(error: type[CollabError]) -> None:
    socket = ScriptedSocket()
    connection = make_lingering(socket)
    connection.end(error())
    await connection.run(hear_nothing, keepalive_address=lambda: "")
    assert isinstance(socket.closed_for, error)


async def test_first_reason_counts() -> None:
    socket = ScriptedSocket(close=1006)
    connection, metrics = make(socket)
    connection.end(reason := Overloaded())
    assert await connection.run(hear_nothing, keepalive_address=lambda: "") == 1012
    assert socket.closed_for is reason
    assert sample(metrics, "sockets_closed_total", dialect="y-websocket", code="1012", by="server") == 1


async def test_flood_on_one_socket_leaves_other_tasks_their_turn() -> None:
    """All frames are there already, so nothing ever has to wait for one."""
    connection, _ = make(ScriptedSocket(*[b"\3"] * 1000, close=1000))
    heard = 0
    heard_at_others_turns = []

    async def hear(_frame: bytes) -> None:
        nonlocal heard
        heard += 1

    running = asyncio.create_task(connection.run(hear, keepalive_address=lambda: ""))
    while not running.done():
        await asyncio.sleep(0)
        heard_at_others_turns.append(heard)
    assert heard == 1000
    assert len({each // FRAMES_A_TURN for each in heard_at_others_turns}) > 1000 // FRAMES_A_TURN


async def test_a_peer_that_leaves_while_it_is_ignored_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    socket = ScriptedSocket(b"nonsense", close=1006)
    await make_lingering(socket).run(refuse, keepalive_address=lambda: "")
    gc.collect()  # asyncio logs the error of a task when the task is forgotten
    assert [record for record in caplog.records if record.name == "asyncio"] == []
