"""SIGKILL under load: what was acknowledged is there, once, in a store read by a fresh process."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from collab.ids import DocumentName
from collab.room.compaction import load_document
from collab.store.migrate import upgrade
from collab.store.sql import SqlStore
from tests.conftest import bring
from tests.deployment import ServerProcess, Typist, dial
from tests.services.private import PrivatePostgres

WRITERS = 4
ROUNDS = 20 if os.environ.get("COLLAB_LONG") else 3
ACKNOWLEDGED_MIN = 2_000 if os.environ.get("COLLAB_LONG") else 400
DOCUMENT = "killed"


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
        return
    server = bring(lambda: PrivatePostgres(durable=True).start())
    yield server.url()
    server.close()


async def write_until_the_end(
    url: str, round_: int, writer: int, acknowledged: Counter[str], enough: asyncio.Event
) -> None:
    """Type numbered tokens as fast as the socket takes them; count those that came back."""
    with contextlib.suppress(ConnectionClosed):
        async with dial(url) as socket:
            typist = Typist(socket)
            await typist.hello()
            for number in range(100_000):
                await typist.type(f"<{round_}.{writer}.{number}>")
                if number % 8 == 7:
                    seen = len(typist.acknowledged)
                    await typist.hear_until(lambda seen=seen: len(typist.acknowledged) > seen)
                    acknowledged.update(typist.acknowledged[:])
                    typist.acknowledged.clear()
                    if acknowledged.total() >= ACKNOWLEDGED_MIN:
                        enough.set()


async def stored_text(url: str) -> str:
    store = SqlStore(url)
    await store.open()
    try:
        stored = await store.load(DocumentName(DOCUMENT))
    finally:
        await store.close()
    return load_document(stored.snapshot.state if stored.snapshot else None, stored.tail).text()


@pytest.mark.services
@pytest.mark.timeout(900)
async def test_nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed(database: str, tmp_path: Path) -> None:
    environment = {"COLLAB_DATABASE_URL": database, "COLLAB_LOG_LEVEL": "warning"}
    if database.startswith("postgresql"):
        await upgrade(database)
    for round_ in range(ROUNDS):
        server = await ServerProcess(tmp_path, environment=environment).start()
        acknowledged: Counter[str] = Counter()
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for writer in range(WRITERS):
                url = server.url(DOCUMENT, f"user{writer}")
                tasks.create_task(write_until_the_end(url, round_, writer, acknowledged, enough))
            async with asyncio.timeout(120):
                await enough.wait()
            server.kill()
        text = await stored_text(database)
        doubled = [piece for piece in acknowledged if text.count(piece) > 1]
        assert not doubled, f"{len(doubled)} acknowledged edits are there twice"
        lost = [piece for piece in acknowledged if piece not in text]
        assert not lost, f"{len(lost)} of {acknowledged.total()} acknowledged edits are gone"
