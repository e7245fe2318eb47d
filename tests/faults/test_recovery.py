"""An edit that was seen and never committed comes back from whoever saw it, and whoever made it agrees."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collab.crdt.guard import inspect_stored_update
from collab.ids import DocumentName, Sequence
from collab.protocol.rows import decode_entries
from collab.store.sql import SqlStore
from tests.faults.mortal import Mortal
from tests.interop.clients import NEWEST, JavaScriptClient, JavaScriptClients
from tests.ordered_server import HOLD

pytestmark = pytest.mark.node

DOCUMENT = "seen"


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"


@pytest.fixture
async def mortal(tmp_path: Path, database: str) -> AsyncIterator[Mortal]:
    mortal = Mortal(tmp_path, database)
    await mortal.start()
    yield mortal
    mortal.server.stop()


@pytest.fixture
async def clients() -> AsyncIterator[JavaScriptClients]:
    async with JavaScriptClients() as clients:
        yield clients


@pytest.fixture
async def pair(mortal: Mortal, clients: JavaScriptClients) -> tuple[JavaScriptClient, JavaScriptClient]:
    """Ada, and Grace who has just seen what Ada wrote: the server died before it was committed."""
    ada = await clients.open("ada", mortal.server, DOCUMENT)
    grace = await clients.open("grace", mortal.server, DOCUMENT, generation=NEWEST["hocuspocus"])
    mortal.orders.give(HOLD)
    await ada.insert(0, "seen")
    await grace.reads("seen")
    await ada.disconnect()
    await mortal.die()
    return ada, grace


async def written_by(database: str, client: int, clock: int) -> tuple[str, bool]:
    """The author of the first entry in the log that has this id, and whether it was carried."""
    store = SqlStore(database)
    await store.open()
    rows = await store.rows_after(DocumentName(DOCUMENT), Sequence(0))
    await store.close()
    return next(
        (entry.author, entry.carried)
        for row in rows
        for entry in decode_entries(row.payload)
        for struct in inspect_stored_update(entry.update).structs
        if struct.client == client and struct.clock <= clock < struct.clock + struct.length
    )


async def test_who_saw_an_edit_brings_it_back_for_one_who_is_gone_and_is_named_as_its_carrier(
    mortal: Mortal, clients: JavaScriptClients, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    adas = await ada.ask("client_id")
    await ada.close()
    await mortal.start()
    await grace.ask("synced")
    await grace.insert(4, ", and saved")
    late = await clients.open("late", mortal.server, DOCUMENT)
    await late.reads("seen, and saved")
    await grace.saved()
    await mortal.die()
    assert await written_by(database, adas, 0) == ("grace", True)
    assert await written_by(database, await grace.ask("client_id"), 0) == ("grace", False)


async def test_who_comes_back_to_find_their_edit_brought_back_agrees_and_goes_on(
    mortal: Mortal, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    await mortal.start()
    await grace.ask("synced")
    await grace.insert(0, "I ")
    await grace.saved()
    await ada.connect()
    await ada.reads("I seen")
    await ada.insert(2, "have ")
    await grace.reads("I have seen")
    await grace.insert(0, "Yes, ")
    await grace.saved()
    await mortal.die()
    adas = await ada.ask("client_id")
    assert await written_by(database, adas, 0) == ("grace", True)
    assert await written_by(database, adas, 4) == ("ada", False)


async def test_who_is_back_before_those_who_saw_it_brings_their_own_edit(
    mortal: Mortal, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    await grace.disconnect()
    await mortal.start()
    await ada.connect()
    await ada.ask("synced")
    await grace.connect()
    await grace.insert(4, "!")
    await ada.reads("seen!")
    await grace.saved()
    await mortal.die()
    assert await written_by(database, await ada.ask("client_id"), 0) == ("ada", False)
