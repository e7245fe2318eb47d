"""Clients that offer subprotocols drop a connection if the server selects none of them."""

import asyncio

import pytest

from tests.deployment import ServerProcess, token
from tests.interop.clients import Generation, JavaScriptClients
from tests.services.node import node_command

pytestmark = pytest.mark.node

OFFERED: dict[str, list[str]] = {
    "one": ["collab.v1"],
    "several": ["collab.v1", "other"],
    "token": [token("ada")],
    "token_first": [token("ada"), "bearer"],
}

AS_BROWSERS_DO = """
const [url, ...offered] = process.argv.slice(1)
const socket = new WebSocket(url, offered)
socket.onopen = () => { console.log(socket.protocol); socket.close() }
socket.onerror = () => { console.log('dropped') }
"""


@pytest.mark.parametrize("generation", ["y-websocket 3.0.0", "y-websocket 3.1.0"])
async def test_client_with_subprotocols_writes_and_reads(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation
) -> None:
    ada = await clients.open("ada", server, document, generation=generation, protocols=["collab.v1", "other"])
    await ada.insert(0, "Hello.")
    grace = await clients.open("grace", server, document)
    await grace.reads("Hello.")


@pytest.mark.parametrize("offered", OFFERED.values(), ids=OFFERED)
async def test_web_standard_socket_stays_open(server: ServerProcess, offered: list[str]) -> None:
    """The WebSocket of Node.js follows the standard of browsers."""
    process = await asyncio.create_subprocess_exec(
        *node_command(), "-e", AS_BROWSERS_DO, server.url("notes", "ada"), *offered, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert said.decode().strip() == offered[-1 if len(offered[0]) > 64 else 0]
