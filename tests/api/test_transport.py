"""HTTP connections of the real server: what it bounds itself, without a proxy in front of it.

What nginx bounds for it is in ``test_nginx.py``; WebSockets are in ``test_websocket.py``, and how they end in
``tests/serve/test_disconnects.py``.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from collab.api.app import create_app
from collab.api.transport import HEAD_BYTES_MAX, server_options
from collab.api.websocket import WebSocketProtocol
from collab.settings import load_settings
from tests.deployment import SECRET, ServerProcess, token
from tests.rawsocket import RawSocket
from tests.socket_client import connect_client
from tests.waiting import eventually

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that waits a second for a body."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), environment={"COLLAB_PREAUTH_S": "1"})
    asyncio.run(server.start())
    yield server
    server.stop()


@asynccontextmanager
async def ending(server: ServerProcess) -> AsyncIterator[RawSocket]:
    """A connection that the server ends; afterwards it holds none, and has logged no traceback."""
    logged = len(server.log)
    raw = await RawSocket.connect(server.port, buffer_bytes=4096)
    yield raw
    await eventually(lambda: not server.connections)
    raw.close()
    assert "Traceback" not in server.log[logged:]


async def read_to_the_end(raw: RawSocket) -> bytes:
    answer = b""
    with suppress(ConnectionError):
        while piece := await raw.read_some(1 << 16):
            answer += piece
    return answer


async def test_connection_left_idle_after_its_answer_is_closed(server: ServerProcess) -> None:
    async with ending(server) as raw:
        raw.write(HEAD + b"\r\n")
        assert (await read_to_the_end(raw)).startswith(b"HTTP/1.1 200 ")


async def write_headers_without_end(raw: RawSocket) -> bytes:
    with suppress(ConnectionError):
        for _ in range(64):
            raw.write(b"X-Long: " + b"x" * HEAD_BYTES_MAX + b"\r\n")
            await raw.drain()
    return await read_to_the_end(raw)


async def test_head_without_an_end_is_refused_before_it_fills_the_memory(server: ServerProcess) -> None:
    async with ending(server) as raw:
        raw.write(HEAD)
        answer = await write_headers_without_end(raw)
        assert answer.startswith(b"HTTP/1.1 400 ") or answer == b"", "a reset may overtake the answer"


async def test_headers_behind_a_body_without_an_end_are_cut_off(server: ServerProcess) -> None:
    """uvicorn logs a traceback for it, since it tries to answer a second time."""
    raw = await RawSocket.connect(server.port)
    raw.write(CHUNKED + b"0\r\n")
    assert (await write_headers_without_end(raw)).count(b"HTTP/1.1 ") <= 1
    await eventually(lambda: not server.connections)
    raw.close()


async def test_malformed_request_is_answered_with_400(server: ServerProcess) -> None:
    async with ending(server) as raw:
        raw.write(b"Hello!\r\n\r\n")
        assert (await read_to_the_end(raw)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("header", [b"Content-Length: 9", b"X-Long: " + b"x" * 9000], ids=["body", "long header"])
async def test_handshake_that_cannot_be_one_is_answered_with_a_problem(server: ServerProcess, header: bytes) -> None:
    async with ending(server) as raw:
        raw.write(UPGRADE + header + b"\r\n\r\n")
        answer = await read_to_the_end(raw)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"application/problem+json" in answer
        assert answer.endswith(b'"detail":"This is not a WebSocket handshake."}')


def posting(path: str) -> bytes:
    return (
        f"POST /api/v1/documents{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('ada')}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()


@pytest.mark.parametrize("path", ["", "/notes/updates"])
async def test_unfinished_body_is_answered_with_408_and_the_connection_closed(server: ServerProcess, path: str) -> None:
    async with ending(server) as raw:
        raw.write(posting(path) + b"Content-Length: 100\r\n\r\n{")
        answer = await read_to_the_end(raw)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert b'"type":"urn:collab:problem:body-overdue"' in answer


@pytest.mark.parametrize("path", ["", "/notes/updates"])
async def test_client_that_leaves_in_the_middle_of_a_body_causes_no_error(server: ServerProcess, path: str) -> None:
    async with ending(server) as raw:
        raw.write(posting(path) + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n{")
        assert (await raw.read_some(1000)).startswith(b"HTTP/1.1 100 "), "the body is being read"
        raw.close()


def test_options_follow_the_settings(tmp_path: Path) -> None:
    settings = load_settings(secret=SECRET, data_dir=tmp_path, ping_s=7, frame_bytes_max=2048)
    options = server_options(create_app(settings))
    assert (options["ws"], options["ws_max_size"]) == (WebSocketProtocol, 2048)


def test_sockets_of_the_web_server_itself_can_be_chosen(tmp_path: Path) -> None:
    settings = load_settings(
        secret=SECRET, data_dir=tmp_path, ping_s=7, frame_bytes_max=2048, websocket_transport="asgi"
    )
    options = server_options(create_app(settings))
    assert options["ws"] == "websockets-sansio"
    assert options["ws_ping_interval"] == options["ws_ping_timeout"] == 7
    assert options["ws_max_size"] > 2048, "what is a little too large is refused with a reason"
    assert options["ws_per_message_deflate"] is False


async def test_sockets_of_the_web_server_itself_serve_clients(tmp_path: Path) -> None:
    server = await ServerProcess(tmp_path, environment={"COLLAB_WEBSOCKET_TRANSPORT": "asgi"}).start()
    async with connect_client(server, "notes", "ada") as ada:
        await ada.type("Hello.")
        await ada.hear_answers()
        async with connect_client(server, "notes", "grace", dialect="hocuspocus") as grace:
            assert grace.text == "Hello."
    assert server.stop() == 0
    assert "Traceback" not in server.log
