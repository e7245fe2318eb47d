"""Append rows to the logs on SQLite, where the transaction that writes is the only one.

So there is nothing to lock: what it reads first stays true until it commits.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Row as SqlRow
from sqlalchemy import Text, and_, bindparam, case, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.ids import DocumentName, Sequence
from collab.protocol.rows import Row
from collab.store.base import Committed, Deleted, EpochChanged, Outcome
from collab.store.catalog import add_owners, new_document
from collab.store.listing import ACTIVE
from collab.store.parameters import parameter_table
from collab.store.schema import documents, updates

Key: TypeAlias = tuple[int, int, int]
"""A document's id, a writer, and the writer's number for the row."""


async def append(connection: AsyncConnection, rows: Seq[Row]) -> list[Outcome]:
    """Append the rows as ``Store.append`` promises. The caller commits."""
    names = {row.document for row in rows}
    known = await _documents(connection, names)
    unknown = {row.document: row for row in reversed(rows) if row.epoch == 0 and row.document not in known}
    if unknown:
        await _create(connection, unknown)
        await add_owners(connection, {name: row.author for name, row in unknown.items() if row.author is not None})
        known = await _documents(connection, names)
    keyed: dict[Key, Row] = {}
    for row in rows:
        if row.document in known:
            keyed.setdefault((known[row.document].id, row.writer, row.n), row)
    places = await _write(connection, known, keyed)
    return [_outcome(row, known.get(row.document), places) for row in rows]


def _outcome(row: Row, document: SqlRow[Any] | None, places: Mapping[Key, int]) -> Outcome:
    if document is None:
        return EpochChanged()  # a new document has epoch 0, and the row has another
    seq = places.get((document.id, row.writer, row.n))
    if seq is not None:
        return Committed(Sequence(seq))
    if document.deleted_at is not None:
        return Deleted()
    assert row.epoch != document.epoch, "a row was not written, and there is no reason to refuse it"
    return EpochChanged()


async def _documents(connection: AsyncConnection, names: Iterable[DocumentName]) -> Mapping[DocumentName, SqlRow[Any]]:
    wanted = parameter_table(connection, {"name": Text()}, [(name,) for name in names])
    found = await connection.execute(select(documents).join(wanted, documents.c.name == wanted.c.name))
    return {row.name: row for row in found}


async def _create(connection: AsyncConnection, names: Iterable[DocumentName]) -> None:
    statement = sqlite.insert(documents).on_conflict_do_nothing(index_elements=["name"])
    now = datetime.now(UTC)
    await connection.execute(statement, [new_document(name, "", now) for name in names])


async def _write(
    connection: AsyncConnection, known: Mapping[DocumentName, SqlRow[Any]], rows: Mapping[Key, Row]
) -> dict[Key, int]:
    places = await _places(connection, rows)
    now = datetime.now(UTC)
    added: Counter[DocumentName] = Counter()
    added_bytes: Counter[DocumentName] = Counter()
    values = []
    for key, row in rows.items():
        document = known[row.document]
        if key in places or document.epoch != row.epoch or document.deleted_at is not None:
            continue
        added[row.document] += 1
        added_bytes[row.document] += len(row.payload)
        places[key] = document.head_seq + added[row.document]
        values.append(_log_row(key, places[key], row, now))
    if values:
        await connection.execute(insert(updates), values)
        moves = [
            {"document": known[name].id, "rows": count, "bytes": added_bytes[name], "now": now, "due": now - ACTIVE}
            for name, count in added.items()
        ]
        await connection.execute(_MOVE, moves)
    return places


async def _places(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
    """Return the positions of the rows that are in the log already."""
    key = (updates.c.document_id, updates.c.origin, updates.c.n)
    wanted = parameter_table(connection, {column.name: column.type for column in key}, keys)
    found = await connection.execute(
        select(*key, updates.c.seq).join(wanted, and_(*(column == wanted.c[column.name] for column in key)))
    )
    return {(document, writer, n): seq for document, writer, n, seq in found}


def _log_row(key: Key, seq: int, row: Row, now: datetime) -> dict[str, Any]:
    return {
        "document_id": key[0],
        "seq": seq,
        "origin": row.writer,
        "n": row.n,
        "payload": row.payload,
        "checksum": zlib.crc32(row.payload),
        "created_at": now,
    }


_NOW = bindparam("now", type_=documents.c.updated_at.type)

_MOVE = (
    update(documents)
    .where(documents.c.id == bindparam("document"))
    .values(
        head_seq=documents.c.head_seq + bindparam("rows"),
        tail_rows=documents.c.tail_rows + bindparam("rows"),
        tail_bytes=documents.c.tail_bytes + bindparam("bytes"),
        updated_at=_NOW,
        active_at=case((documents.c.active_at <= bindparam("due"), _NOW), else_=documents.c.active_at),
    )
)
