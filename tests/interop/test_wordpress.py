"""WordPress' editor speaks y-websocket, and has its own names for the token's parameter and for its claims."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jwt import PyJWS

from tests.deployment import SECRET, ServerProcess
from tests.interop.clients import JavaScriptClients

pytestmark = pytest.mark.node

ROOM = "site-1/postType/post-9"
SETTINGS = {
    "COLLAB_TOKEN_PARAM": "auth",
    "COLLAB_TOKEN_CLAIMS": "user=user_id,name=username,document=room_name,role=editor",
    "COLLAB_TOKEN_AUDIENCE": "",
    "COLLAB_LOG_LEVEL": "debug",
    "COLLAB_DENIAL_HOLD_S": "0",
}


def wordpress_token(user: int, name: str, room: str = ROOM) -> str:
    """Return a token as the plugin signs it."""
    now_s = int(time.time())
    claims = {"room_name": room, "user_id": user, "username": name, "iat": now_s, "exp": now_s + 600}
    return PyJWS().encode(json.dumps(claims).encode(), SECRET.encode(), "HS256")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = await ServerProcess(tmp_path, environment=SETTINGS).start()
    yield server
    server.stop()


async def test_wordpress_client_writes_and_reads(site: ServerProcess, clients: JavaScriptClients) -> None:
    tokens = [wordpress_token(7, "Ada"), wordpress_token(8, "Grace")]
    ada = await clients.open("ada", site, ROOM, token=tokens[0], param="auth")
    await ada.insert(0, "Hello.")
    grace = await clients.open("grace", site, ROOM, token=tokens[1], param="auth")
    await grace.reads("Hello.")
    await ada.present(id="0", name="root")
    await grace.sees("Ada")
    for each in tokens:
        assert each.split(".")[1] not in site.log


async def test_wordpress_token_opens_no_other_room(site: ServerProcess, clients: JavaScriptClients) -> None:
    token = wordpress_token(7, "Ada")
    ada = await clients.open("ada", site, "site-1/postType/post-10", token=token, param="auth", wait=False)
    assert await ada.closed() == [4403]
    unnamed = await clients.open("eve", site, ROOM, token=token, wait=False)
    assert await unnamed.closed() == [4401]
