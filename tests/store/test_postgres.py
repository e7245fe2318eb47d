"""The contract on a real Postgres, and what several replicas do to one."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from collab.ids import DocumentName, Sequence
from collab.store.base import Committed
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
    """``SqlStore`` keeps the contract on Postgres."""


async def test_a_batch_is_two_statements_however_many_rows_it_has(store: SqlStore) -> None:
    names = [DocumentName(f"many/{number}") for number in range(50)]
    await store.append([row(1, name=name) for name in names])
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement.split()[0])

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        await store.append([row(n, name=name) for name in names for n in (1, 2, 3)])
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert said == ["SELECT", "WITH"]


async def test_replicas_that_make_documents_together_never_wait_in_a_circle(replicas: list[SqlStore]) -> None:
    """Each batch holds known documents and new ones, in no order; a circle would be a StoreUnavailable."""
    names = [DocumentName(f"new/{number}") for number in range(60)]

    async def write(origin: int, store: SqlStore) -> None:
        order = random.Random(origin)
        for n in range(1, 31):
            known = names[: 2 * n]
            await store.append([row(n, name=name, origin=origin) for name in order.sample(known, min(12, len(known)))])

    await asyncio.gather(*(write(origin, store) for origin, store in enumerate(replicas, 1)))
    for name in names:
        stored = await replicas[0].load(name)
        assert [r.seq for r in stored.tail] == list(range(1, stored.head + 1))


async def test_a_batch_offered_again_while_the_first_is_under_way_is_written_once(replicas: list[SqlStore]) -> None:
    for n in range(1, 31):
        batch = [row(n), row(n, name=HEAVY)]
        answers = await asyncio.gather(*(store.append(batch) for store in replicas))
        assert answers == [[Committed(Sequence(n)), Committed(Sequence(n))]] * 3
    assert [r.n for r in (await replicas[0].load(NAME)).tail] == list(range(1, 31))


async def test_appending_to_one_document_does_not_wait_for_another(replicas: list[SqlStore]) -> None:
    await replicas[0].append([row(1), row(1, name=HEAVY)])
    async with replicas[0]._database.write() as connection:
        await connection.execute(text("SELECT FROM documents WHERE name = :name FOR NO KEY UPDATE"), {"name": HEAVY})
        assert await replicas[1].append([row(2)]) == [Committed(Sequence(2))]


async def test_an_append_changes_the_documents_row_in_place(store: SqlStore, url: str) -> None:
    """As a heap-only tuple: no index of the table hears of it, and the page tidies itself up."""
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
