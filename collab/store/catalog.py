"""The catalogue of documents, for the REST API: names, titles, times, and which documents are deleted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.access.roles import Role
from collab.errors import DocumentDeleted, DocumentNotFound
from collab.ids import DocumentName, Epoch, Sequence, UserId
from collab.store.base import DocumentInfo
from collab.store.schema import documents, members


async def list_documents(connection: AsyncConnection, after: str, limit: int) -> list[DocumentInfo]:
    """Return a page as ``Store.list_documents`` promises; the collation of the column makes the order."""
    found = await connection.execute(
        select(documents)
        .where(documents.c.name > after, documents.c.deleted_at.is_(None))
        .order_by(documents.c.name)
        .limit(limit)
    )
    return [info(row) for row in found]


async def find(connection: AsyncConnection, name: DocumentName) -> DocumentInfo:
    """Return one entry. Raises DocumentNotFound or DocumentDeleted."""
    row = (await connection.execute(select(documents).where(documents.c.name == name))).first()
    if row is None:
        raise DocumentNotFound
    if row.deleted_at is not None:
        raise DocumentDeleted
    return info(row)


async def create(
    connection: AsyncConnection, name: DocumentName, title: str, owner: UserId | None = None
) -> DocumentInfo:
    """Create a document. Raises the driver's IntegrityError when its name is taken, also by a deleted one."""
    await connection.execute(insert(documents).values(new_document(name, title, datetime.now(UTC))))
    if owner is not None:
        await add_owners(connection, {name: owner})
    return await find(connection, name)


async def add_owners(connection: AsyncConnection, owners: Mapping[DocumentName, UserId]) -> None:
    """Give new documents their owners."""
    for name, user in owners.items():
        new = select(documents.c.id, literal(user), literal(int(Role.OWNER)), documents.c.created_at)
        await connection.execute(
            insert(members).from_select(
                ["document_id", "user_id", "role", "created_at"], new.where(documents.c.name == name)
            )
        )


async def set_title(connection: AsyncConnection, name: DocumentName, title: str) -> DocumentInfo:
    """Change the title. Raises DocumentNotFound or DocumentDeleted."""
    await connection.execute(_update(name).values(title=title, updated_at=datetime.now(UTC)))
    return await find(connection, name)


async def delete(connection: AsyncConnection, name: DocumentName) -> None:
    """Mark the document as deleted. The lock of its row puts a concurrent append before or after this."""
    done = await connection.execute(_update(name).values(deleted_at=datetime.now(UTC)))
    if done.rowcount != 1:
        await find(connection, name)  # raises the reason


def new_document(name: str, title: str, now: datetime) -> dict[str, Any]:
    """Return the values of a document without any update."""
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


def _update(name: DocumentName) -> Any:
    """Return a statement that changes the document unless it is deleted."""
    return update(documents).where(documents.c.name == name, documents.c.deleted_at.is_(None))


def info(row: SqlRow[Any]) -> DocumentInfo:
    """Return a row of ``documents`` as an entry."""
    return DocumentInfo(
        DocumentName(row.name), row.title, Sequence(row.head_seq), Epoch(row.epoch), row.created_at, row.updated_at
    )
