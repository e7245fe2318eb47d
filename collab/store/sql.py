"""The store in Postgres or SQLite: the same statements for both.

``append`` is the heart. In one transaction: make unknown documents, lock the rows of all documents of the batch
in id order, see which rows are there already, insert only the missing with the next numbers, move the heads.
The lock makes ``seq`` gapless and its order that of the commits; looking first makes a retry harmless.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from datetime import UTC, datetime
from typing import Any, BinaryIO

from sqlalchemy import Row as SqlRow
from sqlalchemy import func, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from collab.errors import (
    DocumentDeleted,
    DocumentExists,
    DocumentNotFound,
    InvalidRequest,
    RoomClosed,
)
from collab.ids import DocumentName, Epoch, Origin, Sequence
from collab.protocol.rows import CommittedRow, Row
from collab.store.base import (
    Committed,
    Deleted,
    DocumentInfo,
    EpochChanged,
    Head,
    Outcome,
    Snapshot,
    Stored,
    Tail,
)
from collab.store.engine import is_sqlite, lock_sqlite, make_engine, mapped_errors
from collab.store.schema import REVISION, documents, snapshots, updates

ZLIB = 1
TIMEOUT_S = 10.0


class SqlStore:
    """``Store`` over SQLAlchemy. ``timeout_s`` bounds every statement."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._writer: AsyncEngine = make_engine(url, writes=True, timeout_s=timeout_s)
        self._reader: AsyncEngine = make_engine(url, writes=False, timeout_s=timeout_s)
        self._lock: BinaryIO | None = None

    async def open(self) -> None:
        """Check the schema. Raises InvalidRequest when it is another, or the SQLite file is taken."""
        if is_sqlite(self._url) and self._lock is None:
            self._lock = lock_sqlite(self._url)
        found = None
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            try:
                found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise
        if found != REVISION:
            raise InvalidRequest(
                f"The database has schema {found or 'none'} and this version needs {REVISION}: run `collab migrate`."
            )

    async def close(self) -> None:
        """Give everything back."""
        await self._writer.dispose()
        await self._reader.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def ping(self) -> None:
        """One question."""
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            await connection.execute(select(1))

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """See the module."""
        async with mapped_errors(self._timeout_s), self._writer.begin() as connection:
            heads = await self._lock_documents(connection, sorted({row.document for row in rows}))
            present = await self._present(connection, rows, heads)
            return await self._insert_missing(connection, rows, heads, present)

    async def _lock_documents(self, connection: AsyncConnection, names: list[DocumentName]) -> dict[str, SqlRow[Any]]:
        now = datetime.now(UTC)
        found = await connection.execute(select(documents.c.name).where(documents.c.name.in_(names)))
        missing = set(names) - set(found.scalars())
        if missing:  # in name order, and only the unknown: two writers who meet here wait, never knot
            await connection.execute(self._insert_or_ignore(), [_new(name, "", now) for name in sorted(missing)])
        locked = await connection.execute(
            select(documents)
            .where(documents.c.name.in_(names))
            .order_by(documents.c.id)
            .with_for_update(key_share=True)
        )
        return {row.name: row for row in locked}

    def _insert_or_ignore(self) -> Any:
        dialect = sqlite if is_sqlite(self._url) else postgresql
        return dialect.insert(documents).on_conflict_do_nothing(index_elements=["name"])

    async def _present(
        self, connection: AsyncConnection, rows: Seq[Row], heads: Mapping[str, SqlRow[Any]]
    ) -> dict[tuple[int, int, int], int]:
        """Which rows of the batch are in the log already, and where."""
        keys = [(heads[row.document].id, row.origin, row.n) for row in rows]
        found = await connection.execute(
            select(updates.c.document_id, updates.c.origin, updates.c.n, updates.c.seq).where(
                tuple_(updates.c.document_id, updates.c.origin, updates.c.n).in_(keys)
            )
        )
        return {(document, origin, n): seq for document, origin, n, seq in found}

    async def _insert_missing(
        self,
        connection: AsyncConnection,
        rows: Seq[Row],
        heads: Mapping[str, SqlRow[Any]],
        present: dict[tuple[int, int, int], int],
    ) -> list[Outcome]:
        now = datetime.now(UTC)
        ends = {row.id: row.head_seq for row in heads.values()}
        added: dict[int, list[int]] = defaultdict(list)
        values: list[dict[str, Any]] = []
        outcomes: list[Outcome] = []
        for row in rows:
            document = heads[row.document]
            key = (document.id, row.origin, row.n)
            if key not in present:
                if document.deleted_at is not None:
                    outcomes.append(Deleted())
                    continue
                if document.epoch != row.epoch:
                    outcomes.append(EpochChanged())
                    continue
                ends[document.id] += 1
                present[key] = ends[document.id]
                added[document.id].append(len(row.payload))
                values.append(_log_row(document.id, ends[document.id], row, now))
            outcomes.append(Committed(Sequence(present[key])))
        if values:
            await connection.execute(insert(updates), values)
            for id_, sizes in added.items():
                await connection.execute(_grow(id_, ends[id_], len(sizes), sum(sizes), now))
        return outcomes

    async def load(self, name: DocumentName) -> Stored:
        """In one transaction that sees one moment."""
        async with mapped_errors(self._timeout_s), self._snapshot_read() as connection:
            document = (await connection.execute(select(documents).where(documents.c.name == name))).first()
            if document is None:
                return Stored(Epoch(0), Sequence(0), None, ())
            found = (await connection.execute(select(snapshots).where(snapshots.c.document_id == document.id))).first()
            snapshot = None if found is None else _snapshot(name, found)
            cut = 0 if snapshot is None else snapshot.cut
            tail = await self._rows(connection, name, document.id, cut, None)
        return Stored(
            Epoch(document.epoch),
            Sequence(document.head_seq),
            snapshot,
            tuple(tail),
            deleted=document.deleted_at is not None,
        )

    def _snapshot_read(self) -> Any:
        engine = self._reader
        if not is_sqlite(self._url):
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        return engine.begin()

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        """The next rows."""
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            id_ = (await connection.execute(select(documents.c.id).where(documents.c.name == name))).scalar()
            return [] if id_ is None else await self._rows(connection, name, id_, cursor, limit)

    @staticmethod
    async def _rows(
        connection: AsyncConnection, name: str, id_: int, cursor: int, limit: int | None
    ) -> list[CommittedRow]:
        found = await connection.execute(
            select(updates.c.seq, updates.c.origin, updates.c.n, updates.c.payload, updates.c.checksum)
            .where(updates.c.document_id == id_, updates.c.seq > cursor)
            .order_by(updates.c.seq)
            .limit(limit)
        )
        rows = []
        for seq, origin, n, payload, checksum in found:
            _check(payload, checksum, f"Row {seq} of the document {name!r}")
            rows.append(CommittedRow(Sequence(seq), Origin(origin), n, payload))
        return rows

    async def heads(self, cursors: Mapping[DocumentName, Sequence]) -> dict[DocumentName, Head]:
        """One query for all."""
        columns = (documents.c.name, documents.c.head_seq, documents.c.epoch, documents.c.deleted_at)
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            found = await connection.execute(select(*columns).where(documents.c.name.in_(list(cursors))))
            return {
                name: Head(Sequence(seq), Epoch(epoch), deleted_at is not None)
                for name, seq, epoch, deleted_at in found
                if deleted_at is not None or seq != cursors[name]
            }

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        """A versioned update that must hit its one row; the document's row is locked meanwhile."""
        async with mapped_errors(self._timeout_s), self._writer.begin() as connection:
            document = (
                await connection.execute(
                    select(documents).where(documents.c.name == name).with_for_update(key_share=True)
                )
            ).first()
            if document is None or document.epoch != epoch or snapshot.cut > document.head_seq:
                return False
            if not await self._replace(connection, document.id, snapshot):
                return False
            left = (
                await connection.execute(
                    select(func.count(), func.coalesce(func.sum(func.length(updates.c.payload)), 0)).where(
                        updates.c.document_id == document.id, updates.c.seq > snapshot.cut
                    )
                )
            ).one()
            await connection.execute(
                update(documents).where(documents.c.id == document.id).values(tail_rows=left[0], tail_bytes=left[1])
            )
            return True

    @staticmethod
    async def _replace(connection: AsyncConnection, id_: int, snapshot: Snapshot) -> bool:
        found = (
            await connection.execute(select(snapshots.c.version, snapshots.c.cut).where(snapshots.c.document_id == id_))
        ).first()
        version, cut = (0, 0) if found is None else (found.version, found.cut)
        if version != snapshot.version or snapshot.cut <= cut:
            return False
        values = {
            "cut": snapshot.cut,
            "version": version + 1,
            "codec": ZLIB,
            "state": zlib.compress(snapshot.state, 1),
            "size": len(snapshot.state),
            "checksum": zlib.crc32(snapshot.state),
            "updated_at": datetime.now(UTC),
        }
        if found is None:
            await connection.execute(insert(snapshots).values(document_id=id_, **values))
            return True
        done = await connection.execute(
            update(snapshots).where(snapshots.c.document_id == id_, snapshots.c.version == version).values(values)
        )
        return done.rowcount == 1

    async def tails(self, rows_min: int, limit: int) -> list[Tail]:
        """From counters kept by ``append`` and ``put_snapshot``: no log is read."""
        query = (
            select(
                documents.c.name,
                documents.c.tail_rows,
                documents.c.tail_bytes,
                func.coalesce(snapshots.c.size, 0),
            )
            .outerjoin(snapshots, snapshots.c.document_id == documents.c.id)
            .where(documents.c.tail_rows >= rows_min, documents.c.deleted_at.is_(None))
            .order_by(documents.c.tail_rows.desc(), documents.c.name)
            .limit(limit)
        )
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            return [Tail(*row) for row in await connection.execute(query)]

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, after: str, limit: int) -> list[DocumentInfo]:
        """By name."""
        query = (
            select(documents)
            .where(documents.c.name > after, documents.c.deleted_at.is_(None))
            .order_by(documents.c.name)
            .limit(limit)
        )
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            return [_info(row) for row in await connection.execute(query)]

    async def find(self, name: DocumentName) -> DocumentInfo:
        """One entry."""
        async with mapped_errors(self._timeout_s), self._reader.begin() as connection:
            return _info(await _existing(connection, name))

    async def create(self, name: DocumentName, title: str) -> DocumentInfo:
        """An empty document."""
        try:
            async with mapped_errors(self._timeout_s), self._writer.begin() as connection:
                await connection.execute(insert(documents).values(_new(name, title, datetime.now(UTC))))
                return _info(await _existing(connection, name))
        except IntegrityError:
            await self.find(name)  # raises DocumentDeleted when it is in the bin
            raise DocumentExists from None

    async def set_title(self, name: DocumentName, title: str) -> DocumentInfo:
        """Change one column."""
        async with mapped_errors(self._timeout_s), self._writer.begin() as connection:
            await _existing(connection, name)
            await connection.execute(
                update(documents).where(documents.c.name == name).values(title=title, updated_at=datetime.now(UTC))
            )
            return _info(await _existing(connection, name))

    async def delete(self, name: DocumentName) -> None:
        """Mark it. An append that is under way comes before or after, by the row's lock."""
        async with mapped_errors(self._timeout_s), self._writer.begin() as connection:
            done = await connection.execute(
                update(documents)
                .where(documents.c.name == name, documents.c.deleted_at.is_(None))
                .values(deleted_at=datetime.now(UTC))
            )
            if done.rowcount != 1:
                await _existing(connection, name)


async def _existing(connection: AsyncConnection, name: str) -> SqlRow[Any]:
    row = (await connection.execute(select(documents).where(documents.c.name == name))).first()
    if row is None:
        raise DocumentNotFound
    if row.deleted_at is not None:
        raise DocumentDeleted
    return row


def _new(name: str, title: str, now: datetime) -> dict[str, Any]:
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


def _log_row(id_: int, seq: int, row: Row, now: datetime) -> dict[str, Any]:
    return {
        "document_id": id_,
        "seq": seq,
        "origin": row.origin,
        "n": row.n,
        "payload": row.payload,
        "checksum": zlib.crc32(row.payload),
        "created_at": now,
    }


def _grow(id_: int, head: int, rows: int, size: int, now: datetime) -> Any:
    return (
        update(documents)
        .where(documents.c.id == id_)
        .values(
            head_seq=head,
            tail_rows=documents.c.tail_rows + rows,
            tail_bytes=documents.c.tail_bytes + size,
            updated_at=now,
        )
    )


def _snapshot(name: str, row: SqlRow[Any]) -> Snapshot:
    state = zlib.decompress(row.state)
    _check(state, row.checksum, f"The snapshot of the document {name!r}")
    return Snapshot(Sequence(row.cut), state, row.version)


def _check(data: bytes, checksum: int, what: str) -> None:
    if zlib.crc32(data) != checksum:
        raise RoomClosed(f"{what} is damaged in the database; restore it from a backup.")


def _info(row: SqlRow[Any]) -> DocumentInfo:
    return DocumentInfo(
        DocumentName(row.name), row.title, Sequence(row.head_seq), Epoch(row.epoch), row.created_at, row.updated_at
    )
