"""The contract on SQLite, and what is SQLite's alone: one process, one file, one disk."""

import os
import resource
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from collab.errors import InvalidRequest, StoreUnavailable
from collab.ids import Sequence
from collab.store.base import Committed
from collab.store.migrate import upgrade
from collab.store.sql import SqlStore
from tests.store.contract import NAME, DurableContract, row


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(url)
    await store.open()
    yield store
    await store.close()


class TestSqliteStore(DurableContract):
    """``SqlStore`` keeps the contract on SQLite."""


def path(url: str) -> Path:
    return Path(make_url(url).database or "")


def test_a_second_process_is_refused_in_one_sentence(sqlite_url: str, store: SqlStore) -> None:
    environment = {**os.environ, "COLLAB_DATABASE_URL": sqlite_url}
    done = subprocess.run(
        [sys.executable, "-m", "collab", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    reason = "open, and SQLite is for one process: stop it, or use Postgres."
    said = f"collab: Another process has {path(sqlite_url)} {reason}\n"
    assert (done.returncode, done.stderr) == (1, said)


async def test_a_closed_store_lets_the_next_one_in(sqlite_url: str) -> None:
    first, second = SqlStore(sqlite_url), SqlStore(sqlite_url)
    await first.open()
    with pytest.raises(InvalidRequest):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_a_store_that_could_not_be_opened_holds_nothing(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
    store = SqlStore(url)
    with pytest.raises(InvalidRequest, match="schema none"):
        await store.open()
    await upgrade(url)
    await store.open()
    await store.close()


async def test_a_file_that_another_tool_holds_is_waited_for_and_then_told(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, timeout_s=0.5)
    await store.open()
    await store.append([row(1)])
    tool = sqlite3.connect(path(sqlite_url), isolation_level=None)
    tool.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"another program holds the file \(SQLITE_BUSY\)"):
        await store.append([row(2)])
    assert (await store.load(NAME)).head == 1  # reading goes on
    tool.execute("ROLLBACK")
    tool.close()
    assert await store.append([row(1), row(2)]) == [Committed(Sequence(1)), Committed(Sequence(2))]
    await store.close()


async def test_a_disk_that_is_full_is_told_and_costs_nothing_but_time(sqlite_url: str, store: SqlStore) -> None:
    """The system refuses to let any file of this process grow, as it does when there is no room."""
    await store.append([row(1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    grown = path(sqlite_url + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (grown + 8192, hard))
    try:
        with pytest.raises(StoreUnavailable, match="its disk"):
            await store.append([row(2, payload=bytes(100_000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await store.load(NAME)).head == 1
    assert await store.append([row(2, payload=bytes(100_000))]) == [Committed(Sequence(2))]


async def test_what_people_wrote_stands_in_no_error(sqlite_url: str, store: SqlStore) -> None:
    """Whoever meets an error that does not pass logs it whole."""
    title = "What " + "people wrote."  # so that no line of this file holds it
    await store.create(NAME, "")
    with closing(sqlite3.connect(path(sqlite_url))) as tool:
        tool.execute("CREATE TRIGGER refuse BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'refused'); END")
    with pytest.raises(IntegrityError) as caught:
        await store.set_title(NAME, title)
    assert "refused" in str(caught.value)
    assert title not in "".join(traceback.format_exception(caught.value))
