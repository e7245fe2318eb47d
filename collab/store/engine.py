"""Connections to the database, transactions that end in time, and the one table from driver errors to ours.

It stands between the statements of this package and the drivers. On Postgres the log is written on a connection
of its own, so that no request can make it wait. SQLite is for one process: a lock file beside the database
refuses a second. It has one writer, which begins with ``BEGIN IMMEDIATE``, since a transaction that reads first
and writes later fails at once when another has written. Errors are logged, so what people wrote stands in none.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from collab.errors import InvalidRequest, StoreUnavailable

PASSING: Mapping[str, str] = {
    # SQLSTATE, or how it begins → what an operator needs to hear. What is not here is a bug, or damage.
    "08": "the connection was lost",
    "25006": "it accepts no writes, as a standby does",
    "28": "it refuses the user or the password",
    "3D000": "the database is not there",
    "40001": "a transaction lost a race",
    "40P01": "two transactions waited for each other",
    "53100": "its disk is full",
    "53300": "it has no connection left",
    "53": "it lacks a resource",
    "55P03": "a lock was not to be had in time",
    "57014": "a statement was cancelled",
    "57P": "it is starting or stopping",
    "58": "its system reports an error",
    # SQLite's names for the same
    "SQLITE_BUSY": "another program holds the file",
    "SQLITE_LOCKED": "another program holds the file",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk reports an error",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_READONLY": "the file cannot be written",
}
"""The errors that pass: whoever meets one may try the very same thing again. The longest beginning counts."""


class Database:
    """One database by its URL, in the four ways in which this package uses it.

    No block entered here takes longer than ``timeout_s``, also when the server has stopped answering: it raises
    StoreUnavailable, and what it would have done may or may not have been done. Leaving a block commits.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.is_sqlite = is_sqlite(url)
        self._timeout_s = timeout_s
        if self.is_sqlite:
            self._appender = _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1, timeout_s=timeout_s)
            self._reader = self._view = _sqlite_engine(url, "BEGIN", connections=4, timeout_s=timeout_s)
            self._writer = self._appender
            return
        # Asking a connection whether it lives costs round trips. The log does without: whoever appends repeats
        # what failed anyway.
        self._appender = _postgres_engine(url, timeout_s, pool_size=1, max_overflow=0)
        pool = _postgres_engine(
            url, timeout_s, pool_size=5, max_overflow=5, pool_pre_ping=True, isolation_level="AUTOCOMMIT"
        )
        self._reader = pool
        self._view = pool.execution_options(isolation_level="REPEATABLE READ")
        self._writer = pool.execution_options(isolation_level="READ COMMITTED")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """For one statement."""
        async with self._begin(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def view(self) -> AsyncIterator[AsyncConnection]:
        """For several statements that see one moment."""
        async with self._begin(self._view) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """For a change."""
        async with self._begin(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def append(self) -> AsyncIterator[AsyncConnection]:
        """For a change to the log."""
        async with self._begin(self._appender) as connection:
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
        """Hang up: a rollback would wait for the very server that does not answer. SQLite is asked in our own house."""
        if not self.is_sqlite and connection.sync_connection is not None:
            connection.sync_connection.invalidate()

    async def close(self) -> None:
        """Give every connection back. Idempotent."""
        await self._appender.dispose()
        await self._reader.dispose()


def is_sqlite(url: str) -> bool:
    """Whether the URL names a file."""
    return url.startswith("sqlite")


def _postgres_engine(url: str, timeout_s: float, **options: Any) -> AsyncEngine:
    patience = {"timeout": timeout_s, "command_timeout": timeout_s}
    return create_async_engine(
        url, pool_timeout=timeout_s, pool_recycle=1800, connect_args=patience, hide_parameters=True, **options
    )


def _sqlite_engine(url: str, begin: str, *, connections: int, timeout_s: float) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=timeout_s, hide_parameters=True
    )
    busy_ms = int(timeout_s * 1000 / 2)  # it must give up before we do

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={busy_ms}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def lock_sqlite(url: str) -> BinaryIO:
    """Hold a SQLite file for this process. Raises InvalidRequest when another does, or it cannot be kept there."""
    path = Path(make_url(url).database or "")
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
            f"Another process has {path} open, and SQLite is for one: stop it, or use Postgres."
        ) from None
    return file


@contextmanager
def mapped_errors() -> Iterator[None]:
    """What is raised inside comes out as StoreUnavailable when it passes; anything else is a bug and stays."""
    try:
        yield
    except (OSError, exc.SQLAlchemyError) as cause:
        reason = why_it_passes(cause)
        if reason is None:
            raise
        raise StoreUnavailable(f"The database does not answer: {reason}.") from cause


def why_it_passes(error: OSError | exc.SQLAlchemyError) -> str | None:
    """A few words for the operator, who reads no traceback; None when it does not pass.

    They hold no address and nothing of the statement or its parameters: peers see them too.
    """
    match error:
        case exc.TimeoutError():
            return "no connection was free in time"
        case TimeoutError(errno=None):
            return "nothing came back in time"
        case OSError():
            return _words_of_the_system(error)
        case exc.DBAPIError():
            return _words_of_the_database(error)
    return None


def _words_of_the_system(error: OSError) -> str:
    number = error.errno or 0
    # With a number of its own, the driver's text holds the address; name resolution has negative ones.
    words = os.strerror(number) if number > 0 else error.strerror if number < 0 else None
    return (words or "the connection failed").lower()


def _words_of_the_database(error: exc.DBAPIError) -> str | None:
    code = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or "")
    known = max((start for start in PASSING if code.startswith(start)), key=len, default=None)
    if known is not None:
        return f"{PASSING[known]} ({code})"
    return PASSING["08"] if error.connection_invalidated else None
