"""A WebSocket connection of ours, on real sockets and both event loops, from the handshake to its end.

The frames themselves are tested in ``tests/protocol``, and with Autobahn's cases in ``test_autobahn.py``; how the
server above ends its connections is in ``tests/serve/test_disconnects.py``.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab.api import websocket
from collab.api.asgi_call import AsgiCall
from collab.api.websocket import FRAMES_A_TURN, TRANSITIONS, State
from collab.errors import Draining, PermissionDenied, TooSlow
from collab.protocol.websocket import HEAD_BYTES_MAX, Frame
from tests.api.websocket_server import MESSAGE_BYTES_MAX, Recorder, Running, running
from tests.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket
from tests.waiting import eventually

MIB = 1 << 20


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    """A server on which every connection has ended when the test has."""
    async with running() as served:
        yield served


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No patience with peers that do not end their connection."""
    for name in ("UNTAKEN_S_MAX", "CLOSED_S_MAX", "FLUSH_S_MAX", "LINGER_S_MAX"):
        monkeypatch.setattr(websocket, name, 0.05)


async def opened(server: Running, **options: Any) -> tuple[RawSocket, Recorder]:
    """Open a raw socket that a recorder receives."""
    raw = await RawSocket.open(server.port, "/socket", **options)
    return raw, await server.recorder()


async def leave(raw: RawSocket) -> None:
    """Close as a client should."""
    raw.send(CLOSE, (1000).to_bytes(2))
    assert await raw.read_to_the_end() == 1000
    raw.close()


# --- the handshake --------------------------------------------------------------------------------------


async def test_a_client_of_a_library_converses_with_the_receiver(server: Running) -> None:
    async with connect(server.url(), max_size=None) as client:
        recorder = await server.recorder()
        recorder.is_echoing = True
        for size in (0, 1, 125, 126, 70_000, MESSAGE_BYTES_MAX):
            await client.send(b"x" * size)
            assert await client.recv() == b"x" * size
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers, "nothing is compressed"
    assert await recorder.end() == (1000, "peer", "left")


async def test_the_application_sees_the_request(server: Running) -> None:
    async with connect(server.url("/plain?a=1%20b"), subprotocols=["x", "y"], origin="http://here"):  # type: ignore[arg-type,list-item]
        (scope,) = server.app.scopes
    assert scope["type"] == "websocket"
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/plain", b"/plain", b"a=1%20b")
    assert (scope["scheme"], scope["http_version"], scope["root_path"]) == ("ws", "1.1", "")
    assert scope["server"] == ("127.0.0.1", server.port)
    assert scope["client"][0] == "127.0.0.1"
    assert scope["subprotocols"] == ["x", "y"]
    assert (b"origin", b"http://here") in scope["headers"]
    assert scope["state"] == {"mark": 1}


async def test_a_refused_handshake_is_answered_with_403(server: Running) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await connect(server.url("/refuses"))
    await eventually(lambda: server.app.heard == [{"type": "websocket.disconnect", "code": 1006}])


async def test_a_handshake_may_be_denied_with_any_response(server: Running) -> None:
    with pytest.raises(InvalidStatus) as denied:
        await connect(server.url("/denies"))
    response = denied.value.response
    assert (response.status_code, response.headers["X-Tea"], response.body) == (418, "green", b"no coffee")


@pytest.mark.parametrize("path", ["/silent", "/fails"])
async def test_an_application_that_does_not_answer_is_answered_for(server: Running, path: str) -> None:
    with pytest.raises(InvalidStatus, match="500"):
        await connect(server.url(path))


async def test_an_application_that_fails_later_ends_its_connection(server: Running) -> None:
    async with connect(server.url("/fails_later")) as client:
        recorder = await server.recorder()
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert client.close_code == 1011
    assert await recorder.end() == (1011, "server", "closed")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", b"400"),
        (b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", b"400"),
        (b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"400"),
    ],
)
async def test_a_request_that_is_no_handshake_is_refused(server: Running, head: bytes, status: bytes) -> None:
    raw = await RawSocket.connect(server.port)
    raw.write(b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + head + b"\r\n")
    assert (await raw.read_some(1000)).startswith(b"HTTP/1.1 " + status)
    raw.close()
    assert not server.app.scopes


async def test_nothing_of_the_call_stays_once_somebody_receives(server: Running) -> None:
    raw, _ = await opened(server)
    await eventually(lambda: not server.state.tasks)
    server.app.scopes.clear()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, AsgiCall)]
    (connection,) = server.connections
    assert not hasattr(connection, "__dict__")
    await leave(raw)


async def test_nothing_is_read_before_somebody_receives(server: Running) -> None:
    server.app.attach.clear()
    raw = await RawSocket.open(server.port, "/socket")
    raw.send(BINARY, b"early")
    raw.send(CLOSE, b"")
    await raw.drain()
    (connection,) = server.connections
    assert connection._transport.is_reading() is False
    server.app.attach.set()
    recorder = await server.recorder()
    assert await recorder.end() == (1005, "peer", "left")
    assert recorder.messages == [b"early"]
    raw.close()


async def test_a_receiver_that_comes_too_late_is_told_of_the_end(server: Running) -> None:
    server.app.attach.clear()
    raw = await RawSocket.open(server.port, "/socket")
    (connection,) = server.connections
    connection._transport.abort()
    await eventually(lambda: not server.connections)
    server.app.attach.set()
    assert await (await server.recorder()).end() == (1006, "peer", "lost")
    raw.close()


# --- an application that knows plain ASGI only ----------------------------------------------------------


async def test_a_plain_application_gets_texts_and_bytes_in_order(server: Running) -> None:
    async with connect(server.url("/plain")) as client:
        for message in (b"bytes", "text", b"", "é"):
            await client.send(message)
        assert [await client.recv() for _ in range(4)] == [b"bytes", "text", b"", "é"]
    await eventually(lambda: server.app.heard[4:])
    assert server.app.heard[4] == {"type": "websocket.disconnect", "code": 1000, "reason": ""}


async def test_a_plain_application_is_told_of_a_lost_connection(server: Running) -> None:
    raw = await RawSocket.open(server.port, "/plain")
    raw.close()
    await eventually(lambda: server.app.heard == [{"type": "websocket.disconnect", "code": 1006}])


async def test_a_plain_application_may_close(server: Running) -> None:
    async with connect(server.url("/closes")) as client:
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert (client.close_code, client.close_reason) == (4001, "enough")
    await eventually(lambda: server.app.heard)
    assert server.app.heard[0]["type"] == "websocket.disconnect"


async def test_a_plain_application_that_returns_has_closed(server: Running) -> None:
    async with connect(server.url("/returns"), subprotocols=["a", "b"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "b"
        assert client.response is not None
        assert client.response.headers["X-More"] == "1"
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert client.close_code == 1000


async def test_a_message_too_large_for_a_plain_application_closes(server: Running) -> None:
    async with connect(server.url("/plain")) as client:
        await client.send(b"x" * (MESSAGE_BYTES_MAX + 1))
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert client.close_code == 1009


async def test_a_plain_application_waits_for_a_peer_that_does_not_read(server: Running) -> None:
    raw = await RawSocket.open(server.port, "/plain", buffer_bytes=4096)
    for _ in range(24):
        raw.send(BINARY, b"x" * MIB)
    await asyncio.wait({asyncio.create_task(raw.drain())}, timeout=0.5)
    assert len(server.app.heard) < 24
    for _ in range(24):
        assert len((await raw.read()).payload) == MIB
    await leave(raw)


# --- reading ----------------------------------------------------------------------------------------------


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        self._handle.cancel()


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    counting = Turns()
    yield counting
    counting.stop()


async def test_a_flood_of_messages_leaves_turns_to_the_others(server: Running, turns: Turns) -> None:
    raw, recorder = await opened(server)
    seen: list[int] = []
    recorder.received = lambda message: seen.append(turns.count)  # type: ignore[method-assign]
    for _ in range(1000):
        raw.send(BINARY, b"x")
    await eventually(lambda: len(seen) == 1000)
    assert max(seen.count(turn) for turn in set(seen)) <= FRAMES_A_TURN
    await leave(raw)


@pytest.mark.usefixtures("hurry")
async def test_a_flood_of_messages_rests_between_its_turns(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "REST_S", 3600)
    raw, recorder = await opened(server)
    raw.write(b"\x82\x81\0\0\0\0x" * 1000)
    await eventually(lambda: len(recorder.messages) >= FRAMES_A_TURN)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(recorder.messages) == FRAMES_A_TURN
    server.connections[0]._transport.abort()
    await recorder.end()
    raw.close()


async def test_empty_parts_leave_turns_to_the_others(server: Running, turns: Turns) -> None:
    raw, recorder = await opened(server)
    seen: list[int] = []
    recorder.received = lambda message: seen.append(turns.count)  # type: ignore[method-assign]
    raw.send(BINARY, b"first")
    raw.send(BINARY, b"", is_last=False)
    for _ in range(1000):
        raw.send(CONTINUATION, b"", is_last=False)
    raw.send(CONTINUATION, b"")
    await eventually(lambda: len(seen) == 2)
    assert seen[1] - seen[0] >= 1000 // FRAMES_A_TURN
    await leave(raw)


async def test_a_paused_receiver_gets_the_rest_later(server: Running) -> None:
    raw, recorder = await opened(server)
    received = recorder.received

    def receive_one(message: bytes) -> None:
        received(message)
        recorder.socket.pause()

    recorder.received = receive_one  # type: ignore[method-assign]
    for number in range(5):
        raw.send(BINARY, b"%d" % number)
    await raw.drain()
    for count in range(1, 6):
        await eventually(partial(has_received, recorder, count))
        await asyncio.sleep(0)
        recorder.socket.resume()
        assert len(recorder.messages) == count, "nothing comes inside of resume"
    assert recorder.messages == [b"0", b"1", b"2", b"3", b"4"]
    await leave(raw)


def has_received(recorder: Recorder, count: int) -> bool:
    return len(recorder.messages) == count


async def test_a_text_is_told_without_its_content(server: Running) -> None:
    raw, recorder = await opened(server)
    raw.send(TEXT, b"hello")
    raw.send(BINARY, b"after")
    await eventually(lambda: recorder.told == ["text", b"after"])
    await leave(raw)


async def test_an_oversized_message_is_told_and_the_next_one_read(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.message_bytes_max = 2000
    raw.send(BINARY, bytes(8 * MIB))
    raw.send(BINARY, b"after")
    await eventually(lambda: recorder.told == [("oversized", bytes(HEAD_BYTES_MAX)), b"after"])
    recorder.socket.message_bytes_max = 3000
    raw.send(BINARY, bytes(3000))
    await eventually(lambda: recorder.messages[1:] == [bytes(3000)])
    await leave(raw)


async def test_pings_are_answered_in_order(server: Running) -> None:
    raw, _ = await opened(server)
    for number in range(10):
        raw.send(PING, b"%d" % number)
    heard = [await raw.read() for _ in range(10)]
    assert [(frame.opcode, frame.payload) for frame in heard] == [(PONG, b"%d" % number) for number in range(10)]
    await leave(raw)


# --- writing ----------------------------------------------------------------------------------------------


async def congest(raw: RawSocket, recorder: Recorder) -> int:
    """Write until the peer, which does not read, takes nothing more. Return the number of bytes."""
    written = 0
    while "congested" not in recorder.told:
        recorder.socket.write(Frame(b"x" * MIB))
        written += MIB
        assert "congested" not in recorder.told, "it is not told inside of write"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert written < 100 * MIB
    return written


async def test_the_receiver_is_told_when_the_peer_takes_nothing_and_when_it_does(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    written = await congest(raw, recorder)
    assert recorder.socket.buffered_bytes > 0
    for _ in range(written // MIB):
        await raw.read()
    await eventually(lambda: recorder.told[-1] == "drained")
    assert recorder.told.count("congested") == recorder.told.count("drained")
    assert recorder.socket.buffered_bytes == 0
    await leave(raw)


async def test_only_the_last_ping_of_a_peer_that_takes_nothing_is_answered(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    written = await congest(raw, recorder)
    waiting = recorder.socket.buffered_bytes
    for number in range(1000):
        raw.send(PING, b"%d" % number)
    raw.send(BINARY, b"done")
    await eventually(lambda: recorder.messages == [b"done"])
    assert recorder.socket.buffered_bytes <= waiting
    heard = [await raw.read() for _ in range(written // MIB + 1)]
    assert [frame.payload for frame in heard if frame.opcode == PONG] == [b"999"]
    await leave(raw)


# --- is the peer still there? -------------------------------------------------------------------------------


async def test_a_peer_that_answers_stays(server: Running) -> None:
    raw, recorder = await opened(server)
    for _ in range(3):
        recorder.socket.check_alive()
        assert (await raw.read()).opcode == PING
        raw.send(PONG, b"")
        raw.send(BINARY, b"x")
        await eventually(lambda: recorder.messages)
        recorder.told.clear()
    await leave(raw)


async def test_a_peer_that_does_not_answer_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.check_alive()
    assert (await raw.read()).opcode == PING
    recorder.socket.check_alive()
    assert await recorder.end() == (1006, "server", "no-pong")
    assert await raw.read_to_the_end() == 1006
    raw.close()


async def test_a_peer_is_not_dropped_while_we_do_not_read_its_answer(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.pause()
    recorder.socket.check_alive()
    assert (await raw.read()).opcode == PING
    raw.send(PONG, b"")
    await raw.drain()
    recorder.socket.check_alive()
    recorder.socket.resume()
    raw.send(BINARY, b"x")
    await eventually(lambda: recorder.messages)
    await leave(raw)


async def test_a_slow_peer_is_not_taken_for_a_dead_one(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    written = await congest(raw, recorder)
    for _ in range(written // MIB):
        recorder.socket.check_alive()
        await raw.read()
    assert (await raw.read()).opcode == PING
    raw.send(PONG, b"")
    raw.send(BINARY, b"x")
    await eventually(lambda: recorder.messages)
    await leave(raw)


async def test_a_peer_that_takes_nothing_more_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    await congest(raw, recorder)
    recorder.socket.check_alive()
    recorder.socket.check_alive()
    assert await recorder.end() == (1006, "server", "no-pong")
    raw.close()


# --- the peer ends it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "answer", "ending"),
    [
        (b"", 1005, (1005, "peer", "left")),
        ((1001).to_bytes(2) + b"bye", 1001, (1001, "peer", "left")),
        ((4000).to_bytes(2), 4000, (4000, "peer", "closed")),
    ],
)
async def test_a_close_frame_is_answered_and_ends_the_connection(
    server: Running, payload: bytes, answer: int, ending: tuple[int, str, str]
) -> None:
    raw, recorder = await opened(server)
    raw.send(BINARY, b"last")
    raw.send(CLOSE, payload)
    raw.send(BINARY, b"too late")
    assert await raw.read_to_the_end() == answer
    assert await recorder.end() == ending
    assert recorder.messages == [b"last"]
    raw.close()


@pytest.mark.parametrize("lose", [RawSocket.close, RawSocket.reset])
async def test_a_lost_connection_is_told(server: Running, lose: Any) -> None:
    raw, recorder = await opened(server)
    raw.send(BINARY, b"last")
    await eventually(lambda: recorder.messages == [b"last"])
    lose(raw)
    assert await recorder.end() == (1006, "peer", "lost")


async def test_an_unfinished_message_goes_with_its_connection(server: Running) -> None:
    """The object that it is part of is kept for some seconds, until everybody has noticed that it is closed."""
    raw, recorder = await opened(server)
    reader = server.connections[0]._reader
    raw.write(b"\x82\xff" + (MESSAGE_BYTES_MAX - 1).to_bytes(8) + bytes(4) + bytes(MESSAGE_BYTES_MAX // 2))
    await eventually(lambda: len(reader._message or b"") == MESSAGE_BYTES_MAX // 2)
    raw.close()
    await recorder.end()
    assert reader._message is None


async def lost_while_paused(server: Running) -> Recorder:
    """Return a paused recorder whose connection is lost after its messages were read."""
    raw, recorder = await opened(server)
    received = recorder.received

    def receive_one(message: bytes) -> None:
        received(message)
        recorder.socket.pause()

    recorder.received = receive_one  # type: ignore[method-assign]
    raw.write(b"".join(b"\x82\x81\0\0\0\0" + each for each in (b"1", b"2", b"3")))
    await eventually(lambda: recorder.messages)
    server.connections[0]._transport.abort()
    await eventually(lambda: not server.connections)
    raw.close()
    return recorder


async def test_what_was_read_before_the_end_is_told_before_it(server: Running) -> None:
    recorder = await lost_while_paused(server)
    for _ in range(3):
        assert not recorder.ends
        recorder.socket.resume()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await recorder.end() == (1006, "peer", "lost")
    assert recorder.messages == [b"1", b"2", b"3"]


@pytest.mark.usefixtures("hurry")
async def test_a_receiver_that_stays_paused_is_told_of_the_end_all_the_same(server: Running) -> None:
    recorder = await lost_while_paused(server)
    assert await recorder.end() == (1006, "peer", "lost")
    assert recorder.messages == [b"1"]


# --- we end it -------------------------------------------------------------------------------------------------


async def test_a_close_frame_comes_behind_everything_written(server: Running) -> None:
    async with connect(server.url()) as client:
        recorder = await server.recorder()
        recorder.socket.write(Frame(b"last"))
        ending = recorder.socket.close(PermissionDenied())
        recorder.socket.write(Frame(b"never"))
        assert not recorder.ends, "the end is told later"
        assert await client.recv() == b"last"
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert client.close_code == ending.code == 4403
    assert client.close_reason == PermissionDenied().reason
    assert await recorder.end() == (4403, "server", "permission-denied")


async def test_no_message_is_delivered_after_a_close(server: Running) -> None:
    raw, recorder = await opened(server)
    received = recorder.received

    def close_at_once(message: bytes) -> None:
        received(message)
        recorder.socket.close(None)
        recorder.socket.pause()

    recorder.received = close_at_once  # type: ignore[method-assign]
    for _ in range(50):
        raw.send(BINARY, b"x")
    assert (await raw.read()).close_code == 1000
    raw.send(TEXT, b"\xff")
    raw.send(BINARY, bytes(3 * MIB))
    raw.send(CLOSE, (1000).to_bytes(2))
    assert await raw.read_to_the_end() == 1006, "TCP ends, without a second close frame"
    assert await recorder.end() == (1000, "server", "")
    assert recorder.messages == [b"x"]
    raw.close()


async def test_a_connection_closes_once(server: Running) -> None:
    async with connect(server.url()) as client:
        recorder = await server.recorder()
        recorder.socket.close(TooSlow())
        assert recorder.socket.close(PermissionDenied()).code == 4403
        await client.wait_closed()
        assert client.close_code == 1013
    assert await recorder.end() == (1013, "server", "too-slow")
    recorder.socket.close(None)
    recorder.socket.write(Frame(b"x"))
    recorder.socket.check_alive()
    recorder.socket.pause()
    recorder.socket.resume()


@pytest.mark.usefixtures("hurry")
async def test_a_peer_that_does_not_answer_our_close_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.close(Draining())
    assert (await raw.read()).close_code == 1012
    assert await raw.read_to_the_end() == 1006
    assert await recorder.end() == (1012, "server", "draining")
    raw.close()


@pytest.mark.usefixtures("hurry")
async def test_a_peer_that_does_not_take_our_close_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    await congest(raw, recorder)
    recorder.socket.close(TooSlow())
    assert await recorder.end() == (1013, "server", "too-slow")
    raw.close()


@pytest.mark.usefixtures("hurry")
async def test_a_peer_that_closes_and_takes_nothing_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    await congest(raw, recorder)
    raw.send(CLOSE, (1000).to_bytes(2))
    assert await recorder.end() == (1000, "peer", "left")
    await eventually(lambda: not server.connections)
    raw.close()


async def test_a_peer_that_floods_instead_of_closing_is_not_read_for_ever(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "TURNS_TO_CLOSE_MAX", 4)
    raw, recorder = await opened(server)
    recorder.socket.close(PermissionDenied())
    assert (await raw.read()).close_code == 4403
    for _ in range(10_000):
        raw.send(BINARY, b"")
    assert await raw.read_to_the_end() == 1006
    assert await recorder.end() == (4403, "server", "permission-denied")
    raw.close()


# --- the peer is at fault -----------------------------------------------------------------------------------


async def test_a_peer_that_breaks_the_protocol_is_told_so_although_it_goes_on(server: Running) -> None:
    raw, recorder = await opened(server)
    raw.send(BINARY, b"good")
    raw.send(BINARY, b"bad", masked=False)
    for _ in range(64):
        raw.send(BINARY, bytes(64 << 10))
    assert (await raw.read()).close_code == 1002
    assert await recorder.end() == (1002, "server", "protocol-error")
    assert recorder.messages == [b"good"]
    await raw.drain()
    assert await raw.read_to_the_end() == 1006
    raw.close()


async def test_a_text_that_is_no_utf8_is_refused(server: Running) -> None:
    raw, recorder = await opened(server)
    raw.send(TEXT, b"\xff")
    assert await raw.read_to_the_end() == 1007
    assert await recorder.end() == (1007, "server", "protocol-error")
    raw.close()


@pytest.mark.usefixtures("hurry")
async def test_a_peer_at_fault_that_stays_is_dropped(server: Running) -> None:
    raw, recorder = await opened(server)
    raw.send(BINARY, b"bad", masked=False)
    assert (await raw.read()).close_code == 1002
    assert await recorder.end() == (1002, "server", "protocol-error")
    await eventually(lambda: not server.connections)
    raw.close()


# --- the server stops -----------------------------------------------------------------------------------------


async def test_a_stopping_server_ends_connections_in_every_state(server: Running) -> None:
    raw, recorder = await opened(server)
    raw_closing, closing = await opened(server)
    server.app.attach.clear()
    accepted = await RawSocket.open(server.port, "/socket")
    closing.socket.close(None)
    for connection in server.connections:
        connection.shutdown()
    server.app.attach.set()
    for each in (raw, accepted):
        assert (await each.read()).close_code == 1012
        each.send(CLOSE, (1012).to_bytes(2))
    assert await raw_closing.read_to_the_end() == 1000
    for ended in (recorder, await server.recorder()):
        assert await ended.end() == (1012, "server", "draining")
    for each in (raw, raw_closing, accepted):
        each.close()


def reachable(state: State) -> Iterator[State]:
    yield state
    for following in TRANSITIONS[state]:
        yield from reachable(following)


def test_every_state_leads_to_the_end() -> None:
    assert set(TRANSITIONS) == set(reachable(State.HANDSHAKE)) == set(State)
    assert all(State.LOST in reachable(state) for state in State)
