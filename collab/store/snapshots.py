"""Snapshots: the merged state of a log up to a cut, so that opening a document costs its content and not its history.

A snapshot is replaced only if its version is still the expected one; the log keeps every row. A state may be megabytes,
so it is compressed and decompressed in a thread, outside any transaction.
"""

import asyncio
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.errors import RoomClosed
from collab.ids import DocumentName, Epoch, Sequence
from collab.store import log
from collab.store.base import Snapshot, Tail
from collab.store.schema import documents, snapshots, updates

ZLIB = 1
"""The only ``codec`` so far."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A snapshot as it is stored. ``size`` and ``checksum`` are those of the uncompressed state."""

    cut: int
    version: int
    codec: int
    state: bytes
    size: int
    checksum: int


async def pack(snapshot: Snapshot) -> Packed:
    """Compress a snapshot for ``put``."""
    state = await asyncio.to_thread(zlib.compress, snapshot.state, 1)
    return Packed(snapshot.cut, snapshot.version, ZLIB, state, len(snapshot.state), zlib.crc32(snapshot.state))


async def unpack(name: DocumentName, packed: Packed) -> Snapshot:
    """Decompress what ``find`` returned. Raises RoomClosed when it is not what was written."""
    try:
        state = await asyncio.to_thread(zlib.decompress, packed.state)
    except zlib.error:
        state = b""
    if packed.codec != ZLIB or len(state) != packed.size or zlib.crc32(state) != packed.checksum:
        raise RoomClosed(f"The snapshot of the document {name!r} is damaged in the database; restore it from a backup.")
    return Snapshot(Sequence(packed.cut), state, packed.version)


async def find(connection: AsyncConnection, document_id: int) -> Packed | None:
    """Return the snapshot of a document as it is stored, or None."""
    columns = (snapshots.c.cut, snapshots.c.version, snapshots.c.codec, snapshots.c.state, snapshots.c.size)
    found = await connection.execute(
        select(*columns, snapshots.c.checksum).where(snapshots.c.document_id == document_id)
    )
    row = found.first()
    return None if row is None else Packed(*row)


async def put(connection: AsyncConnection, name: DocumentName, epoch: Epoch, packed: Packed) -> bool:
    """Replace a snapshot as ``Store.put_snapshot`` promises. Locks the document: its tail is counted exactly."""
    document = await log.document(connection, name, lock=True)
    if document is None or document.deleted_at is not None or document.epoch != epoch:
        return False
    if packed.cut > document.head_seq or not await _replace(connection, document.id, packed):
        return False
    tail_totals = select(func.count(), func.coalesce(func.sum(func.length(updates.c.payload)), 0)).where(
        updates.c.document_id == document.id, updates.c.seq > packed.cut
    )
    rows, size = (await connection.execute(tail_totals)).one()
    await connection.execute(
        update(documents).where(documents.c.id == document.id).values(tail_rows=rows, tail_bytes=size)
    )
    return True


async def _replace(connection: AsyncConnection, document_id: int, packed: Packed) -> bool:
    values = {
        "cut": packed.cut,
        "version": packed.version + 1,
        "codec": packed.codec,
        "state": packed.state,
        "size": packed.size,
        "checksum": packed.checksum,
        "updated_at": datetime.now(UTC),
    }
    if packed.version == 0:
        existing = select(snapshots.c.version).where(snapshots.c.document_id == document_id)
        if packed.cut == 0 or (await connection.execute(existing)).first() is not None:
            return False
        await connection.execute(insert(snapshots).values(document_id=document_id, **values))
        return True
    done = await connection.execute(
        update(snapshots)
        .where(
            snapshots.c.document_id == document_id,
            snapshots.c.version == packed.version,
            snapshots.c.cut < packed.cut,
        )
        .values(values)
    )
    return done.rowcount == 1


async def tails(connection: AsyncConnection, row_cost: int, cost_min: int, limit: int) -> list[Tail]:
    """Return the costliest tails as ``Store.tails`` promises, from the counters that ``append`` and ``put`` keep."""
    cost = documents.c.tail_bytes + documents.c.tail_rows * row_cost
    due = _TAILS.where(cost > cost_min, cost > _SNAPSHOT_BYTES)
    found = await connection.execute(due.order_by(cost.desc(), documents.c.name).limit(limit))
    return [Tail(*row) for row in found]


async def tail(connection: AsyncConnection, name: DocumentName) -> Tail | None:
    """Return the tail of one document that is not deleted, or None."""
    found = (await connection.execute(_TAILS.where(documents.c.name == name))).first()
    return None if found is None else Tail(*found)


_SNAPSHOT_BYTES = func.coalesce(snapshots.c.size, 0)
_TAILS = (
    select(documents.c.name, documents.c.tail_rows, documents.c.tail_bytes, _SNAPSHOT_BYTES)
    .outerjoin(snapshots, snapshots.c.document_id == documents.c.id)
    .where(documents.c.deleted_at.is_(None))
)
