"""The heart of the store: append rows of many documents to their logs, each once, in order and without a gap.

One statement does it, in one round trip, and is its own transaction. It

1. locks all documents of the batch, in the order of their ids, and reads them as they are once it has the locks: no
   other transaction can append to them now, so the numbers that follow make ``seq`` gapless and put it in commit order;
2. looks up which rows are in the log already, so that a retry changes nothing;
3. inserts the others with the next numbers, and moves the heads.

A statement sees what was committed when it began. If an earlier try of the same rows commits while this one waits for
its locks, step 2 does not see them, and step 3 stumbles over their unique key: nothing is written, and the statement is
said again. Only rows that were found or inserted are reported as committed.
"""

import zlib
from collections.abc import Sequence as Seq
from datetime import UTC, datetime

import asyncpg

from collab.access.roles import Role
from collab.ids import Sequence
from collab.protocol.rows import Row
from collab.store.base import Committed, Deleted, EpochChanged, Outcome
from collab.store.listing import ACTIVE
from collab.store.search_keys import search_text, title_key

TRIES_MAX = 5
"""How often the statement is said at most: once more for each earlier try of its rows that is committed meanwhile."""


async def append(connection: asyncpg.Connection, rows: Seq[Row]) -> list[Outcome]:
    """Append the rows as ``Store.append`` promises."""
    distinct = list({(row.document, row.writer, row.n): row for row in rows}.values())
    found = await _write(connection, distinct)
    places = list(zip(distinct, found, strict=True))
    unknown = {row.document: row.author for row, (_, epoch, _) in reversed(places) if epoch is None and not row.epoch}
    if unknown:
        # Nothing was written. Documents are created in the order of their names and by a transaction that holds no
        # lock: two writers that meet here may wait for each other, but not in a circle.
        names = sorted(unknown)
        keys = [title_key("", name) for name in names], [search_text("", name) for name in names]
        authors = [unknown[name] for name in names]
        await connection.execute(_CREATE, names, datetime.now(UTC), authors, Role.OWNER, *keys)
        found = await _write(connection, distinct)
    outcomes = [_outcome(row, *place) for row, place in zip(distinct, found, strict=True)]
    if len(distinct) == len(rows):
        return outcomes
    by_key = {(row.document, row.writer, row.n): outcome for row, outcome in zip(distinct, outcomes, strict=True)}
    return [by_key[row.document, row.writer, row.n] for row in rows]


async def _write(connection: asyncpg.Connection, rows: Seq[Row]) -> list[asyncpg.Record]:
    """Say the statement; return for each row its ``seq``, and the ``epoch`` of its document and whether it is deleted.

    ``seq`` is None if the row is refused; ``epoch`` is None if there is no such document.
    """
    columns = (
        [row.document for row in rows],
        [row.epoch for row in rows],
        [row.writer for row in rows],
        [row.n for row in rows],
        [row.payload for row in rows],
        [zlib.crc32(row.payload) for row in rows],
    )
    for _ in range(TRIES_MAX - 1):
        try:
            return await connection.fetch(_WRITE, *columns, *_times())
        except asyncpg.UniqueViolationError:
            continue
    return await connection.fetch(_WRITE, *columns, *_times())


def _times() -> tuple[datetime, datetime]:
    """Return now, and the ``active_at`` that is due to be moved to it."""
    now = datetime.now(UTC)
    return now, now - ACTIVE


def _outcome(row: Row, seq: int | None, epoch: int | None, deleted: bool | None) -> Outcome:
    if seq is not None:
        return Committed(Sequence(seq))
    if deleted:
        return Deleted()
    assert row.epoch != epoch, "a row was not written, and there is no reason to refuse it"
    return EpochChanged()


_CREATE = """
    WITH created AS (
        INSERT INTO documents (name, title, head_seq, epoch, tail_rows, tail_bytes, created_at, updated_at, active_at,
                               title_key, search_text)
        SELECT name, '', 0, 0, 0, 0, $2, $2, $2, title_key, search_text
        FROM unnest($1::text[], $5::text[], $6::text[]) AS new (name, title_key, search_text)
        ON CONFLICT (name) DO NOTHING RETURNING id, name
    )
    INSERT INTO members (document_id, user_id, role, created_at)
    SELECT id, author, $4, $2 FROM created JOIN unnest($1::text[], $3::text[]) AS given (name, author) USING (name)
    WHERE author IS NOT NULL
"""

_WRITE = """
    WITH locked AS MATERIALIZED (
        SELECT id, name, epoch, head_seq, deleted_at IS NOT NULL AS deleted FROM documents
        WHERE name = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE
    ), batch AS MATERIALIZED (
        SELECT given.place, locked.id, given.origin, given.n, given.payload, given.checksum,
               locked.head_seq, locked.epoch, locked.deleted,
               locked.epoch = given.epoch AND NOT locked.deleted AS is_welcome,
               locked.id IS NULL AND given.epoch = 0 AS is_first,
               (SELECT seq FROM updates WHERE document_id = locked.id AND origin = given.origin AND n = given.n)
        FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[]) WITH ORDINALITY
             AS given (name, epoch, origin, n, payload, checksum, place)
        LEFT JOIN locked USING (name)
    ), new AS MATERIALIZED (
        SELECT place, id, head_seq + row_number() OVER (PARTITION BY id ORDER BY place) AS seq,
               origin, n, payload, checksum
        FROM batch
        WHERE is_welcome AND seq IS NULL AND NOT EXISTS (SELECT FROM batch WHERE is_first)
    ), inserted AS (
        INSERT INTO updates (document_id, seq, origin, n, payload, checksum, created_at)
        SELECT id, seq, origin, n, payload, checksum, $7 FROM new
    ), moved AS (
        UPDATE documents SET head_seq = documents.head_seq + added.rows, tail_rows = tail_rows + added.rows,
                             tail_bytes = tail_bytes + added.bytes, updated_at = $7,
                             active_at = CASE WHEN active_at <= $8 THEN $7 ELSE active_at END
        FROM (SELECT id, count(*) AS rows, sum(octet_length(payload)) AS bytes FROM new GROUP BY id) AS added
        WHERE documents.id = added.id
    )
    SELECT coalesce(new.seq, batch.seq), epoch, deleted FROM batch LEFT JOIN new USING (place) ORDER BY place
"""
