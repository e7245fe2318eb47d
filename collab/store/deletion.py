"""The end of a document: in the bin, from which it can be restored, then purged, which nothing undoes.

A purge has two steps, so that no transaction is long: the first one makes it final, and the rows go afterwards, some at
a time. Any process may do that, and go on where another has stopped. The row in ``documents`` stays as a tombstone. It
holds the name and the epoch, and refuses writers as a document in the bin does: a client that comes back after a year
offline, with its whole copy, does not make a new document of it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, func, null, select, tuple_, update
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.errors import DocumentNotFound, TransientError
from collab.ids import DocumentName
from collab.store import catalog
from collab.store.base import DocumentInfo
from collab.store.schema import documents, metadata

ROWS_OF_DOCUMENTS: tuple[Table, ...] = tuple(
    table for table in reversed(metadata.sorted_tables) if "document_id" in table.columns
)
"""Every table with rows of a document, in an order in which they can be removed. New tables come in by themselves."""

NAME_RESTS = timedelta(seconds=5)
"""How long the name of a purged document cannot be used again. Every replica ends its sessions within a second. If one
still had some, their clients would reconnect and bring their copy into the new document."""

_LIFE = ("deleted_at", "purged_at", "cleared_at")
_FORGOTTEN = {column.name: null() for column in documents.columns if column.nullable and column.name not in _LIFE}
"""What a tombstone does not keep, of the columns that may be NULL."""

_is_listed = documents.c.deleted_at.is_(None)
_is_in_bin = documents.c.deleted_at.is_not(None) & documents.c.purged_at.is_(None)
_is_to_clear = documents.c.purged_at.is_not(None) & documents.c.cleared_at.is_(None)


async def delete(connection: AsyncConnection, name: DocumentName) -> None:
    """Move a document to the bin. The lock of its row puts a concurrent append before or after this."""
    done = await connection.execute(
        update(documents).where(documents.c.name == name, _is_listed).values(deleted_at=datetime.now(UTC))
    )
    if done.rowcount != 1:
        await catalog.find(connection, name)  # raises the reason


async def restore(connection: AsyncConnection, name: DocumentName) -> DocumentInfo:
    """Take a document out of the bin, in a new epoch. Raises DocumentNotFound."""
    restored = {
        "deleted_at": null(),
        "epoch": documents.c.epoch + 1,
        "access_version": documents.c.access_version + 1,  # open rooms that did not see the deletion look at the epoch
    }
    await connection.execute(update(documents).where(documents.c.name == name, _is_in_bin).values(restored))
    return await catalog.find(connection, name)


async def purge(connection: AsyncConnection, name: DocumentName) -> None:
    """Make the deletion of a document final. Raises DocumentNotFound."""
    if not await _purge(connection, documents.c.name == name):
        raise DocumentNotFound


async def purge_older(connection: AsyncConnection, deleted_before: datetime, limit: int) -> list[DocumentName]:
    """Purge what was deleted before this time, as ``Store.purge_older`` promises."""
    is_due = _is_in_bin & documents.c.cleared_at.is_(None) & (documents.c.deleted_at < deleted_before)
    oldest = select(documents.c.id).where(is_due).order_by(documents.c.deleted_at).limit(limit)
    # Said twice: meanwhile its owner may have restored one of them.
    return await _purge(connection, documents.c.id.in_(oldest) & is_due)


async def clear_purged(connection: AsyncConnection, limit: int, name: DocumentName | None = None) -> int:
    """Remove rows of a purged document, of this one or any, as ``Store.clear_purged`` promises."""
    waiting = select(documents.c.id).where(_is_to_clear)
    if name is not None:
        waiting = waiting.where(documents.c.name == name)
    document = await connection.scalar(waiting.limit(1).with_for_update(key_share=True))
    if document is None:
        return 0
    removed = 0
    for table in ROWS_OF_DOCUMENTS:
        removed += await _remove_rows(connection, table, document, limit - removed)
        if removed == limit:
            return removed
    empty = {"head_seq": 0, "tail_rows": 0, "tail_bytes": 0, "cleared_at": datetime.now(UTC)}
    await connection.execute(update(documents).where(documents.c.id == document).values(empty))
    return removed + 1


async def create_again(connection: AsyncConnection, name: DocumentName, title: str) -> bool:
    """Make a new document where one was purged and cleared, in a new epoch. Return False if there is none."""
    now = datetime.now(UTC)
    tombstone = select(documents.c.purged_at).where(documents.c.name == name, documents.c.cleared_at.is_not(None))
    purged_at = await connection.scalar(tombstone.with_for_update(key_share=True))
    if purged_at is None:
        return False
    refuse_fresh(purged_at, now)
    new = catalog.new_document(name, title, now) | dict.fromkeys(_LIFE, null())
    new |= {"epoch": documents.c.epoch + 1, "access_version": documents.c.access_version + 1}
    await connection.execute(update(documents).where(documents.c.name == name).values(new))
    return True


def refuse_fresh(purged_at: datetime, now: datetime) -> None:
    """Raise TransientError if the name cannot be used again yet."""
    if now - purged_at < NAME_RESTS:
        raise TransientError("A document of this name was deleted for good just now. Try again in some seconds.")


async def _purge(connection: AsyncConnection, which: ColumnElement[bool]) -> list[DocumentName]:
    now = datetime.now(UTC)
    tombstone = _FORGOTTEN | {
        "title": "",
        "title_key": "",
        "search_text": "",
        "deleted_at": func.coalesce(documents.c.deleted_at, now),
        "purged_at": now,
    }
    purged = update(documents).where(which, documents.c.purged_at.is_(None)).values(tombstone)
    return [DocumentName(name) for name in await connection.scalars(purged.returning(documents.c.name))]


async def _remove_rows(connection: AsyncConnection, table: Table, document: Any, limit: int) -> int:
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(table.c.document_id == document).limit(limit)
    done = await connection.execute(delete_from(table).where(table.c.document_id == document, key.in_(some)))
    return int(done.rowcount)
