"""A purge leaves nothing of a document in any table, also in those that come later."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import DateTime, Integer, LargeBinary, Table, func, insert, select

from collab.ids import DocumentName
from collab.store.deletion import ROWS_OF_DOCUMENTS
from collab.store.schema import documents, metadata
from collab.store.sql import SqlStore
from tests.store.contract import HEAVY, NAME, clear

OF_NO_DOCUMENT: set[str] = set()
"""Tables whose rows belong to no document. A new table must be in this set, or have a ``document_id``."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(url)
    await store.open()
    yield store
    await store.close()


def test_every_table_is_one_that_a_purge_empties_or_no_documents() -> None:
    emptied = {table.name for table in ROWS_OF_DOCUMENTS}
    assert {table.name for table in metadata.tables.values()} - {documents.name} == emptied | OF_NO_DOCUMENT
    assert not emptied & OF_NO_DOCUMENT


async def test_purge_removes_every_row_of_the_document_and_no_other(store: SqlStore) -> None:
    for name in (NAME, HEAVY):
        await store.create(name, "Title")
        await fill(store, name)
    before = await counts(store, HEAVY)
    assert set(before.values()) == {3}
    await store.purge(NAME)
    await clear(store)
    assert set((await counts(store, NAME)).values()) == {0}
    assert await counts(store, HEAVY) == before


async def test_tombstone_keeps_the_name_and_the_epoch_alone(store: SqlStore) -> None:
    await store.create(NAME, "A secret title")
    await store.purge(NAME)
    await clear(store)
    async with store._database.read() as connection:
        row = (await connection.execute(select(documents))).one()._mapping
    times = {"created_at", "updated_at", "active_at", "deleted_at", "purged_at", "cleared_at"}
    kept = {
        key: value
        for key, value in row.items()
        if value not in (None, 0, "") and key not in {*times, "id", "access_version"}
    }
    assert kept == {"name": NAME}


async def fill(store: SqlStore, name: DocumentName) -> None:
    """Insert three rows of the document into each table, made up from its columns."""
    async with store._database.write() as connection:
        document = await connection.scalar(select(documents.c.id).where(documents.c.name == name))
        for table in reversed(ROWS_OF_DOCUMENTS):
            for number in range(rows_at_most(table)):
                await connection.execute(insert(table).values(made_up(table, document, number)))


def rows_at_most(table: Table) -> int:
    """Return 3, or 1 where a document has one row."""
    return 1 if [column.name for column in table.primary_key] == ["document_id"] else 3


def made_up(table: Table, document: Any, number: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.name == "document_id":
            values[column.name] = document
        elif isinstance(column.type, LargeBinary):
            values[column.name] = f"{document} {number}".encode()
        elif isinstance(column.type, DateTime) or getattr(column.type, "impl", None).__class__ is DateTime:
            values[column.name] = datetime.now(UTC)
        elif isinstance(column.type, Integer):
            values[column.name] = number + 1
        else:
            values[column.name] = f"{document} {number}"
    return values


async def counts(store: SqlStore, name: DocumentName) -> dict[str, int]:
    """Return how many rows of the document each table has; a table with one row a document counts it three times."""
    counted: dict[str, int] = {}
    async with store._database.view() as connection:
        document = await connection.scalar(select(documents.c.id).where(documents.c.name == name))
        for table in ROWS_OF_DOCUMENTS:
            rows = select(func.count()).select_from(table).where(table.c.document_id == document)
            counted[table.name] = (await connection.scalar(rows) or 0) * (3 // rows_at_most(table))
    return counted
