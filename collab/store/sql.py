"""The store in Postgres or SQLite: which transaction each promise of ``Store`` takes.

What happens inside the transactions is told by ``append``, ``log``, ``snapshots`` and ``catalog``; how they begin,
end in time and fail, by ``engine``.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from typing import BinaryIO

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.errors import DocumentExists, InvalidRequest
from collab.ids import DocumentName, Epoch, Sequence
from collab.protocol.rows import CommittedRow, Row
from collab.store import append, catalog, log, snapshots
from collab.store.base import DocumentInfo, Head, Outcome, Snapshot, Stored, Tail
from collab.store.engine import Database, is_sqlite, lock_sqlite
from collab.store.schema import REVISION

TIMEOUT_S = 10.0


class SqlStore:
    """``Store`` over SQLAlchemy. ``timeout_s`` bounds every call: after it, StoreUnavailable."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._database = Database(url, timeout_s=timeout_s)
        self._lock: BinaryIO | None = None

    async def open(self) -> None:
        """Check the schema. Raises InvalidRequest when it is another, or the SQLite file is taken."""
        if is_sqlite(self._url) and self._lock is None:
            self._lock = lock_sqlite(self._url)
        try:
            await self._check_schema()
        except BaseException:
            await self.close()  # nobody closes what was never opened
            raise

    async def _check_schema(self) -> None:
        async with self._database.read() as connection:
            found = await _revision(connection)
        if found != REVISION:
            raise InvalidRequest(
                f"The database has schema {found or 'none'} and this version needs {REVISION}: run `collab migrate`."
            )

    async def close(self) -> None:
        """Give everything back."""
        await self._database.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def ping(self) -> None:
        """One question."""
        async with self._database.read() as connection:
            await connection.execute(select(1))

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """One transaction for all."""
        async with self._database.append() as connection:
            return await append.append(connection, rows)

    async def load(self, name: DocumentName) -> Stored:
        """In one transaction that sees one moment."""
        async with self._database.view() as connection:
            document = await log.document(connection, name)
            if document is None:
                return Stored(Epoch(0), Sequence(0), None, ())
            packed = await snapshots.find(connection, document.id)
            tail = await log.rows_after(connection, name, Sequence(0 if packed is None else packed.cut))
        return Stored(
            Epoch(document.epoch),
            Sequence(document.head_seq),
            None if packed is None else await snapshots.unpack(name, packed),
            tuple(tail),
            deleted=document.deleted_at is not None,
        )

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        """The next rows."""
        async with self._database.read() as connection:
            return await log.rows_after(connection, name, cursor, limit)

    async def heads(self, cursors: Mapping[DocumentName, Sequence]) -> dict[DocumentName, Head]:
        """One query for all."""
        async with self._database.read() as connection:
            return await log.heads(connection, cursors)

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        """Compressed first: nothing slow happens inside the transaction."""
        packed = await snapshots.pack(snapshot)
        async with self._database.write() as connection:
            return await snapshots.put(connection, name, epoch, packed)

    async def tails(self, *, row_cost: int, weight_min: int, limit: int) -> list[Tail]:
        """From the counters."""
        async with self._database.read() as connection:
            return await snapshots.tails(connection, row_cost, weight_min, limit)

    async def tail(self, name: DocumentName) -> Tail | None:
        """From the counters."""
        async with self._database.read() as connection:
            return await snapshots.tail(connection, name)

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, after: str, limit: int) -> list[DocumentInfo]:
        """By name."""
        async with self._database.read() as connection:
            return await catalog.list_documents(connection, after, limit)

    async def find(self, name: DocumentName) -> DocumentInfo:
        """One entry."""
        async with self._database.read() as connection:
            return await catalog.find(connection, name)

    async def create(self, name: DocumentName, title: str) -> DocumentInfo:
        """An empty document."""
        try:
            async with self._database.write() as connection:
                return await catalog.create(connection, name, title)
        except IntegrityError:
            await self.find(name)  # raises DocumentDeleted when it is in the bin
            raise DocumentExists from None

    async def set_title(self, name: DocumentName, title: str) -> DocumentInfo:
        """Change one column."""
        async with self._database.write() as connection:
            return await catalog.set_title(connection, name, title)

    async def delete(self, name: DocumentName) -> None:
        """Mark it."""
        async with self._database.write() as connection:
            await catalog.delete(connection, name)


async def _revision(connection: AsyncConnection) -> str | None:
    """Which migration the database has seen last."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
        return None
    return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
