"""The store in Postgres or SQLite: each method of ``Store`` in its transaction.

The statements are in ``append_postgres``, ``append_sqlite``, ``log``, ``snapshots``, ``catalog``, ``listing``,
``deletion`` and ``sharing``; how transactions begin, and how long they may take, is in ``engine``.
"""

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Seq
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.access.roles import Role
from collab.access.sharing import AccessRequest, Link, Member, Sharing
from collab.errors import DocumentExists, DocumentNotFound, InvalidRequest
from collab.ids import DocumentName, Epoch, LinkId, Sequence, UserId
from collab.protocol.rows import CommittedRow, Row
from collab.store import append_postgres, append_sqlite, catalog, deletion, listing, log, sharing, snapshots
from collab.store.base import NOTHING, DocumentInfo, Head, ListQuery, Outcome, Page, Snapshot, Stored, Tail
from collab.store.engine import Database, is_sqlite, lock_sqlite
from collab.store.schema import REVISION

TIMEOUT_S = 10.0

CLEARED_AT_ONCE = 5000
"""Rows of a purged document that one transaction removes, where somebody waits for its name."""


class SqlStore:
    """A ``Store`` over SQLAlchemy. A call that takes longer than ``timeout_s`` raises StoreUnavailable."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._database = Database(url, timeout_s=timeout_s)
        self._lock: BinaryIO | None = None

    async def open(self) -> None:
        """Check the schema. Raises InvalidRequest when it is another one, or another process has the SQLite file."""
        if is_sqlite(self._url) and self._lock is None:
            self._lock = lock_sqlite(self._url)
        try:
            await self._check_schema()
        except BaseException:
            await self.close()  # a store that did not open is not closed by its user
            raise

    async def _check_schema(self) -> None:
        async with self._database.read() as connection:
            found = await _revision(connection)
        if found != REVISION:
            raise InvalidRequest(
                f"The database has schema {found or 'none'} and this version needs {REVISION}: run `collab migrate`."
            )

    async def close(self) -> None:
        """Close the connections and release the lock of the SQLite file."""
        await self._database.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def ping(self) -> None:
        """Run one query."""
        async with self._database.read() as connection:
            await connection.execute(select(1))

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """Commit all rows in one transaction."""
        if self._database.log is None:
            async with self._database.write() as connection:
                return await append_sqlite.append(connection, rows)
        async with self._database.log.lend() as connection:
            return await append_postgres.append(connection, rows)

    async def load(self, name: DocumentName) -> Stored:
        """Read everything in one transaction that sees one moment."""
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
        """Return the next rows."""
        async with self._database.read() as connection:
            return await log.rows_after(connection, name, cursor, limit)

    async def heads(
        self, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int] = NOTHING
    ) -> dict[DocumentName, Head]:
        """Return the changed heads, with one query for all."""
        async with self._database.read() as connection:
            return await log.heads(connection, cursors, access)

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        """Compress the snapshot, then store it: nothing slow happens inside the transaction."""
        packed = await snapshots.pack(snapshot)
        async with self._database.write() as connection:
            return await snapshots.put(connection, name, epoch, packed)

    async def tails(self, *, row_cost: int, cost_min: int, limit: int) -> list[Tail]:
        """Return the costliest tails."""
        async with self._database.read() as connection:
            return await snapshots.tails(connection, row_cost, cost_min, limit)

    async def tail(self, name: DocumentName) -> Tail | None:
        """Return one tail."""
        async with self._database.read() as connection:
            return await snapshots.tail(connection, name)

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, query: ListQuery) -> Page:
        """Return one page, of one moment."""
        async with self._database.view() as connection:
            return await listing.list_documents(connection, query)

    async def find(self, name: DocumentName) -> DocumentInfo:
        """Return one entry."""
        async with self._database.read() as connection:
            return await catalog.find(connection, name)

    async def create(self, name: DocumentName, title: str, owner: UserId | None = None) -> DocumentInfo:
        """Create an empty document."""
        try:
            async with self._database.write() as connection:
                return await catalog.create(connection, name, title, owner)
        except IntegrityError:
            return await self._create_again(name, title, owner)

    async def _create_again(self, name: DocumentName, title: str, owner: UserId | None) -> DocumentInfo:
        """Create a document whose name is taken: the one that has it may be purged."""
        try:
            await self.find(name)
        except DocumentNotFound:
            while await self.clear_purged(CLEARED_AT_ONCE, name):
                pass
        async with self._database.write() as connection:
            if await deletion.create_again(connection, name, title):
                if owner is not None:
                    await catalog.add_owners(connection, {name: owner})
                return await catalog.find(connection, name)
        raise DocumentExists

    async def set_titles(self, titles: Mapping[DocumentName, str]) -> None:
        """Change titles, in one transaction."""
        async with self._database.write() as connection:
            await catalog.set_titles(connection, titles)

    async def latest(self, limit: int) -> list[DocumentInfo]:
        """Return the documents that changed last."""
        async with self._database.read() as connection:
            return await catalog.latest(connection, limit)

    # --- the bin -----------------------------------------------------------------------------------

    async def delete(self, name: DocumentName) -> None:
        """Move a document to the bin."""
        async with self._database.write() as connection:
            await deletion.delete(connection, name)

    async def restore(self, name: DocumentName) -> DocumentInfo:
        """Take a document out of the bin."""
        async with self._database.write() as connection:
            return await deletion.restore(connection, name)

    async def purge(self, name: DocumentName) -> None:
        """Delete a document for good."""
        async with self._database.write() as connection:
            await deletion.purge(connection, name)

    async def purge_older(self, deleted_before: datetime, limit: int) -> list[DocumentName]:
        """Purge what was deleted long ago."""
        async with self._database.write() as connection:
            return await deletion.purge_older(connection, deleted_before, limit)

    async def clear_purged(self, limit: int, name: DocumentName | None = None) -> int:
        """Remove rows of purged documents, or of this one."""
        async with self._database.write() as connection:
            return await deletion.clear_purged(connection, limit, name)

    # --- sharing -----------------------------------------------------------------------------------

    async def sharing(self, name: DocumentName, users: Collection[UserId], links: Collection[LinkId]) -> Sharing:
        """Return what the lists say, from one statement."""
        async with self._database.read() as connection:
            return await sharing.sharing(connection, name, users, links)

    async def list_members(self, name: DocumentName) -> list[Member]:
        """Return all members."""
        async with self._database.read() as connection:
            return await sharing.list_members(connection, name)

    async def put_member(self, name: DocumentName, user: UserId, role: Role) -> Member:
        """Add a member or change a role."""
        async with self._database.write() as connection:
            return await sharing.put_member(connection, name, user, role)

    async def remove_member(self, name: DocumentName, user: UserId) -> None:
        """Remove a member."""
        async with self._database.write() as connection:
            await sharing.remove_member(connection, name, user)

    async def list_links(self, name: DocumentName) -> list[Link]:
        """Return all links."""
        async with self._database.read() as connection:
            return await sharing.list_links(connection, name)

    async def add_link(self, link: Link, secret_digest: bytes) -> None:
        """Add a link."""
        async with self._database.write() as connection:
            await sharing.add_link(connection, link, secret_digest)

    async def remove_link(self, name: DocumentName, link: LinkId) -> None:
        """Revoke a link."""
        async with self._database.write() as connection:
            await sharing.remove_link(connection, name, link)

    async def find_link(self, secret_digest: bytes) -> Link | None:
        """Return the link with this digest."""
        async with self._database.read() as connection:
            return await sharing.find_link(connection, secret_digest)

    async def set_published(self, name: DocumentName, published: bool) -> None:
        """Publish, or take back."""
        async with self._database.write() as connection:
            await sharing.set_published(connection, name, published)

    async def list_requests(self, name: DocumentName) -> list[AccessRequest]:
        """Return all requests."""
        async with self._database.read() as connection:
            return await sharing.list_requests(connection, name)

    async def add_request(self, name: DocumentName, request: AccessRequest) -> None:
        """Add a request."""
        async with self._database.write() as connection:
            await sharing.add_request(connection, name, request)


async def _revision(connection: AsyncConnection) -> str | None:
    """Return the migration that the database is at, or None."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
        return None
    return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
