"""Real services for the tests. If one cannot be started, its tests are skipped, and fail in CI."""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from collab.store.migrate import upgrade
from tests.interop.oracle import Oracle
from tests.services.private import Missing, PrivatePostgres, PrivateRedis

T = TypeVar("T")


def bring(start: Callable[[], T]) -> T:
    """Start a service. Skip the test if its binary is missing; fail in CI."""
    try:
        return start()
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all settings from the environment, and work in an empty directory."""
    for name in [name for name in os.environ if name.startswith("COLLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: the one in COLLAB_TEST_DATABASE_URL, or a private one."""
    if given := os.environ.get("COLLAB_TEST_DATABASE_URL"):
        yield given
        return
    server = bring(lambda: PrivatePostgres(durable=False).start())
    yield server.url()
    server.close()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A new database without tables, dropped afterwards."""
    name = f"collab_t_{secrets.token_hex(6)}"
    plain = postgres_server.replace("+asyncpg", "")

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(plain)
        await connection.execute(statement)
        await connection.close()

    url = postgres_server.rpartition("/")[0] + f"/{name}"
    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield url
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """A new, migrated database, dropped afterwards."""
    asyncio.run(upgrade(empty_postgres_url))
    return empty_postgres_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new, migrated SQLite file."""
    url = f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
    asyncio.run(upgrade(url))
    return url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis server: the one in COLLAB_TEST_REDIS_URL, or a private one."""
    if given := os.environ.get("COLLAB_TEST_REDIS_URL"):
        yield given
        return
    server = bring(lambda: PrivateRedis().start())
    yield server.url
    server.close()


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """Real Yjs, which reads updates for comparison."""
    with Oracle() as oracle:
        yield oracle
