"""The entries of the catalogue: one is found, created, or gets another title. ``listing`` lists them, and ``deletion``
takes them away."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.access.roles import Role
from collab.errors import DocumentInBin, DocumentNotFound
from collab.ids import DocumentName, Epoch, Sequence, UserId
from collab.store.base import DocumentInfo
from collab.store.schema import documents, members
from collab.store.search_keys import search_text, title_key


async def find(connection: AsyncConnection, name: DocumentName) -> DocumentInfo:
    """Return one entry. Raises DocumentNotFound or DocumentInBin."""
    row = (await connection.execute(select(documents).where(documents.c.name == name))).first()
    if row is None or row.purged_at is not None:
        raise DocumentNotFound
    if row.deleted_at is not None:
        raise DocumentInBin
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


async def set_titles(connection: AsyncConnection, titles: Mapping[DocumentName, str]) -> None:
    """Change the titles that differ. In the order of the names, so that two replicas do not wait for each other."""
    for name, title in sorted(titles.items()):
        change = update(documents).where(documents.c.name == name, documents.c.deleted_at.is_(None))
        await connection.execute(change.where(documents.c.title != title).values(**titled(name, title)))


async def latest(connection: AsyncConnection, limit: int) -> list[DocumentInfo]:
    """Return the documents that changed last, the last one first."""
    found = await connection.execute(
        select(documents).where(documents.c.deleted_at.is_(None)).order_by(documents.c.updated_at.desc()).limit(limit)
    )
    return [info(row) for row in found]


def new_document(name: str, title: str, now: datetime) -> dict[str, Any]:
    """Return the values of a document without any update."""
    return {
        "name": name,
        **titled(name, title),
        "head_seq": 0,
        "epoch": 0,
        "tail_rows": 0,
        "tail_bytes": 0,
        "created_at": now,
        "updated_at": now,
        "active_at": now,
    }


def titled(name: str, title: str) -> dict[str, Any]:
    """Return the values of a document that depend on its title."""
    return {"title": title, "title_key": title_key(title, name), "search_text": search_text(title, name)}


def info(row: SqlRow[Any]) -> DocumentInfo:
    """Return a row of ``documents`` as an entry."""
    return DocumentInfo(
        DocumentName(row.name),
        row.title,
        Sequence(row.head_seq),
        Epoch(row.epoch),
        row.created_at,
        row.updated_at,
        row.deleted_at,
    )
