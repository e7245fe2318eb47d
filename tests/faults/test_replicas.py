"""Two replicas on one Postgres and one Redis: clients of both dialects read the same, with and without Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from collab.store.migrate import upgrade
from tests.conftest import bring
from tests.deployment import ServerProcess
from tests.faults.history import WORD, History, read_store, violations
from tests.frames import DialectName
from tests.interop.clients import JavaScriptClients
from tests.services.private import PrivatePostgres, PrivateRedis
from tests.socket_client import SocketClient, connect_client
from tests.waiting import eventually

pytestmark = pytest.mark.services

DOCUMENT = "shared"
SEATS: tuple[DialectName, ...] = ("y-websocket", "hocuspocus", "y-websocket")
OUTAGE_S = 10.0
APART_S_MAX = 2.0
"""The promise: how long an edit may take to the other clients while the database can be reached."""
GONE_S_MAX = 12.0
"""Much less than the 30 s after which a client removes silent peers by itself."""
PAUSE_S = 0.1
"""The time between two words of one client."""


@pytest.fixture
async def database() -> AsyncIterator[str]:
    server = bring(lambda: PrivatePostgres(durable=True).start())
    await upgrade(server.url())
    yield server.url()
    server.close()


@pytest.fixture
async def redis() -> AsyncIterator[PrivateRedis]:
    server = bring(lambda: PrivateRedis().start())
    yield server
    server.close()


class Clients:
    """Clients that type and read at the same time, and when each word was typed and seen."""

    def __init__(self, members: list[SocketClient]) -> None:
        self._members = members
        self.history = History()
        self.typed_s: dict[str, float] = {}
        self.longest_s = 0.0
        """The longest time that a word took to another client."""
        self._seen: list[set[str]] = [set() for _ in members]

    async def read(self, seat: int) -> None:
        """Read with one client until cancelled."""
        client = self._members[seat]
        while True:
            await client.hear()
            now_s = asyncio.get_running_loop().time()
            fresh = {word for word in WORD.findall(client.text) if word not in self._seen[seat]}
            self._seen[seat] |= fresh
            self.longest_s = max([self.longest_s, *(now_s - self.typed_s[word] for word in fresh)])
            self.history.acknowledged.update(client.acknowledged)
            client.acknowledged.clear()

    async def type(self, seat: int) -> None:
        """Type with one client until cancelled."""
        for number in count():
            word = f"<{seat}.{number}>"
            self.history.written.add(word)
            self.typed_s[word] = asyncio.get_running_loop().time()
            await self._members[seat].type(word)
            await asyncio.sleep(PAUSE_S)

    def all_have_seen(self, words: set[str]) -> bool:
        """Return True if all clients show these words and their authors got acknowledgements."""
        return words <= self.history.acknowledged.keys() and all(words <= seen for seen in self._seen)


async def test_two_replicas_show_the_same_text_with_and_without_redis(
    database: str, redis: PrivateRedis, tmp_path: Path
) -> None:
    environment = {"COLLAB_DATABASE_URL": database, "COLLAB_REDIS_URL": redis.url}
    async with AsyncExitStack() as stack:
        members = []
        for _ in range(2):
            replica = await ServerProcess(tmp_path, environment=environment).start()
            stack.callback(replica.stop)
            for seat, dialect in enumerate(SEATS):
                person = connect_client(replica, DOCUMENT, f"user{seat}", dialect=dialect)
                members.append(await stack.enter_async_context(person))
        clients = Clients(members)
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(clients.read(seat)) for seat in range(len(members))]
            typing = [tasks.create_task(clients.type(seat)) for seat in range(len(members))]
            await eventually(lambda: len(clients.history.acknowledged) >= 60)
            redis.kill()
            await asyncio.sleep(OUTAGE_S)  # the outage itself; nothing is waited for
            assert len(clients.history.acknowledged) > 60 * 3, "nothing was saved while Redis was away"
            assert clients.longest_s <= APART_S_MAX
            redis.start()
            back = {f"<{seat}.{int(OUTAGE_S / PAUSE_S)}>" for seat in range(len(members))}
            await eventually(lambda: clients.all_have_seen(back))
            for task in typing:
                task.cancel()
            await eventually(lambda: clients.all_have_seen(clients.history.written))
            for task in reading:
                task.cancel()
        assert clients.longest_s <= APART_S_MAX
        assert len({client.text for client in members}) == 1
        stored = await read_store(database, DOCUMENT)
        assert violations(clients.history, stored) == []
        assert stored.loaded == members[0].text


@pytest.mark.node
async def test_presence_of_a_killed_replica_disappears(database: str, redis: PrivateRedis, tmp_path: Path) -> None:
    environment = {"COLLAB_DATABASE_URL": database, "COLLAB_REDIS_URL": redis.url}
    async with AsyncExitStack() as stack:
        replicas = [await ServerProcess(tmp_path, environment=environment).start() for _ in range(2)]
        for replica in replicas:
            stack.callback(replica.stop)
        clients = await stack.enter_async_context(JavaScriptClients())
        ada, grace = [await clients.open(n, r, DOCUMENT) for n, r in zip(("ada", "grace"), replicas, strict=True)]
        await ada.present(name="")
        await grace.present(name="")
        await ada.sees("Grace")
        await grace.sees("Ada")
        replicas[0].kill()
        await grace.ask("sees", names=[], patience_s=GONE_S_MAX)
