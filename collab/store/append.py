"""The heart of the store: append rows of many documents to their logs, each once, in order and without a gap.

It takes one transaction. A first statement locks all documents of the batch, in the order of their ids: no other
transaction can append to them now, and the next statement sees everything committed while this one waited. On Postgres
a second statement then looks up the rows that are in the log already, inserts the others with the next numbers, and
moves the heads. The lock makes ``seq`` gapless and puts it in commit order; the look-up makes a retry harmless. Only
rows that were found or inserted are reported as committed.

So a batch costs two round trips, however many documents and rows it holds.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Row as SqlRow
from sqlalchemy import Text, and_, bindparam, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.ids import DocumentName, Sequence
from collab.protocol.rows import Row
from collab.store.base import Committed, Deleted, EpochChanged, Outcome
from collab.store.catalog import new_document
from collab.store.parameters import parameter_table
from collab.store.schema import documents, updates

Key: TypeAlias = tuple[int, int, int]
"""A document's id, a writer, and the writer's number for the row."""

Locked: TypeAlias = Mapping[DocumentName, SqlRow[Any]]
"""The locked documents of a batch: they stay as they are until the transaction ends."""


async def append(connection: AsyncConnection, rows: Seq[Row]) -> list[Outcome]:
    """Append the rows as ``Store.append`` promises. The caller commits."""
    names = {row.document for row in rows}
    locked = await _lock(connection, names)
    unknown = {row.document for row in rows if row.epoch == 0} - locked.keys()
    if unknown:
        # Documents are created in the order of their names and by a transaction that holds no lock: two writers that
        # meet here may wait for each other, but not in a circle.
        await connection.rollback()
        await _create(connection, sorted(unknown))
        locked = await _lock(connection, names)
    keyed: dict[Key, Row] = {}
    for row in rows:
        if row.document in locked:
            keyed.setdefault((locked[row.document].id, row.writer, row.n), row)
    write = _write_at_once if connection.dialect.name == "postgresql" else _write_in_steps
    places = await write(connection, locked, keyed)
    return [_outcome(row, locked.get(row.document), places) for row in rows]


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


# --- the documents -------------------------------------------------------------------------------------


async def _lock(connection: AsyncConnection, names: Iterable[DocumentName]) -> Locked:
    if connection.dialect.name == "postgresql":
        found = await connection.execute(_LOCK, {"names": list(names)})
    else:  # SQLite: this transaction is the only one that writes
        wanted = parameter_table(connection, {"name": Text()}, [(name,) for name in names])
        found = await connection.execute(select(documents).join(wanted, documents.c.name == wanted.c.name))
    return {row.name: row for row in found}


_LOCK = text("""
    SELECT id, name, epoch, head_seq, deleted_at FROM documents
    WHERE name = ANY(CAST(:names AS text[])) ORDER BY id FOR NO KEY UPDATE
""")


async def _create(connection: AsyncConnection, names: Seq[DocumentName]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(documents).on_conflict_do_nothing(index_elements=["name"])
    now = datetime.now(UTC)
    await connection.execute(statement, [new_document(name, "", now) for name in names])


# --- the rows, on Postgres -----------------------------------------------------------------------------


async def _write_at_once(connection: AsyncConnection, _locked: Locked, rows: Mapping[Key, Row]) -> dict[Key, int]:
    found = await connection.execute(
        _WRITE,
        {
            "documents": [document for document, _, _ in rows],
            "epochs": [row.epoch for row in rows.values()],
            "origins": [row.writer for row in rows.values()],
            "numbers": [row.n for row in rows.values()],
            "payloads": [row.payload for row in rows.values()],
            "checksums": [zlib.crc32(row.payload) for row in rows.values()],
            "now": datetime.now(UTC),
        },
    )
    return {(document, writer, n): seq for document, writer, n, seq in found}


_WRITE = text("""
    WITH batch AS (
        SELECT * FROM unnest(
            CAST(:documents AS bigint[]), CAST(:epochs AS int[]), CAST(:origins AS bigint[]),
            CAST(:numbers AS bigint[]), CAST(:payloads AS bytea[]), CAST(:checksums AS bigint[])
        ) WITH ORDINALITY AS batch (document_id, epoch, origin, n, payload, checksum, place)
    ), looked_up AS (
        SELECT batch.*, updates.seq FROM batch LEFT JOIN updates USING (document_id, origin, n)
    ), missing AS (
        SELECT looked_up.document_id, origin, n, payload, checksum,
               head_seq + row_number() OVER (PARTITION BY looked_up.document_id ORDER BY place) AS next_seq
        FROM looked_up JOIN documents ON documents.id = looked_up.document_id
        WHERE looked_up.seq IS NULL AND documents.epoch = looked_up.epoch AND documents.deleted_at IS NULL
    ), inserted AS (
        INSERT INTO updates (document_id, seq, origin, n, payload, checksum, created_at)
        SELECT document_id, next_seq, origin, n, payload, checksum, CAST(:now AS timestamptz) FROM missing
        RETURNING document_id, origin, n, seq
    ), moved AS (
        UPDATE documents SET head_seq = head_seq + added.rows, tail_rows = tail_rows + added.rows,
                             tail_bytes = tail_bytes + added.bytes, updated_at = CAST(:now AS timestamptz)
        FROM (
            SELECT document_id, count(*) AS rows, sum(octet_length(payload)) AS bytes FROM missing GROUP BY document_id
        ) AS added
        WHERE documents.id = added.document_id
    )
    SELECT document_id, origin, n, seq FROM looked_up WHERE seq IS NOT NULL
    UNION ALL
    SELECT document_id, origin, n, seq FROM inserted
""")


# --- the rows, on SQLite -------------------------------------------------------------------------------


async def _write_in_steps(connection: AsyncConnection, locked: Locked, rows: Mapping[Key, Row]) -> dict[Key, int]:
    places = await _places(connection, rows)
    now = datetime.now(UTC)
    added: Counter[DocumentName] = Counter()
    added_bytes: Counter[DocumentName] = Counter()
    values = []
    for key, row in rows.items():
        document = locked[row.document]
        if key in places or document.epoch != row.epoch or document.deleted_at is not None:
            continue
        added[row.document] += 1
        added_bytes[row.document] += len(row.payload)
        places[key] = document.head_seq + added[row.document]
        values.append(_log_row(key, places[key], row, now))
    if values:
        await connection.execute(insert(updates), values)
        moves = [
            {"document": locked[name].id, "rows": count, "bytes": added_bytes[name], "now": now}
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


_MOVE = (
    update(documents)
    .where(documents.c.id == bindparam("document"))
    .values(
        head_seq=documents.c.head_seq + bindparam("rows"),
        tail_rows=documents.c.tail_rows + bindparam("rows"),
        tail_bytes=documents.c.tail_bytes + bindparam("bytes"),
        updated_at=bindparam("now"),
    )
)
