"""A connection ends once and completely, reads only while there is space, and is kept alive."""

import asyncio
import gc
import weakref
from itertools import product

import pytest

from collab.api.close_codes import closed_by_peer
from collab.errors import (
    CollabError,
    Draining,
    Overloaded,
    ProtocolError,
    RoomClosed,
    StoreUnavailable,
    TextFrame,
    TooLarge,
)
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import KEEPALIVE, Denied
from collab.protocol.ywebsocket import YWebsocket
from collab.serve.connection import TRANSITIONS, UNKNOWN_MAX, Connection, ConnectionState, Pause
from collab.serve.heartbeat import PARTS
from collab.serve.parts import ServerParts
from collab.serve.socket import SocketClosed
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.serve.parts import ScriptedSocket, make_server, ticks


class Conversation:
    """A conversation that notes what it is told. ``failure`` is raised for every message."""

    wire = YWebsocket()

    def __init__(self, *, lingers: bool = False, close_frame: bytes | None = None) -> None:
        self.lingers, self.close_frame = lingers, close_frame
        self.address: str | None = ""
        self.failure: Exception | None = None
        self.heard: list[bytes] = []
        self.told: list[str] = []

    def receive(self, message: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.heard.append(message)

    def receive_oversized(self, head: bytes) -> None:
        self.told.append(f"oversized {head!r}")
        raise TooLarge

    def keepalive_address(self) -> str | None:
        return self.address

    def congested(self) -> None:
        self.told.append("congested")

    def fell_behind(self, waiting_bytes: int) -> None:
        self.told.append(f"{waiting_bytes} bytes behind")

    def drained(self) -> None:
        self.told.append("drained")

    def disconnected(self, *, clean: bool) -> None:
        self.told.append("left" if clean else "lost")


class Bench:
    """A connection of a server whose tasks do not run."""

    def __init__(self, *frames: bytes, conversation: Conversation | None = None, **limits: float) -> None:
        self.socket = ScriptedSocket(*frames)
        self.conversation = conversation or Conversation()
        self.parts: ServerParts = make_server(MemoryStore(), limits=ServerLimits.model_validate(limits)).parts
        self.connection = Connection(self.socket, self.conversation, self.parts)

    @property
    def metrics(self) -> Metrics:
        return self.parts.metrics

    async def ended(self) -> CollabError | None:
        """Return why the server closed the socket, once it has ended."""
        await asyncio.wait_for(self.socket.run(), 10)
        return self.socket.closed_for


# --- the end --------------------------------------------------------------------------------------------


async def test_peer_that_leaves_is_counted_once() -> None:
    bench = Bench(b"one")
    assert sample(bench.metrics, "sockets", dialect="y-websocket") == 1
    bench.socket.hang_up()
    assert await bench.ended() is None
    assert bench.conversation.heard == [b"one"]
    assert bench.conversation.told == ["left"]
    assert sample(bench.metrics, "sockets", dialect="y-websocket") == 0
    assert sample(bench.metrics, "sockets_closed_total", dialect="y-websocket", code="1000", by="peer") == 1
    assert list(bench.parts.connections) == []


@pytest.mark.parametrize(("code", "told"), [(1000, "left"), (1001, "left"), (1006, "lost"), (4000, "lost")])
async def test_close_that_the_peer_meant_is_clean(code: int, told: str) -> None:
    bench = Bench()
    bench.socket.hang_up(code)
    await bench.ended()
    assert bench.conversation.told == [told]


async def test_error_of_a_message_ends_the_connection() -> None:
    bench = Bench(b"one", b"two")
    bench.conversation.failure = Overloaded()
    assert isinstance(await bench.ended(), Overloaded)
    assert bench.conversation.told == ["lost"]
    assert sample(bench.metrics, "sockets_closed_total", dialect="y-websocket", code="1013", by="server") == 1


async def test_bug_in_a_conversation_ends_the_connection_retryably() -> None:
    bench = Bench(b"one")
    bench.conversation.failure = ZeroDivisionError()
    assert isinstance(await bench.ended(), RoomClosed)


async def test_text_message_ends_the_connection() -> None:
    bench = Bench()
    bench.socket.receiver.received_text()
    assert isinstance(await bench.ended(), TextFrame)


async def test_oversized_message_is_for_the_conversation_to_refuse() -> None:
    bench = Bench()
    bench.socket.receiver.received_oversized(b"head")
    assert isinstance(await bench.ended(), TooLarge)
    assert bench.conversation.told == ["oversized b'head'", "lost"]


async def test_first_reason_counts() -> None:
    bench = Bench()
    bench.connection.end(reason := Overloaded())
    bench.connection.end(RoomClosed())
    assert await bench.ended() is reason


async def test_conversation_leaves_later_than_the_end_is_decided() -> None:
    """A room may decide it while it performs its effects, and leaving it is an event of its own."""
    bench = Bench()
    bench.connection.end(Overloaded())
    assert bench.conversation.told == []
    await bench.ended()
    assert bench.conversation.told == ["lost"]


async def test_nothing_is_sent_or_heard_after_the_end() -> None:
    bench = Bench(b"one")
    bench.connection.end(Overloaded())
    bench.connection.send(Denied("too late"))
    bench.socket.receiver.received(b"two")
    await bench.ended()
    assert bench.socket.sent == []
    assert bench.conversation.heard == []


@pytest.mark.parametrize("was_used", [True, False])
async def test_close_frame_comes_first_where_nothing_else_was_sent(was_used: bool) -> None:
    bench = Bench(conversation=Conversation(close_frame=b"bye"))
    if was_used:
        bench.connection.send(KEEPALIVE)
    bench.connection.end(Overloaded())
    await bench.ended()
    assert (b"bye" in bench.socket.sent) is not was_used


async def test_connection_whose_opening_was_cancelled_is_counted_as_cancelled() -> None:
    bench = Bench()
    bench.connection.cancel()
    assert sample(bench.metrics, "sockets_closed_total", dialect="y-websocket", code="1006", by="server") == 1
    bench.socket.hang_up()
    await bench.ended()
    assert bench.conversation.told == ["lost"]


def test_a_closed_connection_does_not_open_again() -> None:
    assert set(TRANSITIONS) == set(ConnectionState)
    for state, next_ in product(ConnectionState, ConnectionState):
        assert next_ not in TRANSITIONS[state] or list(ConnectionState).index(next_) > list(ConnectionState).index(
            state
        )


# --- lingering ------------------------------------------------------------------------------------------


def lingering(*frames: bytes) -> Bench:
    """Return a connection that lingers for an hour, which no test waits for."""
    return Bench(*frames, conversation=Conversation(lingers=True), denial_hold_s=3600)


async def test_connection_lingers_and_ignores_a_peer_at_fault() -> None:
    bench = lingering(b"nonsense", b"more", b"of it")
    bench.conversation.failure = ProtocolError()
    await ticks(50)
    assert not bench.socket.is_closed
    assert bench.socket.unread == 0
    assert bench.conversation.told == ["lost"]
    bench.socket.hang_up(1006)
    assert isinstance(await bench.ended(), ProtocolError)
    assert sample(bench.metrics, "sockets_closed_total", dialect="y-websocket", code="4422", by="server") == 1


async def test_peer_at_fault_is_closed_when_its_time_is_over() -> None:
    bench = Bench(b"nonsense", conversation=Conversation(lingers=True), denial_hold_s=0)
    bench.conversation.failure = ProtocolError()
    assert isinstance(await bench.ended(), ProtocolError)


async def test_paused_connection_that_lingers_reads_what_it_ignores() -> None:
    bench = lingering()
    bench.connection.pause(Pause.JOINING)
    bench.socket.say(b"one")
    bench.connection.end(ProtocolError())
    await ticks(5)
    assert bench.socket.unread == 0
    bench.connection.end(Draining())
    await bench.ended()


async def test_shutdown_cuts_the_lingering_short() -> None:
    bench = lingering(b"nonsense")
    bench.conversation.failure = ProtocolError()
    await ticks(50)
    bench.connection.end(Draining())
    assert isinstance(await bench.ended(), ProtocolError)


@pytest.mark.parametrize("error", [Overloaded, StoreUnavailable])
async def test_connection_does_not_linger_for_other_errors(error: type[CollabError]) -> None:
    bench = lingering()
    bench.connection.end(error())
    assert isinstance(await bench.ended(), error)


class NothingToWrite:
    """A row producer for a log writer that does not run."""

    def next_row(self) -> None:
        return None

    def row_written(self, outcome: object) -> None:
        raise AssertionError(outcome)

    def row_failed(self, error: CollabError) -> None:
        raise AssertionError(error)


# --- back-pressure --------------------------------------------------------------------------------------


async def test_messages_wait_while_the_log_is_full() -> None:
    bench = Bench(b"one", b"two", persister_queue_bytes_max=1024)
    bench.parts.log_writer.submit(NothingToWrite(), 2000)
    await ticks(5)
    assert bench.conversation.heard == [b"one"]
    bench.parts.log_writer.release(2000)
    await ticks(5)
    assert bench.conversation.heard == [b"one", b"two"]


async def test_messages_wait_while_the_peer_does_not_read() -> None:
    bench = Bench(outbox_bytes_max=64 << 10)
    bench.socket.buffered_bytes = 70_000
    bench.socket.receiver.congested()
    for frame in (b"one", b"two"):
        bench.socket.say(frame)
    await ticks(5)
    assert bench.conversation.heard == [b"one"]
    bench.socket.buffered_bytes = 0
    bench.socket.receiver.drained()
    await ticks(5)
    assert bench.conversation.heard == [b"one", b"two"]
    assert bench.conversation.told == ["congested", "drained"]


async def test_large_answer_that_the_kernel_takes_at_once_holds_nothing_up() -> None:
    bench = Bench(b"one", b"two", outbox_bytes_max=64 << 10)
    bench.socket.buffered_bytes = 70_000
    asyncio.get_running_loop().call_soon(setattr, bench.socket, "buffered_bytes", 0)
    await ticks(5)
    assert bench.conversation.heard == [b"one", b"two"]


async def test_peer_that_takes_too_little_falls_behind_and_is_told_of_once_a_turn() -> None:
    bench = Bench(outbox_bytes_max=64 << 10)
    bench.connection.send(KEEPALIVE)
    bench.socket.receiver.congested()
    bench.socket.buffered_bytes = 64 << 10
    bench.connection.send(KEEPALIVE)
    await ticks(2)
    assert bench.conversation.told == ["congested"]
    bench.socket.buffered_bytes = 70_000
    for _ in range(3):
        bench.connection.send(KEEPALIVE)
    assert bench.conversation.told == ["congested"]
    await ticks(2)
    assert bench.conversation.told == ["congested", "70000 bytes behind"]
    bench.socket.receiver.drained()
    bench.connection.send(KEEPALIVE)
    await ticks(2)
    assert bench.conversation.told == ["congested", "70000 bytes behind", "drained"]


async def test_peer_that_takes_all_in_the_same_turn_has_not_fallen_behind() -> None:
    """Nobody would say again that it has, so it would be sent no more edits."""
    bench = Bench(outbox_bytes_max=64 << 10)
    bench.socket.receiver.congested()
    bench.socket.buffered_bytes = 1 << 20
    bench.connection.send(KEEPALIVE)
    bench.socket.buffered_bytes = 0
    bench.socket.receiver.drained()
    await ticks(2)
    assert bench.conversation.told == ["congested", "drained"]


async def test_what_waits_for_a_slow_peer_is_looked_at_once_a_turn() -> None:
    """A commit may acknowledge thousands of edits at once, and what waits is summed up each time."""
    bench, looks = Bench(), 0

    class Watched(ScriptedSocket):
        @property
        def buffered_bytes(self) -> int:
            nonlocal looks
            looks += 1
            return 0

        @buffered_bytes.setter
        def buffered_bytes(self, _: int) -> None:
            pass

    connection = Connection(Watched(), bench.conversation, bench.parts)
    connection.congested()
    looks = 0
    for _ in range(50):
        connection.send(KEEPALIVE)
    await ticks(2)
    assert looks == 1


async def test_log_forgets_a_connection_that_ends_while_it_waits() -> None:
    bench = Bench(b"one", persister_queue_bytes_max=1024)
    log_writer, heartbeat, gone = bench.parts.log_writer, bench.parts.heartbeat, weakref.ref(bench.connection)
    log_writer.submit(NothingToWrite(), 2000)
    await ticks(5)
    assert bench.conversation.heard == [b"one"]
    bench.socket.receiver.closed(SocketClosed(closed_by_peer(1006)))
    for _ in range(PARTS):
        heartbeat.beat()
    del bench
    gc.collect()
    assert gone() is None
    assert log_writer.is_full


async def test_messages_wait_until_every_reason_is_gone() -> None:
    bench = Bench(b"one")
    bench.connection.pause(Pause.TOKEN)
    bench.connection.pause(Pause.LOG)
    bench.connection.go_on(Pause.TOKEN)
    await ticks(5)
    assert bench.conversation.heard == []
    bench.connection.go_on(Pause.LOG)
    await ticks(5)
    assert bench.conversation.heard == [b"one"]


async def test_going_on_twice_is_nothing() -> None:
    bench = Bench(b"one")
    bench.connection.go_on(Pause.TOKEN)
    await ticks(5)
    assert bench.conversation.heard == [b"one"]


async def test_messages_of_unknown_types_are_bounded() -> None:
    bench = Bench()
    for _ in range(UNKNOWN_MAX):
        bench.connection.count_unknown()
    with pytest.raises(ProtocolError):
        bench.connection.count_unknown()


# --- time -----------------------------------------------------------------------------------------------

KEEPALIVE_FRAME = YWebsocket().encode(KEEPALIVE)


async def test_silent_connection_is_sent_a_keepalive_in_time() -> None:
    bench = Bench(keepalive_s=20, ping_s=100)
    assert bench.parts.heartbeat.period_s == 10
    for keepalives in (1, 1, 2, 2, 3):
        assert bench.connection.beat()
        assert bench.socket.sent == [KEEPALIVE_FRAME] * keepalives


async def test_connection_that_was_sent_something_is_sent_no_keepalive() -> None:
    bench = Bench(keepalive_s=20, ping_s=100)
    for _ in range(3):
        bench.connection.send(Denied("reason"))
        bench.connection.beat()
    assert KEEPALIVE_FRAME not in bench.socket.sent


@pytest.mark.parametrize(("ping_s", "silent_beats"), [(2, 9), (1, 19)])
async def test_keepalive_is_not_sent_as_often_as_pings(ping_s: float, silent_beats: int) -> None:
    bench = Bench(keepalive_s=20, ping_s=ping_s)
    for _ in range(silent_beats - 1):
        bench.connection.beat()
    assert bench.socket.sent == []
    bench.connection.beat()
    assert bench.socket.sent == [KEEPALIVE_FRAME]


async def test_no_keepalive_is_sent_for_no_document() -> None:
    bench = Bench(keepalive_s=20)
    bench.conversation.address = None
    for _ in range(3):
        bench.connection.beat()
    assert bench.socket.sent == []


@pytest.mark.parametrize(("ping_s", "beats_a_ping"), [(20, 2), (100, 10), (5, 1)])
async def test_peer_is_pinged_at_its_interval(ping_s: float, beats_a_ping: int) -> None:
    bench = Bench(keepalive_s=20, ping_s=ping_s)
    for _ in range(3 * beats_a_ping):
        bench.connection.beat()
    assert bench.socket.pings == 3


async def test_closed_connection_is_visited_no_more() -> None:
    bench = Bench()
    bench.socket.hang_up()
    await bench.ended()
    assert not bench.connection.beat()
