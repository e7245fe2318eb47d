"""SIGKILL under load: a fresh process finds each acknowledged edit in the store exactly once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any, get_args

import pycrdt
import pytest
from websockets.exceptions import ConnectionClosed

from collab.store.migrate import upgrade
from tests.conftest import bring
from tests.deployment import ServerProcess
from tests.faults.history import History, read_store, violations
from tests.faults.killable import KillableServer
from tests.frames import DialectName
from tests.scheduled_server import AFTER_COMMIT, BEFORE_COMMIT, LIE
from tests.services.private import PrivatePostgres
from tests.socket_client import SocketClient, connect_client
from tests.waiting import eventually

pytestmark = pytest.mark.services

ROUNDS = 20
ACKNOWLEDGED_MIN = 2_000
"""How many edits are acknowledged in each round before the server is killed."""
WRITERS: tuple[DialectName, ...] = ("y-websocket", "hocuspocus", "y-websocket", "hocuspocus")
UNANSWERED_MAX = 16
"""How many unanswered edits a writer may have."""
DEATHS = ("at any moment", BEFORE_COMMIT, AFTER_COMMIT)
DOCUMENT = "killed"


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
        return
    server = bring(lambda: PrivatePostgres(durable=True).start())
    await upgrade(server.url())
    yield server.url()
    server.close()


async def write(client: SocketClient, writer: str, history: History) -> None:
    """Type words as fast as they are acknowledged, until the connection ends."""
    for number in count():
        word = f"<{writer}.{number}>"
        history.written.add(word)
        await client.type(word)
        await client.hear_until(lambda: client.waiting < UNANSWERED_MAX)
        history.acknowledged.update(client.acknowledged)
        client.acknowledged.clear()


async def write_until_the_end(server: ServerProcess, dialect: DialectName, writer: str, history: History) -> None:
    """Write until the connection ends, and never come back."""
    with contextlib.suppress(ConnectionClosed):
        async with connect_client(server, DOCUMENT, "writer", dialect=dialect) as client:
            try:
                await write(client, writer, history)
            finally:
                history.acknowledged.update(client.acknowledged)


async def watch_until_the_end(client: SocketClient) -> None:
    """Read until the connection ends."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.hear()


def has_all(watcher: SocketClient, words: list[str]) -> bool:
    return all(word in watcher.text for word in words)


async def meet(watchers: list[SocketClient], name: str, history: History) -> None:
    """Let all watchers write a word and read the others'; check that they then have the same text."""
    words = [f"<{name}.{number}>" for number in range(len(watchers))]
    for watcher, word in zip(watchers, words, strict=True):
        history.written.add(word)
        await watcher.type(word)
    for watcher in watchers:
        await watcher.hear_answers()
        await watcher.hear_until(partial(has_all, watcher, words))
        history.acknowledged.update(watcher.acknowledged)
        watcher.acknowledged.clear()
    assert len({watcher.text for watcher in watchers}) == 1


@pytest.mark.timeout(900)
async def test_killed_server_loses_and_doubles_no_acknowledged_edit(database: str, tmp_path: Path) -> None:
    killable = KillableServer(tmp_path, database)
    history = History()
    docs: dict[DialectName, Any] = {dialect: pycrdt.Doc() for dialect in get_args(DialectName)}
    deaths = cycle(DEATHS)

    async def connect_watchers(stack: AsyncExitStack) -> list[SocketClient]:
        clients = (
            connect_client(killable.server, DOCUMENT, "watcher", dialect=dialect, doc=doc)
            for dialect, doc in docs.items()
        )
        return [await stack.enter_async_context(client) for client in clients]

    for round_ in range(ROUNDS):
        await killable.start()
        enough = history.acknowledged.total() + ACKNOWLEDGED_MIN
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            watchers = await connect_watchers(stack)
            await meet(watchers, f"m{round_}", history)
            for watcher in watchers:
                tasks.create_task(watch_until_the_end(watcher))
            for seat, dialect in enumerate(WRITERS):
                tasks.create_task(write_until_the_end(killable.server, dialect, f"{round_}.{seat}", history))
            await eventually(partial(history.has_acknowledged, enough), within_s=60)
            await killable.kill(next(deaths))
        assert violations(history, await read_store(database, DOCUMENT)) == []

    await killable.start()
    async with AsyncExitStack() as stack:
        watchers = await connect_watchers(stack)
        await meet(watchers, "end", history)
        text = watchers[0].text
    killable.server.stop()
    stored = await read_store(database, DOCUMENT)
    assert violations(history, stored) == []
    assert stored.loaded == text


async def test_acknowledgement_before_the_commit_is_reported(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
    killable = KillableServer(tmp_path, database)
    await killable.start()
    killable.schedule.set(LIE)
    history = History()
    for dialect in get_args(DialectName):
        async with connect_client(killable.server, DOCUMENT, "writer", dialect=dialect) as client:
            for number in range(3):
                word = f"<{dialect[0]}.{number}>"
                history.written.add(word)
                await client.type(word)
                await client.hear_answers()
            history.acknowledged.update(client.acknowledged)
    await killable.kill()
    assert violations(history, await read_store(database, DOCUMENT)) == [
        "1 acknowledged and not in the store, the first: <h.2>"
    ]
