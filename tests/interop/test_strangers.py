"""Clients whose token stays bad are closed after a while, and do not come back in ever more loops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deployment import ServerProcess
from tests.interop.clients import GENERATIONS, JavaScriptClients

CLOSES = 3


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server on which a stranger has a second."""
    environment = {"COLLAB_PREAUTH_S": "1", "COLLAB_STRANGER_S": "1", "COLLAB_DENIAL_HOLD_S": "1"}
    server = await ServerProcess(tmp_path, environment=environment).start()
    yield server
    server.stop()


async def test_strangers_of_every_generation_open_one_socket_at_a_time(
    hurried: ServerProcess, clients: JavaScriptClients
) -> None:
    everyone = {
        generation: await clients.open(
            generation, hurried, f"stranger/{generation}", generation=generation, token="worthless", wait=False
        )
        for generation in GENERATIONS
    }
    stopped = {"hocuspocus 2.15.3", "y-websocket 3.1.0"}
    for generation, client in everyone.items():
        codes = await client.closed(times=1 if generation in stopped else CLOSES)
        assert set(codes) == {4401}, generation
    for generation, client in everyone.items():
        books = await client.books()
        assert books["opened"] <= len(books["closes"]) + 1, generation
        if generation in stopped:
            assert books["opened"] == 1, generation
