"""A server, a process of JavaScript clients, and the name of an unused document."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.deployment import ServerProcess
from tests.interop.clients import GENERATIONS, NEWEST, Generation, JavaScriptClients

_numbers = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of a module that leave it running."""
    server = asyncio.run(ServerProcess(tmp_path_factory.mktemp("server")).start())
    yield server
    server.stop()


@pytest.fixture
async def killable(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that the test may kill."""
    server = await ServerProcess(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
async def clients() -> AsyncIterator[JavaScriptClients]:
    async with JavaScriptClients() as clients:
        yield clients


@pytest.fixture
def document() -> str:
    """An unused name, with every character that needs escaping in a URL."""
    return f"häuser/{next(_numbers)} 2%"


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> Generation:
    """Each generation of clients."""
    name: Generation = request.param
    return name


@pytest.fixture
def other(generation: Generation) -> Generation:
    """The newest generation of the other dialect."""
    return NEWEST["y-websocket" if generation.startswith("hocuspocus") else "hocuspocus"]
