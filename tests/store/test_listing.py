"""The list of many documents is read from an index, or from what the caller may read, and from nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from collab.ids import DocumentName, UserId
from collab.store import listing
from collab.store.base import ListOrder, ListQuery, Position, Readable
from collab.store.catalog import new_document
from collab.store.schema import documents
from collab.store.sql import SqlStore
from tests.store.contract import EVERYTHING, listed, row

INDEXES = {
    ListOrder.NAME: "name",
    ListOrder.TITLE: "ix_documents_listed_title_key",
    ListOrder.CREATED: "ix_documents_listed_created_at",
    ListOrder.UPDATED: "ix_documents_listed_active_at",
}
MANY = 5000
NOW = datetime(2026, 11, 25, tzinfo=UTC)
MIDDLE = Position(ListOrder.UPDATED, (NOW - timedelta(seconds=MANY / 2)).isoformat(), DocumentName("x"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


async def fill(url: str) -> None:
    rows = []
    for number in range(MANY):
        when = NOW - timedelta(seconds=number)
        name = f"team-{number % 50}/{number}"
        rows.append(new_document(name, f"Title {number * 7919 % MANY}", when) | {"deleted_at": None})
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(insert(documents), rows)
        await connection.execute(text("ANALYZE documents"))
    await engine.dispose()


async def plan(url: str, statement: Select[Any]) -> str:
    """Return how the database would carry out a statement."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        said = str(statement.compile(engine.sync_engine, compile_kwargs={"literal_binds": True}))
        said = said.replace("LIMIT ?", "LIMIT -1")  # SQLAlchemy adds it to an OFFSET on SQLite, and leaves it open
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        lines = (await connection.exec_driver_sql(f"{explain} {said}")).all()
    await engine.dispose()
    return "\n".join(str(line[-1]) for line in lines)


def statements(query: ListQuery) -> list[Select[Any]]:
    """Return what the store asks for a page."""
    if query.order is ListOrder.UPDATED:
        floor = NOW - timedelta(seconds=200)
        return [
            listing.floor_statement(query, query.after, 101),
            listing.newest_statement(query, query.after, 101, floor),
        ]
    return [listing.batch_statement(query, query.after, 101)]


@pytest.mark.parametrize("order", ListOrder)
async def test_page_of_the_whole_list_is_read_from_its_index(url: str, order: ListOrder) -> None:
    await fill(url)
    after = MIDDLE if order is ListOrder.UPDATED else None
    for query in (ListQuery(EVERYTHING, order), ListQuery(EVERYTHING, order, after=after)):
        for statement in statements(query):
            way = await plan(url, statement)
            assert "Seq Scan on documents" not in way, way
            assert "SCAN documents\n" not in way + "\n", way
            assert INDEXES[order] in way or "autoindex_documents" in way, way


@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("pattern", ["team-7/*", "team-7/1", "team-7/**"])
async def test_list_of_a_caller_is_found_by_the_names_that_may_be_read(
    url: str, order: ListOrder, pattern: str
) -> None:
    await fill(url)
    query = ListQuery(Readable(frozenset({pattern}), UserId("eve")), order, search="title")
    way = await plan(url, listing.batch_statement(query, None, 101))
    assert "Seq Scan on documents" not in way, way
    assert "SCAN documents\n" not in way + "\n", way
    assert "uq_documents_name" in way or "autoindex_documents" in way, way
    assert "ix_documents_listed" not in way, way


async def test_order_of_the_last_change_is_exact_although_its_index_is_not(url: str) -> None:
    store = SqlStore(url)
    await store.open()
    names = [DocumentName(f"{number:02}") for number in range(12)]
    for name in names:
        await store.create(name, "")
    for name in (names[3], names[7], names[1]):
        await store.append([row(1, name=name)])
    expected = ["01", "07", "03", *(name for name in reversed(names) if name not in ("01", "07", "03"))]
    for limit in (1, 2, 5, 100):
        assert await listed(store, ListQuery(EVERYTHING, ListOrder.UPDATED, limit=limit)) == expected
    await store.close()


async def test_append_moves_the_index_of_the_last_change_every_ten_seconds_only(url: str) -> None:
    store = SqlStore(url)
    await store.open()
    name = DocumentName("x")
    await store.append([row(1, name=name)])
    created = await active_at(url)
    await store.append([row(2, name=name)])
    assert await active_at(url) == created
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(documents.update().values(active_at=created - listing.ACTIVE))
    await engine.dispose()
    await store.append([row(3, name=name)])
    assert await active_at(url) > created
    await store.close()


async def active_at(url: str) -> datetime:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = (await connection.execute(documents.select())).one().active_at
    await engine.dispose()
    assert isinstance(found, datetime)
    return found
