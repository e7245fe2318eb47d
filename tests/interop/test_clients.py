"""The real JavaScript clients of both dialects, together in one document."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from tests.deployment import ServerProcess
from tests.interop.clients import JavaScriptClient, JavaScriptClients
from tests.typist import DialectName

pytestmark = pytest.mark.node

NAMES = ("ada", "grace")
"""One for each dialect, as ``get_args(DialectName)`` has them."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = await ServerProcess(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
async def clients() -> AsyncIterator[JavaScriptClients]:
    async with JavaScriptClients() as clients:
        yield clients


@pytest.fixture
async def pair(server: ServerProcess, clients: JavaScriptClients) -> list[JavaScriptClient]:
    """A y-websocket client and a Hocuspocus client in one document."""
    dialects = get_args(DialectName)
    return [
        await clients.open(name, server, "häuser/1 2%", dialect=dialect)
        for name, dialect in zip(NAMES, dialects, strict=True)
    ]


async def test_what_one_writes_the_other_reads(pair: list[JavaScriptClient]) -> None:
    ada, grace = pair
    await ada.insert(0, "Ada \N{CAT FACE}")
    await grace.reads("Ada \N{CAT FACE}")
    await grace.insert(6, " and Grace")
    await ada.reads("Ada \N{CAT FACE} and Grace")


async def test_people_see_who_is_there_and_who_has_left(pair: list[JavaScriptClient]) -> None:
    for client in pair:
        await client.present(name="somebody else's name, which the token corrects")
    ada, grace = pair
    await ada.sees("Grace")
    await grace.sees("Ada")
    await ada.close()
    await grace.sees()


async def test_a_late_comer_sees_text_and_people(
    server: ServerProcess, clients: JavaScriptClients, pair: list[JavaScriptClient]
) -> None:
    for client in pair:
        await client.present(name="")
    await pair[0].insert(0, "early")
    for dialect in get_args(DialectName):
        late = await clients.open(f"late {dialect}", server, "häuser/1 2%", dialect=dialect)
        await late.reads("early")
        await late.sees("Ada", "Grace")
        await late.close()


async def test_edits_of_people_who_were_apart_come_together(pair: list[JavaScriptClient]) -> None:
    ada, grace = pair
    await ada.insert(0, "middle")
    await grace.reads("middle")
    for client in pair:
        await client.disconnect()
    await ada.insert(0, "left ")
    await grace.insert(6, " right")
    for client in pair:
        await client.connect()
    for client in pair:
        await client.reads("left middle right")


async def test_edits_made_while_the_server_was_gone_arrive_when_it_is_back(
    server: ServerProcess, pair: list[JavaScriptClient]
) -> None:
    ada, grace = pair
    await ada.insert(0, "before")
    await grace.reads("before")
    server.kill()
    await ada.insert(6, ", meanwhile")
    await grace.insert(0, "long ")
    await server.start()
    for client in pair:
        await client.reads("long before, meanwhile")
    await grace.saved()
