"""Statements that read the log: all rows, the rows after a cursor, or only its end. ``append`` writes it."""

import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Text, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from collab.errors import RoomClosed
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.store.base import Head
from collab.store.parameters import parameter_table
from collab.store.schema import documents, updates


async def document(connection: AsyncConnection, name: DocumentName, *, lock: bool = False) -> Any:
    """Return ``id``, ``head_seq``, ``epoch`` and ``deleted_at`` of the document, or None when there is none.

    With ``lock``, nothing is appended to it until the transaction ends. Readers do not wait, nor do foreign keys.
    """
    query = select(documents.c.id, documents.c.head_seq, documents.c.epoch, documents.c.deleted_at)
    query = query.where(documents.c.name == name)
    return (await connection.execute(query.with_for_update(key_share=True) if lock else query)).first()


async def rows_after(
    connection: AsyncConnection, name: DocumentName, cursor: Sequence, limit: int | None = None
) -> list[CommittedRow]:
    """Return the rows after ``cursor``, in order. Raises RoomClosed when the checksum of one does not match."""
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


async def heads(
    connection: AsyncConnection, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int]
) -> dict[DocumentName, Head]:
    """Return the heads that the caller does not know, as ``Store.heads`` promises."""
    columns: Mapping[str, TypeEngine[Any]] = {"name": Text(), "cursor": BigInteger(), "access": BigInteger()}
    rows = [(name, cursor, access.get(name, _ANY)) for name, cursor in cursors.items()]
    asked = parameter_table(connection, columns, rows)
    version = documents.c.access_version
    found = await connection.execute(
        select(documents.c.name, documents.c.head_seq, documents.c.epoch, documents.c.deleted_at, version)
        .join(asked, documents.c.name == asked.c.name)
        .where(
            or_(
                documents.c.head_seq != asked.c.cursor,
                documents.c.deleted_at.is_not(None),
                asked.c.access.not_in((_ANY, version)),
            )
        )
    )
    return {
        name: Head(Sequence(seq), Epoch(epoch), deleted is not None, access_version)
        for name, seq, epoch, deleted, access_version in found
    }


_ANY = -1
"""In place of a version of the access: the caller does not ask for it."""
