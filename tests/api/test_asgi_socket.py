"""The socket over plain ASGI, under uvicorn's own WebSocket class, and where only a web server's words decide."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from collab.api import asgi_socket
from collab.api.asgi_socket import CONGESTED_BYTES, MESSAGES_A_TURN, AsgiSocket
from collab.api.close_codes import CANCELLED, LOST
from collab.errors import PermissionDenied, TooSlow
from collab.protocol.websocket import HEAD_BYTES_MAX, Frame
from tests.api.websocket_server import Recorder, Running, running
from tests.rawsocket import BINARY, CLOSE, TEXT, RawSocket
from tests.waiting import eventually

MIB = 1 << 20


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    """A server with uvicorn's own WebSockets."""
    async with running(websockets="websockets-sansio") as served:
        yield served


async def opened(server: Running, **options: Any) -> tuple[RawSocket, Recorder]:
    """Open a raw socket that a recorder receives."""
    raw = await RawSocket.open(server.port, "/socket", **options)
    return raw, await server.recorder()


async def test_a_client_converses_with_the_receiver(server: Running) -> None:
    async with connect(server.url(), max_size=None) as client:
        recorder = await server.recorder()
        recorder.is_echoing = True
        for size in (0, 1, 70_000):
            await client.send(b"x" * size)
            assert await client.recv() == b"x" * size
    assert await recorder.end() == (1000, "peer", "left")


async def test_texts_and_what_is_too_large_are_told(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.message_bytes_max = 2000
    raw.send(TEXT, b"hello")
    raw.send(BINARY, bytes(2001))
    raw.send(BINARY, bytes(2000))
    raw.send(CLOSE, (4000).to_bytes(2))
    assert await recorder.end() == (4000, "peer", "closed")
    assert recorder.told == ["text", ("oversized", bytes(HEAD_BYTES_MAX)), bytes(2000), "closed"]
    raw.close()


@pytest.mark.parametrize("lose", [RawSocket.close, RawSocket.reset])
async def test_a_lost_connection_is_told(server: Running, lose: Any) -> None:
    raw, recorder = await opened(server)
    lose(raw)
    assert await recorder.end() == (1006, "peer", "lost")
    recorder.socket.write(Frame(b"x"))
    recorder.socket.check_alive()


async def test_a_close_frame_comes_behind_everything_written(server: Running) -> None:
    async with connect(server.url()) as client:
        recorder = await server.recorder()
        recorder.socket.write(Frame(b"last"))
        assert recorder.socket.close(PermissionDenied()).code == 4403
        recorder.socket.close(TooSlow())
        recorder.socket.write(Frame(b"never"))
        assert not recorder.ends, "the end is told later"
        assert await client.recv() == b"last"
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert (client.close_code, client.close_reason) == (4403, PermissionDenied().reason)
    assert await recorder.end() == (4403, "server", "permission-denied")


async def test_no_message_is_delivered_after_a_close(server: Running) -> None:
    raw, recorder = await opened(server)
    received = recorder.received

    def close_at_once(message: bytes) -> None:
        received(message)
        recorder.socket.close(None)

    recorder.received = close_at_once  # type: ignore[method-assign]
    for _ in range(50):
        raw.send(BINARY, b"x")
    assert await recorder.end() == (1000, "server", "")
    assert recorder.messages == [b"x"]
    raw.close()


async def test_a_paused_receiver_gets_the_rest_later(server: Running) -> None:
    raw, recorder = await opened(server)
    recorder.socket.pause()
    for number in range(3):
        raw.send(BINARY, b"%d" % number)
    raw.send(CLOSE, b"")
    await raw.drain()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not recorder.told
    recorder.socket.resume()
    assert not recorder.told, "nothing comes inside of resume"
    assert await recorder.end() == (1005, "peer", "left")
    assert recorder.messages == [b"0", b"1", b"2"]
    raw.close()


async def test_the_receiver_is_told_when_the_peer_takes_nothing_and_when_it_does(server: Running) -> None:
    raw, recorder = await opened(server, buffer_bytes=4096)
    for _ in range(16):
        recorder.socket.write(Frame(bytes(MIB)))
    assert not recorder.told, "it is not told inside of write"
    await eventually(lambda: recorder.told == ["congested"])
    assert recorder.socket.buffered_bytes > CONGESTED_BYTES
    for _ in range(16):
        assert len((await raw.read()).payload) == MIB
    await eventually(lambda: recorder.told == ["congested", "drained"])
    raw.send(CLOSE, b"")
    assert await recorder.end() == (1005, "peer", "left")
    raw.close()


async def test_a_peer_that_does_not_take_our_close_is_dropped(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_socket, "FLUSH_S_MAX", 0.05)
    raw, recorder = await opened(server, buffer_bytes=4096)
    for _ in range(16):
        recorder.socket.write(Frame(bytes(MIB)))
    recorder.socket.close(TooSlow())
    assert await recorder.end() == (1013, "server", "too-slow")
    raw.reset()


# --- the words of a web server --------------------------------------------------------------------------------


class Lost(OSError):
    """The transport is gone."""


async def scripted(*messages: Message, send_fails: bool = False) -> Recorder:
    """Return the recorder of a socket whose web server says this, and then nothing more."""
    waiting: list[Message] = [{"type": "websocket.connect"}, *messages]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        if send_fails and message["type"] != "websocket.accept":
            raise Lost

    websocket = WebSocket({"type": "websocket"}, receive, send)
    await websocket.accept()
    recorder = Recorder(AsgiSocket(websocket, MIB))
    recorder.socket.attach(recorder)
    return recorder


@pytest.mark.parametrize(
    ("message", "ending"),
    [
        ({"code": 1005}, (1006, "peer", "lost")),  # the web server says 1005 of a lost connection, too
        ({"code": 1005, "reason": ""}, (1005, "peer", "left")),
        ({"code": 1000, "reason": "bye"}, (1000, "peer", "left")),
        ({"code": 4000, "reason": "mine"}, (4000, "peer", "closed")),
        ({"code": 1012}, (1012, "server", "draining")),
        ({}, (1006, "peer", "lost")),
    ],
)
async def test_the_end_is_told_from_the_words_of_the_web_server(
    message: dict[str, Any], ending: tuple[int, str, str]
) -> None:
    recorder = await scripted({"type": "websocket.disconnect", **message})
    await recorder.socket.run()
    assert await recorder.end() == ending


@pytest.mark.parametrize("closing", [False, True])
async def test_a_socket_that_cannot_be_written_to_is_lost(monkeypatch: pytest.MonkeyPatch, closing: bool) -> None:
    monkeypatch.setattr(asgi_socket, "FLUSH_S_MAX", 0.05)
    recorder = await scripted(send_fails=True)
    recorder.socket.write(Frame(b"x"))
    if closing:
        recorder.socket.close(PermissionDenied())
    await recorder.socket.run()
    (closed,) = recorder.ends
    assert (closed.ending == LOST) is not closing


async def test_what_the_peer_said_last_counts_for_a_socket_that_cannot_be_written_to() -> None:
    recorder = await scripted({"type": "websocket.disconnect", "code": 1000, "reason": ""}, send_fails=True)
    recorder.socket.write(Frame(b"x"))
    await recorder.socket.run()
    assert await recorder.end() == (1000, "peer", "left")


async def test_a_cancelled_route_tells_so() -> None:
    recorder = await scripted()
    running_socket = asyncio.create_task(recorder.socket.run())
    await asyncio.sleep(0)
    running_socket.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_socket
    assert [each.ending for each in recorder.ends] == [CANCELLED]


async def test_a_flood_of_messages_leaves_turns_to_the_others() -> None:
    recorder = await scripted(*({"type": "websocket.receive", "bytes": b"x"} for _ in range(3 * MESSAGES_A_TURN)))
    running_socket = asyncio.create_task(recorder.socket.run())
    seen = 0
    while seen < 3 * MESSAGES_A_TURN:
        await asyncio.sleep(0)
        assert len(recorder.messages) - seen <= MESSAGES_A_TURN
        seen = len(recorder.messages)
    recorder.socket.close(None)
    await running_socket
