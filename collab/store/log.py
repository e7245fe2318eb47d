"""Reading the log: from the beginning, from a cursor, or just where it ends. ``append`` writes it."""

import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Text, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.errors import RoomClosed
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.store.base import Head
from collab.store.given import given
from collab.store.schema import documents, updates


async def document(connection: AsyncConnection, name: DocumentName, *, lock: bool = False) -> Any:
    """The document's row, or None: ``id``, where its log ends, its epoch, whether it is in the bin.

    ``lock``: nobody appends to it until the transaction ends. Readers, and rows that refer to it, do not wait.
    """
    query = select(documents.c.id, documents.c.head_seq, documents.c.epoch, documents.c.deleted_at)
    query = query.where(documents.c.name == name)
    return (await connection.execute(query.with_for_update(key_share=True) if lock else query)).first()


async def rows_after(
    connection: AsyncConnection, name: DocumentName, cursor: Sequence, limit: int | None = None
) -> list[CommittedRow]:
    """See ``Store.rows_after``. Raises RoomClosed when a row is not what was written."""
    found = await connection.execute(
        select(updates.c.seq, updates.c.origin, updates.c.n, updates.c.payload, updates.c.checksum)
        .join(documents, documents.c.id == updates.c.document_id)
        .where(documents.c.name == name, updates.c.seq > cursor)
        .order_by(updates.c.seq)
        .limit(limit)
    )
    rows = []
    for seq, writer, n, payload, checksum in found:
        if zlib.crc32(payload) != checksum:
            raise RoomClosed(f"Row {seq} of {name!r} is damaged in the database; restore it from a backup.")
        rows.append(CommittedRow(Sequence(seq), WriterId(writer), n, payload))
    return rows


async def heads(connection: AsyncConnection, cursors: Mapping[DocumentName, Sequence]) -> dict[DocumentName, Head]:
    """See ``Store.heads``. Only what the caller does not know comes back."""
    asked = given(connection, {"name": Text(), "cursor": BigInteger()}, cursors.items())
    found = await connection.execute(
        select(documents.c.name, documents.c.head_seq, documents.c.epoch, documents.c.deleted_at)
        .join(asked, documents.c.name == asked.c.name)
        .where(or_(documents.c.head_seq != asked.c.cursor, documents.c.deleted_at.is_not(None)))
    )
    return {name: Head(Sequence(seq), Epoch(epoch), deleted is not None) for name, seq, epoch, deleted in found}
