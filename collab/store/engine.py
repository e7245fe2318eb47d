"""Connections to the database, and transactions with a time limit.

On Postgres the log is written on a connection of its own (``log_connection``), so that no request can delay it.
SQLite is for one process: a lock file beside the database refuses a second one. It has one connection that writes,
which begins with ``BEGIN IMMEDIATE``, because a transaction that reads first and writes later fails at once if another
has written meanwhile.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from collab.errors import InvalidRequest
from collab.store.log_connection import RECYCLE_S, LogConnection
from collab.store.transient import mapped_errors


class Database:
    """The database at a URL, with one kind of transaction for each of the uses that this package makes of it.

    Leaving a transaction's block commits it. No block takes longer than ``timeout_s``, also when the server has stopped
    answering: it then raises StoreUnavailable, and its changes may or may not have been made.
    """

    log: LogConnection | None
    """Where the log is written on Postgres; None on SQLite, where ``write`` is the one transaction that writes."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._is_sqlite = is_sqlite(url)
        self._timeout_s = timeout_s
        if self._is_sqlite:
            self.log = None
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1, timeout_s=timeout_s)
            self._reader = self._view = _sqlite_engine(url, "BEGIN", connections=4, timeout_s=timeout_s)
            return
        self.log = LogConnection(_postgres_engine(url, timeout_s, pool_size=1, max_overflow=0), timeout_s=timeout_s)
        pool = _postgres_engine(
            url, timeout_s, pool_size=5, max_overflow=5, pool_pre_ping=True, isolation_level="AUTOCOMMIT"
        )
        self._reader = pool
        self._view = pool.execution_options(isolation_level="REPEATABLE READ")
        self._writer = pool.execution_options(isolation_level="READ COMMITTED")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction for one statement that reads."""
        async with self._begin(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def view(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction for several statements that read the same moment."""
        async with self._begin(self._view) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that changes something: on Postgres not the log, which has a connection of its own."""
        async with self._begin(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with mapped_errors():
            async with asyncio.timeout(self._timeout_s), engine.connect() as connection:
                try:
                    yield connection
                    await connection.commit()
                except asyncio.CancelledError:
                    self._abandon(connection)
                    raise

    def _abandon(self, connection: AsyncConnection) -> None:
        """Close the connection without a rollback, which would wait for the server that does not answer."""
        if not self._is_sqlite and connection.sync_connection is not None:
            connection.sync_connection.invalidate()

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        if self.log is not None:
            await self.log.close()
        await self._writer.dispose()
        await self._reader.dispose()


def is_sqlite(url: str) -> bool:
    """Return True if the URL is that of an SQLite file."""
    return url.startswith("sqlite")


def _postgres_engine(url: str, timeout_s: float, **options: Any) -> AsyncEngine:
    patience = {"timeout": timeout_s, "command_timeout": timeout_s}
    return create_async_engine(
        url, pool_timeout=timeout_s, pool_recycle=RECYCLE_S, connect_args=patience, hide_parameters=True, **options
    )


def _sqlite_engine(url: str, begin: str, *, connections: int, timeout_s: float) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=timeout_s, hide_parameters=True
    )
    busy_ms = int(timeout_s * 1000 / 2)  # SQLite must give up before the block's own limit

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions itself
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={busy_ms}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def sqlite_file(url: str) -> Path:
    """Return the path of the SQLite file at this URL."""
    return Path(make_url(url).database or "")


def is_sqlite_in_use(url: str) -> bool:
    """Return True if another process has the SQLite file open."""
    path = sqlite_file(url)
    try:
        with path.with_name(path.name + ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def lock_sqlite(url: str) -> BinaryIO:
    """Lock an SQLite file for this process.

    Raises InvalidRequest when another process holds it, or its directory cannot be written.
    """
    path = sqlite_file(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(path.name + ".lock").open("wb")
    except OSError as error:
        raise InvalidRequest(
            f"The database cannot be kept in {path} ({error.strerror}): set COLLAB_DATA_DIR, or COLLAB_DATABASE_URL, "
            "to a place that can be written."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise InvalidRequest(
            f"Another process has {path} open, and SQLite is for one process: stop it, or use Postgres."
        ) from None
    return file
