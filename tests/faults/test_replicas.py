"""Two replicas on one Postgres and one Redis, with Redis killed under typing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from collab.store.migrate import upgrade
from tests.conftest import bring
from tests.deployment import ServerProcess, Typist, dial
from tests.services.private import PrivatePostgres, PrivateRedis

pytestmark = pytest.mark.services


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


async def test_people_on_two_replicas_read_the_same_with_redis_and_without(
    database: str, redis: PrivateRedis, tmp_path: Path
) -> None:
    environment = {"COLLAB_DATABASE_URL": database, "COLLAB_REDIS_URL": redis.url}
    async with AsyncExitStack() as stack:
        typists = []
        for number in range(2):
            replica = await ServerProcess(tmp_path, environment=environment).start()
            stack.callback(replica.stop)
            for seat in range(3):
                socket = await stack.enter_async_context(dial(replica.url("shared", f"user{number}{seat}")))
                typists.append(Typist(socket))
                await typists[-1].hello()

        async def everybody_types(word: str) -> None:
            for index, typist in enumerate(typists):
                await typist.type(f"<{word}{index}>")
            for typist in typists:
                await typist.hear_until(lambda t=typist: all(f"<{word}{i}>" in t.text for i in range(len(typists))))

        await everybody_types("with")
        redis.kill()
        await everybody_types("without")
        redis.start()
        await everybody_types("again")
        assert len({typist.text for typist in typists}) == 1
