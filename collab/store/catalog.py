"""The catalogue of documents: names, titles, the bin. What REST asks for."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.errors import DocumentDeleted, DocumentNotFound
from collab.ids import DocumentName, Epoch, Sequence
from collab.store.base import DocumentInfo
from collab.store.schema import documents


async def list_documents(connection: AsyncConnection, after: str, limit: int) -> list[DocumentInfo]:
    """See ``Store.list_documents``. The column's own collation makes the order, and the cursor goes by it."""
    found = await connection.execute(
        select(documents)
        .where(documents.c.name > after, documents.c.deleted_at.is_(None))
        .order_by(documents.c.name)
        .limit(limit)
    )
    return [_info(row) for row in found]


async def find(connection: AsyncConnection, name: DocumentName) -> DocumentInfo:
    """See ``Store.find``."""
    row = (await connection.execute(select(documents).where(documents.c.name == name))).first()
    if row is None:
        raise DocumentNotFound
    if row.deleted_at is not None:
        raise DocumentDeleted
    return _info(row)


async def create(connection: AsyncConnection, name: DocumentName, title: str) -> DocumentInfo:
    """Raises the driver's IntegrityError when there is one of this name, in the bin or not."""
    await connection.execute(insert(documents).values(new_document(name, title, datetime.now(UTC))))
    return await find(connection, name)


async def set_title(connection: AsyncConnection, name: DocumentName, title: str) -> DocumentInfo:
    """See ``Store.set_title``."""
    await connection.execute(_living(name).values(title=title, updated_at=datetime.now(UTC)))
    return await find(connection, name)


async def delete(connection: AsyncConnection, name: DocumentName) -> None:
    """See ``Store.delete``. An append that is under way comes before or after, by the row's lock."""
    done = await connection.execute(_living(name).values(deleted_at=datetime.now(UTC)))
    if done.rowcount != 1:
        await find(connection, name)  # says why not


def new_document(name: str, title: str, now: datetime) -> dict[str, Any]:
    """The row of a document nobody has written in."""
    return {
        "name": name,
        "title": title,
        "head_seq": 0,
        "epoch": 0,
        "tail_rows": 0,
        "tail_bytes": 0,
        "created_at": now,
        "updated_at": now,
    }


def _living(name: DocumentName) -> Any:
    return update(documents).where(documents.c.name == name, documents.c.deleted_at.is_(None))


def _info(row: SqlRow[Any]) -> DocumentInfo:
    return DocumentInfo(
        DocumentName(row.name), row.title, Sequence(row.head_seq), Epoch(row.epoch), row.created_at, row.updated_at
    )
