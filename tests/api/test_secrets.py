"""No token gets into the log, however it is sent."""

from contextlib import suppress
from pathlib import Path

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.protocol.build import string, uint


async def knock(url: str, *frames: bytes) -> None:
    """Open a socket, send ``frames``, and wait for one answer or the close."""
    with suppress(ConnectionClosed):
        async with connect(url) as socket:
            for frame in frames:
                await socket.send(frame)
            await socket.recv()


async def test_no_token_is_logged(tmp_path: Path) -> None:
    settings = {"COLLAB_LOG_LEVEL": "debug", "COLLAB_DENIAL_HOLD_S": "0", "COLLAB_PREAUTH_S": "0.1"}
    server = await ServerProcess(tmp_path, environment=settings).start()
    good, denied = token("ada"), token("eve", {"other": Role.OWNER})
    forged = good[:-8] + "A" * 8
    tokens = (
        good,
        denied,
        forged,
        "cl_" + "Made-up_secret" * 3 + "x",
        "cl_" + "Made-up_secret" * 3 + "x?password=sesame",
    )
    base = f"127.0.0.1:{server.port}"
    try:
        async with httpx2.AsyncClient(base_url=f"http://{base}") as client:
            for each in tokens:
                await client.get("/api/v1/documents", headers={"Authorization": f"Bearer {each}"})
                await client.get("/api/v1/documents/x/content", params={"token": each})
                await client.get("/d/x", params={"access_token": each})
                await client.post("/api/v1/documents", headers={"Authorization": each}, content=each)
        for each in tokens:
            await knock(f"ws://{base}/ws/x?token={each}", b"\0\0\1\0")
            await knock(f"ws://{base}/ws?token={each}", string("x") + b"\0\0\1\0")
            await knock(f"ws://{base}/ws", string("x") + uint(2) + uint(0) + string(each))
    finally:
        server.stop()
    assert "socket_closed" in server.log
    assert "/api/v1/documents" in server.log
    for each in tokens:
        for part in each.split(".")[1:]:
            assert part not in server.log
    for secret in ("Made-up_secret", "sesame"):
        assert secret not in server.log
