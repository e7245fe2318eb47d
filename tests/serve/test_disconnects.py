"""Every way in which a connection ends: the close code, the log line and the metrics; and nothing is left behind.

Most tests share two real servers: one with long timeouts, and one with short ones.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.access.roles import Role
from collab.api.close_codes import close_code_label
from collab.serve.hocuspocus import CLOSE_FRAME
from tests.deployment import ServerProcess, token
from tests.frames import AUTH, STEP1, SYNC, TOKEN, UPDATE, DialectName, encode_frame
from tests.metering import Scrape, scrape
from tests.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket
from tests.socket_client import connect_client
from tests.waiting import eventually

DIALECTS: tuple[DialectName, ...] = ("y-websocket", "hocuspocus")
STRICT = {
    "COLLAB_PREAUTH_FRAMES_MAX": "20",
    "COLLAB_PREAUTH_BYTES_MAX": "65536",
    "COLLAB_PREAUTH_DOCUMENTS_MAX": "5",
    "COLLAB_FRAME_BYTES_MAX": str(1 << 20),
}
HURRIED = {"COLLAB_PREAUTH_S": "1", "COLLAB_PING_S": "1"}
HELLO = encode_frame(SYNC, STEP1, b"\0")
"""I have nothing."""
QUERY_AWARENESS = b"\x03"


def serving(directory: Path, environment: dict[str, str]) -> Iterator[ServerProcess]:
    server = ServerProcess(directory, environment=environment)
    asyncio.run(server.start())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Patient, and strict."""
    yield from serving(tmp_path_factory.mktemp("server"), STRICT)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with timeouts of a second or two."""
    yield from serving(tmp_path_factory.mktemp("hurried"), HURRIED)


def lines(server: ServerProcess, event: str) -> list[dict[str, Any]]:
    """Return the log lines of this event so far, without a last line that may be incomplete."""
    whole = server.log.rpartition("\n")[0]
    said = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [line for line in said if line["event"] == event]


def closed(server: ServerProcess) -> list[dict[str, Any]]:
    """Return the log lines of closed connections, except those of Grace, who only keeps a room open."""
    return [line for line in lines(server, "socket_closed") if line["user"] != "grace"]


def counted_closed(scraped: Scrape, line: dict[str, Any]) -> float:
    labels = {"dialect": line["dialect"], "code": close_code_label(line["code"]), "by": line["by"]}
    return scraped("sockets_closed_total", **labels)


@asynccontextmanager
async def ending(server: ServerProcess, **fields: Any) -> AsyncIterator[dict[str, Any]]:
    """Assert that one connection ends in this block, logged once with ``fields``, and that the server still works."""
    before, told = await scrape(server.port), len(closed(server))
    yield fields
    await eventually(lambda: len(closed(server)) > told)
    await eventually(lambda: is_deserted(server))
    (line,) = closed(server)[told:]
    assert {name: line[name] for name in fields} == fields
    after = await scrape(server.port)
    assert counted_closed(after, line) == counted_closed(before, line) + 1
    async with connect_client(server, "afterwards", "grace") as grace:
        await grace.type("The server goes on.")
        await grace.hear_answers()
    await eventually(lambda: is_deserted(server))


async def is_deserted(server: ServerProcess) -> bool:
    """Return True if the server has no session, no WebSocket and no established TCP connection."""
    now = await scrape(server.port)
    unused = all(now(name, dialect=dialect) == 0 for dialect in DIALECTS for name in ("sessions", "sockets"))
    return unused and not server.connections


def joining(dialect: DialectName, document: str) -> tuple[str, list[bytes]]:
    """Return the path and the first frames with which a client of this dialect opens a document."""
    if dialect == "y-websocket":
        return f"/ws/{document}?token={token('ada')}", []
    return "/ws", [encode_frame(AUTH, TOKEN, token("ada").encode(), document=document)]


async def read_binary(raw: RawSocket) -> bytes:
    while (frame := await raw.read()).opcode == PING:
        pass
    assert frame.opcode == BINARY
    return frame.payload


async def raw_in(server: ServerProcess, dialect: DialectName, document: str, **options: Any) -> RawSocket:
    """Open a raw socket with a session in the room of the document."""
    target, greetings = joining(dialect, document)
    raw = await RawSocket.open(server.port, target, **options)
    for greeting in greetings:
        raw.send(BINARY, greeting)

    async def is_in() -> bool:
        return (await scrape(server.port))("sessions", dialect=dialect) > 0

    await eventually(is_in)
    return raw


# --- the peer ends it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("code", "label", "reason"),
    [(1000, 1000, "left"), (1001, 1001, "left"), (None, 1005, "left"), (4000, 4000, "closed")],
)
async def test_close_by_the_client_is_logged_with_its_code(
    server: ServerProcess, dialect: DialectName, code: int | None, label: int, reason: str
) -> None:
    expected = {"dialect": dialect, "by": "peer", "code": label, "reason": reason, "document": "closing", "user": "ada"}
    async with ending(server, **expected, documents=1):
        raw = await raw_in(server, dialect, "closing")
        raw.send(CLOSE, b"" if code is None else code.to_bytes(2) + b"the words of the client")
        assert await raw.read_to_the_end() == label
        raw.close()
    assert "the words of the client" not in server.log


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("lose", [RawSocket.close, RawSocket.reset])
async def test_connection_without_a_close_frame_is_logged_as_lost(
    server: ServerProcess, dialect: DialectName, lose: Callable[[RawSocket], None]
) -> None:
    async with ending(server, dialect=dialect, code=1006, by="peer", reason="lost", document="lost", user="ada"):
        lose(await raw_in(server, dialect, "lost"))


async def test_traffic_is_counted_in_frames_and_bytes(server: ServerProcess) -> None:
    async with ending(server, dialect="y-websocket", frames_in=1, bytes_in=len(HELLO), frames_out=2) as line:
        raw = await raw_in(server, "y-websocket", "counted")
        raw.send(BINARY, HELLO)
        answers = [await read_binary(raw) for _ in range(2)]
        line["bytes_out"] = sum(map(len, answers))
        raw.close()


# --- a lost peer, and one that does not read -----------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_peer_that_answers_no_ping_is_disconnected(hurried: ServerProcess, dialect: DialectName) -> None:
    async with ending(hurried, dialect=dialect, code=1006, by="server", reason="no-pong", document="half-open"):
        raw = await raw_in(hurried, dialect, "half-open")
        assert await raw.read_to_the_end() == 1006
        raw.close()


async def test_peer_that_answers_pings_stays(hurried: ServerProcess) -> None:
    async with ending(hurried, code=1000, by="peer"):
        raw = await raw_in(hurried, "y-websocket", "alive")
        for _ in range(4):
            while (frame := await raw.read()).opcode != PING:
                pass
            raw.send(PONG, frame.payload)
        raw.send(CLOSE, (1000).to_bytes(2))
        assert await raw.read_to_the_end() == 1000
        raw.close()


PIECES, PIECE_BYTES = 12, 1_000_000
"""Together more than the kernel buffers for a peer that does not read."""


async def fill(server: ServerProcess, document: str, piece_bytes: int = PIECE_BYTES) -> None:
    """Somebody writes much."""
    async with connect_client(server, document, "grace") as grace:
        for _ in range(PIECES * PIECE_BYTES // piece_bytes):
            await grace.type("x" * piece_bytes)
            await grace.hear_answers()


async def asked_for_all(server: ServerProcess, document: str) -> RawSocket:
    """In the room, and sent everything; takes nothing from the kernel until it reads."""
    raw = await raw_in(server, "y-websocket", document, buffer_bytes=4096)
    raw.send(BINARY, HELLO)
    return raw


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that lets little wait for a connection, for a short time, and pings seldom."""
    server = ServerProcess(tmp_path, environment={"COLLAB_OUTBOX_BYTES_MAX": "65536", "COLLAB_LAG_S_MAX": "0.5"})
    yield await server.start()
    server.stop()


async def test_peer_lost_while_much_is_unsent_is_disconnected(hurried: ServerProcess) -> None:
    """uvicorn alone would wait for ever until everything is written."""
    await fill(hurried, "vanished")
    await eventually(lambda: is_deserted(hurried))
    async with ending(hurried, code=1006, by="server", reason="no-pong", document="vanished"):
        raw = await asked_for_all(hurried, "vanished")
        await eventually(lambda: is_deserted(hurried))  # though the far side still holds it open
        raw.close()


async def test_peer_that_loads_slowly_is_not_taken_for_lost(hurried: ServerProcess) -> None:
    await fill(hurried, "slowly")
    await eventually(lambda: is_deserted(hurried))
    async with ending(hurried, code=1000, by="peer", reason="left"):
        raw = await asked_for_all(hurried, "slowly")
        raw.pause_s = 0.025  # five seconds for the document, behind which the ping waits
        await read_binary(raw)
        assert len(await read_binary(raw)) > PIECES * PIECE_BYTES
        raw.send(BINARY, QUERY_AWARENESS)
        while (frame := await raw.read()).opcode == PING:
            raw.send(PONG, frame.payload)
        assert frame.opcode == BINARY
        raw.send(CLOSE, (1000).to_bytes(2))
        assert await raw.read_to_the_end() == 1000
        raw.close()


async def test_pings_of_a_peer_that_reads_nothing_cost_no_memory(
    server: ServerProcess,
) -> None:
    pings = 150_000
    async with ending(server, code=1000, by="peer", document="pings"):
        raw = await raw_in(server, "y-websocket", "pings", buffer_bytes=4096)
        for number in range(pings):
            raw.send(PING, number.to_bytes(4) + b"x" * 121)
            if number % 1000 == 0:
                await raw.drain()
        await raw.drain()
        heard = [await raw.read()]
        while heard[-1].payload[:4] != (pings - 1).to_bytes(4):
            heard.append(await raw.read())
        assert {frame.opcode for frame in heard} - {BINARY} == {PONG}, "beside a keepalive"
        assert len(heard) < pings
        raw.send(CLOSE, (1000).to_bytes(2))
        assert await raw.read_to_the_end() == 1000
        raw.close()


async def test_message_in_many_parts_some_empty_is_one_message(server: ServerProcess) -> None:
    async with ending(server, code=1000, by="peer", frames_in=1, bytes_in=len(HELLO)):
        raw = await raw_in(server, "y-websocket", "parts")
        raw.send(BINARY, HELLO[:1], is_last=False)
        for part in (b"", HELLO[1:3], *[b""] * 10_000):
            raw.send(CONTINUATION, part, is_last=False)
        raw.send(PING, b"between")
        raw.send(CONTINUATION, HELLO[3:])
        assert [(await raw.read()).opcode for _ in range(3)] == [PONG, BINARY, BINARY]
        raw.send(CLOSE, (1000).to_bytes(2))
        assert await raw.read_to_the_end() == 1000
        raw.close()


async def test_peer_that_does_not_read_is_closed_and_others_go_on(patient: ServerProcess) -> None:
    async with ending(patient, code=1013, by="server", reason="too-slow", document="frozen", user="ada"):
        raw = await raw_in(patient, "y-websocket", "frozen", buffer_bytes=4096)
        raw.send(BINARY, HELLO)
        await fill(patient, "frozen", 100_000)
        await eventually(lambda: is_deserted(patient))  # though the far side still holds it open
        assert (await scrape(patient.port))("outbox_overflows_total") == 1
        raw.close()


# --- the server ends it -----------------------------------------------------------------------------------------

GARBAGE = b"\x03\xff\xff\xff"
"""A malformed update, after its length."""


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("opcode", "payload", "code", "reason"),
    [
        (BINARY, b"\xff", 4422, "protocol-error"),
        (TEXT, b"hello", 1003, "protocol-error"),
    ],
)
async def test_malformed_message_closes_the_connection(
    server: ServerProcess, dialect: DialectName, opcode: int, payload: bytes, code: int, reason: str
) -> None:
    async with ending(server, dialect=dialect, code=code, by="server", reason=reason, document="nonsense"):
        raw = await raw_in(server, dialect, "nonsense")
        raw.send(opcode, payload)
        assert await raw.read_to_the_end() == code
        raw.close()


async def test_refused_update_closes_a_y_websocket_connection(server: ServerProcess) -> None:
    async with ending(server, code=4422, by="server", reason="update-refused", document="refused"):
        raw = await raw_in(server, "y-websocket", "refused")
        raw.send(BINARY, b"\x00\x02" + GARBAGE)
        assert await raw.read_to_the_end() == 4422
        raw.close()
    assert (await scrape(server.port))("updates_refused_total") == 1


async def test_refusal_in_one_of_several_documents_keeps_the_socket(server: ServerProcess) -> None:
    async with ending(server, dialect="hocuspocus", code=1000, by="peer", reason="left", documents=1):
        raw = await raw_in(server, "hocuspocus", "refused")
        raw.send(BINARY, encode_frame(SYNC, UPDATE, GARBAGE[1:], document="refused"))
        while b"\x02\x01" not in await read_binary(raw):  # until the document is denied
            pass
        assert (await scrape(server.port))("sessions", dialect="hocuspocus") == 0
        assert [line["address"] for line in lines(server, "denied")] == ["refused"]
        raw.send(CLOSE, (1000).to_bytes(2))
        assert await raw.read_to_the_end() == 1000
        raw.close()


@pytest.mark.parametrize(
    ("frame", "masked", "code", "reason"),
    [(b"x", False, 1002, "protocol-error"), (b"x" * (3 << 20), True, 4422, "too-large")],
)
async def test_malformed_or_huge_frame_closes_the_connection(
    server: ServerProcess, frame: bytes, masked: bool, code: int, reason: str
) -> None:
    async with ending(server, code=code, by="server", reason=reason):
        raw = await raw_in(server, "y-websocket", "frames")
        raw.send(BINARY, frame, masked=masked)
        assert await raw.read_to_the_end() == code
        raw.close()


@pytest.mark.parametrize(
    ("target", "code", "reason", "document", "user"),
    [
        ("/ws/notes", 4401, "token-missing", "notes", None),
        ("/ws/notes?token=worthless", 4401, "token-malformed", "notes", None),
        (f"/ws/notes?token={token('eve', {'other': Role.OWNER})}", 4403, "permission-denied", "notes", "eve"),
        (f"/ws/a/../b?token={token('eve')}", 4404, "invalid-name", None, None),
    ],
)
async def test_denied_client_gets_a_close_code(
    server: ServerProcess, target: str, code: int, reason: str, document: str | None, user: str | None
) -> None:
    async with ending(server, code=code, by="server", reason=reason, document=document, user=user):
        async with connect(f"ws://127.0.0.1:{server.port}{target}") as socket:
            await socket.wait_closed()
        assert socket.close_code == code


async def test_a_page_of_another_site_is_refused_at_the_handshake(server: ServerProcess) -> None:
    told = len(closed(server))
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(server.url("notes", "ada"), origin="https://elsewhere.example"):  # type: ignore[arg-type]
            pass
    await eventually(lambda: is_deserted(server))
    said = [(line["level"], line["origin"], line["setting"]) for line in lines(server, "origin_refused")]
    assert said == [("warning", "https://elsewhere.example", "COLLAB_ALLOWED_ORIGINS")]
    assert len(closed(server)) == told
    assert (await scrape(server.port))("sockets_refused_total", reason="origin") == 1


# --- before authentication --------------------------------------------------------------


async def test_silent_client_is_closed_as_not_authenticated(hurried: ServerProcess) -> None:
    async with ending(
        hurried, dialect="hocuspocus", code=4401, by="server", reason="not-authenticated", frames_in=0, frames_out=1
    ):
        async with connect(hurried.hocuspocus_url) as socket:
            await socket.wait_closed()
        assert socket.close_code == 4401


@pytest.mark.parametrize(
    "frames",
    [
        [encode_frame(SYNC, UPDATE, b"\0\0", document="early")] * 21,
        [encode_frame(SYNC, UPDATE, b"x" * 40_000, document="early")] * 2,
        [encode_frame(SYNC, STEP1, b"\0", document=f"early-{number}") for number in range(6)],
    ],
    ids=["frames", "bytes", "documents"],
)
async def test_frames_before_the_token_are_bounded(server: ServerProcess, frames: list[bytes]) -> None:
    async with ending(server, dialect="hocuspocus", code=1013, by="server", reason="overloaded", documents=0):
        async with connect(server.hocuspocus_url) as socket:
            for frame in frames[:-1]:
                await socket.send(frame)
            await (await socket.ping())  # the server has received all of it, and still accepts it
            await socket.send(frames[-1])
            await socket.wait_closed()
        assert socket.close_code == 1013


# --- the end of the server, and of this module ---------------------------------------------------------


async def test_stopping_server_tells_every_client(tmp_path: Path) -> None:
    server = await ServerProcess(tmp_path).start()
    raws = [await raw_in(server, dialect, "drained") for dialect in DIALECTS]
    raws.append(silent := await RawSocket.open(server.port, "/ws"))
    stopping = asyncio.create_task(asyncio.to_thread(server.stop))
    assert (await silent.read()).payload == CLOSE_FRAME, "a provider without any frame would reconnect many times"
    assert [await raw.read_to_the_end() for raw in raws] == [1012, 1012, 1012]
    for raw in raws:
        raw.close()
    await stopping
    ends = [(line["dialect"], line["code"], line["by"], line["reason"]) for line in closed(server)]
    assert sorted(ends) == [(each, 1012, "server", "draining") for each in ("hocuspocus", "hocuspocus", "y-websocket")]


async def test_log_contains_no_token(tmp_path: Path) -> None:
    server = await ServerProcess(tmp_path, environment={"COLLAB_LOG_LEVEL": "debug"}).start()
    try:
        tokens = [token("ada"), token("eve", {"other": Role.OWNER}), "worthless-and-secret"]
        for given in tokens:
            urls = (f"ws://127.0.0.1:{server.port}/ws/notes?token={given}", f"{server.hocuspocus_url}?token={given}")
            for url in urls:
                async with connect(url, additional_headers={"Authorization": f"Bearer {given}"}) as socket:
                    await socket.send(b"\xff")
                    await socket.wait_closed()
        await eventually(lambda: len(closed(server)) == 6)
    finally:
        server.stop()
    said = [line for line in server.log.splitlines() if "/d/welcome#token=" not in line]  # the operator's own links
    assert sum("/ws/notes" in line for line in said) >= 3, "no request was logged, so the test proves nothing"
    for given in tokens:
        assert [line for line in said if given in line or given.rpartition(".")[2] in line] == []
