"""The contract of a store on SQLite, and SQLite's own cases: one process, one file, one disk."""

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
    """The contract for ``SqlStore`` on SQLite."""


def path(url: str) -> Path:
    return Path(make_url(url).database or "")


def test_second_process_is_refused_in_one_sentence(sqlite_url: str, store: SqlStore) -> None:
    environment = {**os.environ, "COLLAB_DATABASE_URL": sqlite_url}
    done = subprocess.run(
        [sys.executable, "-m", "collab", "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    reason = "open, and SQLite is for one process: stop it, or use Postgres."
    said = f"collab: Another process has {path(sqlite_url)} {reason}\n"
    assert (done.returncode, done.stderr) == (1, said)


async def test_closed_store_releases_its_lock(sqlite_url: str) -> None:
    first, second = SqlStore(sqlite_url), SqlStore(sqlite_url)
    await first.open()
    with pytest.raises(InvalidRequest):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_store_that_failed_to_open_holds_no_lock(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3"
    store = SqlStore(url)
    with pytest.raises(InvalidRequest, match="schema none"):
        await store.open()
    await upgrade(url)
    await store.open()
    await store.close()


async def test_file_locked_by_another_tool_is_waited_for_then_reported(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, timeout_s=0.5)
    await store.open()
    await store.append([row(1)])
    tool = sqlite3.connect(path(sqlite_url), isolation_level=None)
    tool.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"another program holds the file \(SQLITE_BUSY\)"):
        await store.append([row(2)])
    assert (await store.load(NAME)).head == 1  # reading still works
    tool.execute("ROLLBACK")
    tool.close()
    assert await store.append([row(1), row(2)]) == [Committed(Sequence(1)), Committed(Sequence(2))]
    await store.close()


async def test_full_disk_is_reported_and_loses_nothing(sqlite_url: str, store: SqlStore) -> None:
    """A limit on the size of files makes the system fail as it does on a full disk."""
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


async def test_errors_contain_no_text_of_documents(sqlite_url: str, store: SqlStore) -> None:
    """Errors that are not transient are logged with their traceback."""
    title = "What " + "people wrote."  # in two parts, so that no line of a traceback contains it
    await store.create(NAME, "")
    with closing(sqlite3.connect(path(sqlite_url))) as tool:
        tool.execute("CREATE TRIGGER refuse BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'refused'); END")
    with pytest.raises(IntegrityError) as caught:
        await store.set_titles({NAME: title})
    assert "refused" in str(caught.value)
    assert title not in "".join(traceback.format_exception(caught.value))
