"""The shipped nginx configuration, with a real nginx in front of real replicas."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.access.roles import Role
from tests.api.calls import DOCUMENTS, OWNER, bearer
from tests.deployment import ServerProcess, token
from tests.metering import scrape
from tests.rawsocket import CLOSE, PING, PONG, RawSocket
from tests.services.nginx import PrivateNginx
from tests.services.private import free_port
from tests.waiting import eventually

HURRIED = {
    "client_header_timeout 10s": "client_header_timeout 1s",
    "client_body_timeout 10s": "client_body_timeout 1s",
    "keepalive_timeout 15s": "keepalive_timeout 1s",
    "send_timeout 30s": "send_timeout 1s",
}
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("replica"), environment={"COLLAB_PING_S": "1"})
    asyncio.run(server.start())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def nginx(replica: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNginx]:
    """In front of one replica that runs and one that does not, with bounds of a second."""
    directory = tmp_path_factory.mktemp("nginx")
    nginx = PrivateNginx(directory, (replica.port, free_port()), HURRIED)
    yield nginx.start()
    nginx.stop()


@asynccontextmanager
async def calling(nginx: PrivateNginx) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{nginx.port}") as client:
        yield client


async def read_to_the_end(raw: RawSocket) -> bytes:
    answer = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            while piece := await raw.read_some(1 << 16):
                answer += piece
    return answer


async def script_size(nginx: PrivateNginx) -> int:
    """Return the size of the largest file there is."""
    async with calling(nginx) as client:
        return len((await client.get("/collab-editor.js", headers={"Accept-Encoding": "identity"})).content)


# --- what passes ------------------------------------------------------------------------------------


async def test_rest_passes_with_encoded_slashes_and_etags(nginx: PrivateNginx) -> None:
    async with calling(nginx) as client:
        created = await client.post(DOCUMENTS, headers=OWNER, json={"name": "team/notes"})
        assert created.status_code == 201
        answer = await client.get(f"{DOCUMENTS}/team%2Fnotes/content", headers=OWNER)
        assert answer.status_code == 200
        again = await client.get(
            f"{DOCUMENTS}/team%2Fnotes/content", headers=OWNER | {"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304


async def test_requests_go_on_while_one_replica_is_down(nginx: PrivateNginx) -> None:
    async with calling(nginx) as client:
        answers = [await client.get("/readyz") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("path", ["/ws", "/ws/notes"])
async def test_websocket_passes_and_is_refused_to_pages_of_other_sites(nginx: PrivateNginx, path: str) -> None:
    url = f"ws://127.0.0.1:{nginx.port}{path}?token={token('ada')}"
    async with connect(url, origin=f"http://127.0.0.1:{nginx.port}") as socket:  # type: ignore[arg-type]
        await (await socket.ping())
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(url, origin="https://elsewhere.example"):  # type: ignore[arg-type]
            pass


async def test_client_cannot_choose_the_address_it_is_known_by(nginx: PrivateNginx, replica: ServerProcess) -> None:
    async with calling(nginx) as client:
        await client.get("/no/such/page", headers={"X-Forwarded-For": "192.0.2.7"})
    await eventually(lambda: "/no/such/page" in replica.log)
    assert "192.0.2.7" not in replica.log


async def test_script_of_the_editor_is_compressed(nginx: PrivateNginx) -> None:
    async with calling(nginx) as client:
        answer = await client.get("/collab-editor.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


# --- what does not ----------------------------------------------------------------------------------


async def test_metrics_are_not_public(nginx: PrivateNginx) -> None:
    async with calling(nginx) as client:
        for path in ("/metrics", "//metrics", "/%6detrics", "/d/../metrics"):
            raw = await RawSocket.connect(nginx.port)
            raw.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert (await read_to_the_end(raw)).startswith(b"HTTP/1.1 404 ")
            raw.close()
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "beginning", [b"", b"GET /ws/notes HTT", HEAD + b"X-Slow: ", HEAD + b"\r\n", HEAD + b"\r\n" + HEAD]
)
async def test_idle_connection_and_slow_head_are_closed(nginx: PrivateNginx, beginning: bytes) -> None:
    raw = await RawSocket.connect(nginx.port)
    raw.write(beginning)
    await read_to_the_end(raw)
    raw.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD + b"X-Long: " + b"x" * 8192 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (HEAD + (b"X-Long: " + b"x" * 8000 + b"\r\n") * 5 + b"\r\n", b"400"),
    ],
    ids=["header", "url", "all headers"],
)
async def test_long_head_is_refused(nginx: PrivateNginx, head: bytes, status: bytes) -> None:
    raw = await RawSocket.connect(nginx.port)
    raw.write(head)
    assert (await read_to_the_end(raw)).startswith(b"HTTP/1.1 " + status)
    raw.close()


@pytest.mark.parametrize(("path", "size", "status"), [("", 65536 + 1, 413), ("/notes/updates", 65536 + 1, 422)])
async def test_large_body_is_refused_unless_it_is_an_update(
    nginx: PrivateNginx, path: str, size: int, status: int
) -> None:
    async with calling(nginx) as client:
        headers = OWNER | {"Content-Type": "application/octet-stream"}
        answer = await client.post(f"{DOCUMENTS}{path}", headers=headers, content=b"\xff" * size)
    assert answer.status_code == status


async def test_unfinished_body_is_not_waited_for_and_does_not_reach_a_replica(nginx: PrivateNginx) -> None:
    raw = await RawSocket.connect(nginx.port)
    raw.write(b"POST /api/v1/documents?unfinished HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await read_to_the_end(raw)
    raw.close()
    last = json.loads(nginx.access_log.splitlines()[-1])
    assert (last["path"], last["status"], last["replica"]) == ("/api/v1/documents", 408, "")


def cut_off(nginx: PrivateNginx, size: int) -> list[Any]:
    """Return the logged requests for the script of which fewer than ``size`` bytes were sent."""
    lines = map(json.loads, nginx.access_log.splitlines())
    return [line for line in lines if line["path"] == "/collab-editor.js" and line["bytes"] < size]


async def test_untaken_answer_is_cut_off(nginx: PrivateNginx) -> None:
    size = await script_size(nginx)
    before = len(cut_off(nginx, size))
    raw = await RawSocket.connect(nginx.port, buffer_bytes=4096)
    raw.write(b"GET /collab-editor.js?untaken HTTP/1.1\r\nHost: x\r\n\r\n" * 40)

    await eventually(lambda: len(cut_off(nginx, size)) > before)
    raw.close()


async def test_slow_reader_gets_its_whole_answer(nginx: PrivateNginx) -> None:
    size = await script_size(nginx)
    raw = await RawSocket.connect(nginx.port, buffer_bytes=4096)
    raw.write(b"GET /collab-editor.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    taken = 0
    while piece := await raw.read_some(32 << 10):
        taken += len(piece)
        await asyncio.sleep(0.02)  # a slow network
    assert taken > size
    raw.close()


# --- sockets and replicas ---------------------------------------------------------------------------


async def test_websocket_outlives_the_bounds_of_a_request(nginx: PrivateNginx) -> None:
    raw = await RawSocket.open(nginx.port, f"/ws/silent?token={token('ada')}")
    for _ in range(3):  # one a second
        while (frame := await raw.read()).opcode != PING:
            pass
        raw.send(PONG, frame.payload)
    raw.send(CLOSE, (1000).to_bytes(2))
    assert await raw.read_to_the_end() == 1000
    raw.close()


@pytest.mark.services
async def test_replicas_share_the_sockets_and_one_may_go(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    environment = {"COLLAB_DATABASE_URL": postgres_url, "COLLAB_REDIS_URL": redis_url}
    replicas = [await ServerProcess(tmp_path, environment=environment).start() for _ in range(2)]
    nginx = PrivateNginx(tmp_path, (replicas[0].port, replicas[1].port)).start()
    url = f"ws://127.0.0.1:{nginx.port}/ws/notes?token={token('ada')}"
    try:
        sockets = [await connect(url) for _ in range(4)]
        for replica in replicas:
            assert (await scrape(replica.port))("sockets", dialect="y-websocket") == 2
        await asyncio.to_thread(replicas[0].stop)
        await eventually(lambda: len([socket for socket in sockets if socket.close_code]) == 2)
        assert {socket.close_code for socket in sockets} == {None, 1012}
        sockets += [await connect(url) for _ in range(2)]
        assert (await scrape(replicas[1].port))("sockets", dialect="y-websocket") == 4
        for socket in sockets:
            await socket.close()
    finally:
        nginx.stop()
        for replica in replicas:
            replica.stop()


# --- logs -------------------------------------------------------------------------------------------


async def test_no_token_stands_in_the_logs_of_nginx(replica: ServerProcess, tmp_path: Path) -> None:
    """Also not when something goes wrong: nginx quotes the whole request in its errors."""
    nginx = PrivateNginx(tmp_path, (free_port(), free_port())).start()
    given = token("eve", {"secret": Role.OWNER})
    try:
        async with calling(nginx) as client:
            for path in (f"/ws/notes?token={given}", f"/?token={given}", f"/d/notes?token={given}"):
                answer = await client.get(path, headers=bearer() | {"Referer": f"http://x/?token={given}"})
                assert answer.status_code == 502
    finally:
        nginx.stop()
    lines = [json.loads(line) for line in nginx.access_log.splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [("/ws/notes", 502), ("/", 502), ("/d/notes", 502)]
    assert given not in nginx.logs
    assert given.rpartition(".")[2] not in nginx.logs
