"""An edit that was seen but never committed comes back from a client that saw it, and its author agrees."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collab.crdt.guard import inspect_stored_update
from collab.ids import DocumentName, Sequence
from collab.protocol.rows import decode_entries
from collab.store.sql import SqlStore
from tests.faults.killable import KillableServer
from tests.interop.clients import NEWEST, JavaScriptClient, JavaScriptClients
from tests.scheduled_server import HOLD

pytestmark = pytest.mark.node

DOCUMENT = "seen"


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"


@pytest.fixture
async def killable(tmp_path: Path, database: str) -> AsyncIterator[KillableServer]:
    killable = KillableServer(tmp_path, database)
    await killable.start()
    yield killable
    killable.server.stop()


@pytest.fixture
async def clients() -> AsyncIterator[JavaScriptClients]:
    async with JavaScriptClients() as clients:
        yield clients


@pytest.fixture
async def pair(killable: KillableServer, clients: JavaScriptClients) -> tuple[JavaScriptClient, JavaScriptClient]:
    """Ada, and Grace, who saw an edit of Ada's; the server was killed before its commit."""
    ada = await clients.open("ada", killable.server, DOCUMENT)
    grace = await clients.open("grace", killable.server, DOCUMENT, generation=NEWEST["hocuspocus"])
    killable.schedule.set(HOLD)
    await ada.insert(0, "seen")
    await grace.reads("seen")
    await ada.disconnect()
    await killable.kill()
    return ada, grace


async def written_by(database: str, client: int, clock: int) -> tuple[str, bool]:
    """Return the author of the first entry in the log with this id, and whether it was carried."""
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


async def test_uncommitted_edit_is_carried_back_by_a_client_that_saw_it(
    killable: KillableServer, clients: JavaScriptClients, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    adas = await ada.ask("client_id")
    await ada.close()
    await killable.start()
    await grace.ask("synced")
    await grace.insert(4, ", and saved")
    late = await clients.open("late", killable.server, DOCUMENT)
    await late.reads("seen, and saved")
    await grace.saved()
    await killable.kill()
    assert await written_by(database, adas, 0) == ("grace", True)
    assert await written_by(database, await grace.ask("client_id"), 0) == ("grace", False)


async def test_author_returns_to_an_edit_that_another_carried_back(
    killable: KillableServer, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    await killable.start()
    await grace.ask("synced")
    await grace.insert(0, "I ")
    await grace.saved()
    await ada.connect()
    await ada.reads("I seen")
    await ada.insert(2, "have ")
    await grace.reads("I have seen")
    await grace.insert(0, "Yes, ")
    await grace.saved()
    await killable.kill()
    adas = await ada.ask("client_id")
    assert await written_by(database, adas, 0) == ("grace", True)
    assert await written_by(database, adas, 4) == ("ada", False)


async def test_author_who_returns_first_resends_the_edit(
    killable: KillableServer, pair: tuple[JavaScriptClient, JavaScriptClient], database: str
) -> None:
    ada, grace = pair
    await grace.disconnect()
    await killable.start()
    await ada.connect()
    await ada.ask("synced")
    await grace.connect()
    await grace.insert(4, "!")
    await ada.reads("seen!")
    await grace.saved()
    await killable.kill()
    assert await written_by(database, await ada.ask("client_id"), 0) == ("ada", False)
