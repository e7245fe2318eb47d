"""Two replicas on one Postgres and one Redis: people of both dialects read the same, with Redis and without."""

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
from tests.interop.clients import JavaScriptClients
from tests.services.private import PrivatePostgres, PrivateRedis
from tests.typist import DialectName, Typist, sit_down
from tests.waiting import eventually

pytestmark = pytest.mark.services

DOCUMENT = "shared"
SEATS: tuple[DialectName, ...] = ("y-websocket", "hocuspocus", "y-websocket")
OUTAGE_S = 10.0
APART_S_MAX = 2.0
"""The promise: so long may one person's edit take to another's screen while there is a way to the database."""
GONE_S_MAX = 12.0
"""Much less than the 30 s after which a client forgets by itself whom it no longer hears of."""
PAUSE_S = 0.1
"""Between two words of one person."""


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


class Company:
    """People who type and read at once, and when each word was typed and seen."""

    def __init__(self, typists: list[Typist]) -> None:
        self._typists = typists
        self.history = History()
        self.typed_s: dict[str, float] = {}
        self.longest_s = 0.0
        """The longest that a word took to somebody's screen since ``forget``."""
        self._seen: list[set[str]] = [set() for _ in typists]

    async def read(self, seat: int) -> None:
        """One person's eyes, until the end."""
        typist = self._typists[seat]
        while True:
            await typist.hear()
            now_s = asyncio.get_running_loop().time()
            fresh = {word for word in WORD.findall(typist.text) if word not in self._seen[seat]}
            self._seen[seat] |= fresh
            self.longest_s = max([self.longest_s, *(now_s - self.typed_s[word] for word in fresh)])
            self.history.acknowledged.update(typist.acknowledged)
            typist.acknowledged.clear()

    async def type(self, seat: int) -> None:
        """One person's fingers, until the end."""
        for number in count():
            word = f"<{seat}.{number}>"
            self.history.written.add(word)
            self.typed_s[word] = asyncio.get_running_loop().time()
            await self._typists[seat].type(word)
            await asyncio.sleep(PAUSE_S)

    def all_have_seen(self, words: set[str]) -> bool:
        """Whether these are on every screen, and whoever typed them was told that they are saved."""
        return words <= self.history.acknowledged.keys() and all(words <= seen for seen in self._seen)


async def test_six_people_on_two_replicas_read_the_same_with_redis_and_without(
    database: str, redis: PrivateRedis, tmp_path: Path
) -> None:
    environment = {"COLLAB_DATABASE_URL": database, "COLLAB_REDIS_URL": redis.url}
    async with AsyncExitStack() as stack:
        typists = []
        for _ in range(2):
            replica = await ServerProcess(tmp_path, environment=environment).start()
            stack.callback(replica.stop)
            for seat, dialect in enumerate(SEATS):
                person = sit_down(replica, DOCUMENT, f"user{seat}", dialect=dialect)
                typists.append(await stack.enter_async_context(person))
        company = Company(typists)
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(company.read(seat)) for seat in range(len(typists))]
            fingers = [tasks.create_task(company.type(seat)) for seat in range(len(typists))]
            await eventually(lambda: len(company.history.acknowledged) >= 60)
            redis.kill()
            await asyncio.sleep(OUTAGE_S)  # the outage itself; nothing is waited for
            assert len(company.history.acknowledged) > 60 * 3, "nothing was saved while Redis was away"
            assert company.longest_s <= APART_S_MAX
            redis.start()
            back = {f"<{seat}.{int(OUTAGE_S / PAUSE_S)}>" for seat in range(len(typists))}
            await eventually(lambda: company.all_have_seen(back))
            for task in fingers:
                task.cancel()
            await eventually(lambda: company.all_have_seen(company.history.written))
            for task in readers:
                task.cancel()
        assert company.longest_s <= APART_S_MAX
        assert len({typist.text for typist in typists}) == 1
        stored = await read_store(database, DOCUMENT)
        assert violations(company.history, stored) == []
        assert stored.loaded == typists[0].text


@pytest.mark.node
async def test_people_of_a_killed_replica_are_gone_from_the_others_screens(
    database: str, redis: PrivateRedis, tmp_path: Path
) -> None:
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
