"""The contract of a store on a real Postgres, and several replicas on one Postgres."""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from collab.errors import StoreUnavailable
from collab.ids import DocumentName, Sequence
from collab.store.base import Committed, Tail
from collab.store.sql import SqlStore
from tests.store.contract import HEAVY, NAME, DurableContract, row
from tests.waiting import eventually

pytestmark = pytest.mark.services


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def replicas(url: str) -> AsyncIterator[list[SqlStore]]:
    stores = [SqlStore(url) for _ in range(3)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


class TestPostgresStore(DurableContract):
    """The contract for ``SqlStore`` on Postgres."""


async def test_batch_of_any_size_is_one_statement(store: SqlStore) -> None:
    names = [DocumentName(f"many/{number}") for number in range(50)]
    await store.append([row(1, name=name) for name in names])
    said: list[str] = []
    assert store._database.log is not None
    async with store._database.log.lend() as connection:
        connection.add_query_logger(lambda record: said.append(record.query.split()[0]))
    await store.append([row(n, name=name) for name in names for n in (1, 2, 3)])
    await eventually(lambda: said)  # the driver tells of a statement a moment later
    assert said == ["WITH"]


async def test_creating_documents_holds_no_lock_on_others(store: SqlStore, url: str) -> None:
    """While it waits for one new name, it locks neither known documents nor later names, so no circle can form."""
    first, known, last = (DocumentName(name) for name in ("first", "known", "last"))
    await store.append([row(1, name=known)])
    other = await asyncpg.connect(url.replace("+asyncpg", ""))
    make = "INSERT INTO documents (name, title, head_seq, epoch, tail_rows, tail_bytes, created_at, updated_at) "
    make += "VALUES ($1, '', 0, 0, 0, 0, now(), now())"
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO documents%'"
    async with other.transaction():
        await other.execute(make, first)
        append = asyncio.create_task(store.append([row(1, name=last), row(2, name=known), row(1, name=first)]))
        onlooker = await asyncpg.connect(url.replace("+asyncpg", ""))
        await eventually(lambda: onlooker.fetchval(waiting))
        await onlooker.close()
        await other.execute("SELECT FROM documents WHERE name = $1 FOR NO KEY UPDATE NOWAIT", known)
        await other.execute(make, last)
    assert await append == [Committed(Sequence(seq)) for seq in (1, 2, 1)]
    await other.close()


async def test_batch_repeated_during_its_append_is_written_once(replicas: list[SqlStore]) -> None:
    for n in range(1, 31):
        batch = [row(n), row(n, name=HEAVY)]
        answers = await asyncio.gather(*(store.append(batch) for store in replicas))
        assert answers == [[Committed(Sequence(n)), Committed(Sequence(n))]] * 3
    assert [r.n for r in (await replicas[0].load(NAME)).tail] == list(range(1, 31))


async def test_batch_committed_while_its_repetition_waits_is_written_once(replicas: list[SqlStore], url: str) -> None:
    """The repetition began before the commit: it sees the row's key only when it stumbles over it."""
    await replicas[0].append([row(1)])
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
    )
    onlooker = await asyncpg.connect(url.replace("+asyncpg", ""))
    async with replicas[0]._database.write() as connection:
        await connection.execute(text("SELECT FROM documents WHERE name = :name FOR NO KEY UPDATE"), {"name": NAME})
        tries = [asyncio.create_task(store.append([row(2), row(3)])) for store in replicas]

        async def all_wait() -> bool:
            return bool(await onlooker.fetchval(waiting) == len(replicas))

        await eventually(all_wait)
    await onlooker.close()
    assert await asyncio.gather(*tries) == [[Committed(Sequence(2)), Committed(Sequence(3))]] * 3
    assert [r.n for r in (await replicas[0].load(NAME)).tail] == [1, 2, 3]


async def test_replicas_that_append_at_once_leave_no_gap(replicas: list[SqlStore]) -> None:
    names = [DocumentName(f"shared/{number}") for number in range(6)]

    async def write(writer: int, store: SqlStore) -> list[tuple[DocumentName, int, Sequence]]:
        order = random.Random(writer)
        answered = []
        for n in range(1, 61):
            batch = [row(n, name=name, writer=writer) for name in order.sample(names, 4)]
            for written, outcome in zip(batch, await store.append(batch), strict=True):
                assert isinstance(outcome, Committed)
                answered.append((written.document, writer, outcome.seq))
        return answered

    answers = await asyncio.gather(*(write(writer, store) for writer, store in enumerate(replicas)))
    for name in names:
        stored = await replicas[0].load(name)
        expected = sorted((seq, writer) for answer in answers for where, writer, seq in answer if where == name)
        assert [(r.seq, r.writer) for r in stored.tail] == expected
        assert [r.seq for r in stored.tail] == list(range(1, stored.head + 1))
        assert (await replicas[0].tail(name)) == Tail(name, stored.head, stored.head, 0)


async def test_append_goes_on_after_a_migration_that_changes_its_plan(store: SqlStore, url: str) -> None:
    await store.append([row(1)])
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE documents ALTER COLUMN epoch TYPE bigint"))
        await connection.execute(text("ALTER TABLE updates ADD COLUMN later text"))
    await engine.dispose()
    assert await store.append([row(1), row(2)]) == [Committed(Sequence(1)), Committed(Sequence(2))]


async def test_prepared_statements_that_a_pooler_lost_are_prepared_again(store: SqlStore) -> None:
    await store.append([row(1)])
    assert store._database.log is not None
    async with store._database.log.lend() as connection:
        await connection.execute("DEALLOCATE ALL")
    with pytest.raises(StoreUnavailable, match="its pooler has lost a prepared statement"):
        await store.append([row(2)])
    assert await store.append([row(2)]) == [Committed(Sequence(2))]


async def test_append_does_not_wait_for_another_document(replicas: list[SqlStore]) -> None:
    await replicas[0].append([row(1), row(1, name=HEAVY)])
    async with replicas[0]._database.write() as connection:
        await connection.execute(text("SELECT FROM documents WHERE name = :name FOR NO KEY UPDATE"), {"name": HEAVY})
        assert await replicas[1].append([row(2)]) == [Committed(Sequence(2))]


async def test_append_updates_the_documents_row_in_place(store: SqlStore, url: str) -> None:
    """As a heap-only tuple: no index is written, and Postgres reclaims the space within the page."""
    for n in range(1, 101):
        await store.append([row(n)])
    await store.close()  # a connection that ends reports what it did
    engine = create_async_engine(url)

    async def counted() -> tuple[int, int]:
        query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'documents'"
        async with engine.begin() as connection:
            updated, hot = (await connection.execute(text(query))).one()
        return updated, hot

    async def all_are_counted() -> bool:
        return (await counted())[0] >= 100

    await eventually(all_are_counted)
    updated, hot = await counted()
    assert hot > updated / 2
    await engine.dispose()
