"""The bin empties by itself, whatever stops and starts meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from collab.errors import DocumentNotFound, StoreUnavailable
from collab.ids import DocumentName
from collab.observe.metrics import Metrics
from collab.serve import purger as module
from collab.serve.purger import Purger
from collab.store.base import ListQuery
from collab.store.schema import updates
from collab.store.sql import SqlStore
from tests.store.contract import EVERYTHING, row
from tests.waiting import eventually

NAMES = [DocumentName(f"old/{number}") for number in range(5)]


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(sqlite_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction purges two documents, or removes two rows."""
    monkeypatch.setattr(module, "DOCUMENTS_MAX", 2)
    monkeypatch.setattr(module, "ROWS_MAX", 2)
    monkeypatch.setattr(module, "PAUSE_S", 0)


def purger(store: SqlStore, days_later: float = 0, **options: float) -> Purger:
    now = datetime.now(UTC) + timedelta(days=days_later)
    return Purger(store, bin_days=30, metrics=Metrics(), now=lambda: now, **options)


async def rows_left(store: SqlStore) -> int:
    async with store._database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(updates)) or 0)


async def test_documents_are_purged_once_they_were_in_the_bin_long_enough(store: SqlStore) -> None:
    await store.append([row(n, name=name) for name in NAMES for n in (1, 2, 3)])
    for name in NAMES[:4]:
        await store.delete(name)
    await purger(store, days_later=29.9).purge_due()
    assert len((await store.list_documents(ListQuery(EVERYTHING, in_bin=True))).documents) == 4
    await purger(store, days_later=30.1).purge_due()
    assert await rows_left(store) == 3
    assert (await store.find(NAMES[4])).seq == 3
    with pytest.raises(DocumentNotFound):
        await store.restore(NAMES[0])


async def test_two_replicas_purge_side_by_side(store: SqlStore) -> None:
    await store.append([row(n, name=name) for name in NAMES for n in (1, 2, 3)])
    for name in NAMES:
        await store.delete(name)
    await asyncio.gather(*(purger(store, days_later=31).purge_due() for _ in range(2)))
    assert await rows_left(store) == 0


async def test_purge_goes_on_where_another_process_stopped(store: SqlStore) -> None:
    await store.append([row(n, name=NAMES[0]) for n in range(1, 6)])
    await store.purge(NAMES[0])
    assert await store.clear_purged(2) == 2
    assert await rows_left(store) == 3
    await purger(store).purge_due()
    assert await rows_left(store) == 0


async def test_purge_that_an_owner_asks_for_is_done_at_once(store: SqlStore) -> None:
    await store.append([row(1, name=NAMES[0])])
    running = purger(store, interval_s=3600)
    task = asyncio.create_task(running.run())
    await asyncio.sleep(0)
    await store.purge(NAMES[0])
    running.look_now()

    async def is_cleared() -> bool:
        return await rows_left(store) == 0

    await eventually(is_cleared)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_database_that_is_away_is_tried_again(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    running = Purger(store, bin_days=30, metrics=metrics, interval_s=0.01)
    asked: list[int] = []

    async def away(_before: datetime, limit: int) -> list[DocumentName]:
        asked.append(limit)
        raise StoreUnavailable

    monkeypatch.setattr(store, "purge_older", away)
    task = asyncio.create_task(running.run())
    await eventually(lambda: len(asked) >= 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
