"""Connections to the database, transactions with a time limit, and the table from driver errors to ours.

On Postgres the log is written on a connection of its own, so that no request can delay it. SQLite is for one process: a
lock file beside the database refuses a second one. It has one connection that writes, which begins with ``BEGIN
IMMEDIATE``, because a transaction that reads first and writes later fails at once if another has written meanwhile.
Errors are logged, so they never contain what people wrote.
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

TRANSIENT: Mapping[str, str] = {
    # SQLSTATE, or its beginning → what an operator needs to know. Any other error is a bug, or damage.
    "08": "the connection was lost",
    "25006": "it accepts no writes, as a standby does",
    "28": "it refuses the user or the password",
    "3D000": "the database does not exist",
    "40001": "a transaction lost a race",
    "40P01": "two transactions waited for each other",
    "53100": "its disk is full",
    "53300": "it has no free connection",
    "53": "it has run out of a resource",
    "55P03": "a lock was not free in time",
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
"""Errors after which the same call may be tried again. The longest matching beginning counts."""


class Database:
    """The database at a URL, with one kind of transaction for each of the four uses that this package makes of it.

    Leaving a transaction's block commits it. No block takes longer than ``timeout_s``, also when the server has stopped
    answering: it then raises StoreUnavailable, and its changes may or may not have been made.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.is_sqlite = is_sqlite(url)
        self._timeout_s = timeout_s
        if self.is_sqlite:
            self._appender = _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1, timeout_s=timeout_s)
            self._reader = self._view = _sqlite_engine(url, "BEGIN", connections=4, timeout_s=timeout_s)
            self._writer = self._appender
            return
        # A ping before each use would cost a round trip. The log does without: a failed append is repeated anyway.
        self._appender = _postgres_engine(url, timeout_s, pool_size=1, max_overflow=0)
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
        """Begin a transaction that changes something other than the log."""
        async with self._begin(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def append(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that appends to the log."""
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
        """Close the connection without a rollback, which would wait for the server that does not answer."""
        if not self.is_sqlite and connection.sync_connection is not None:
            connection.sync_connection.invalidate()

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._appender.dispose()
        await self._reader.dispose()


def is_sqlite(url: str) -> bool:
    """Return True if the URL is that of an SQLite file."""
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


def lock_sqlite(url: str) -> BinaryIO:
    """Lock an SQLite file for this process.

    Raises InvalidRequest when another process holds it, or its directory cannot be written.
    """
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
            f"Another process has {path} open, and SQLite is for one process: stop it, or use Postgres."
        ) from None
    return file


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn transient errors of the block into StoreUnavailable. Any other error is a bug and passes unchanged."""
    try:
        yield
    except (OSError, exc.SQLAlchemyError) as cause:
        reason = transient_reason(cause)
        if reason is None:
            raise
        raise StoreUnavailable(f"The database does not answer: {reason}.") from cause


def transient_reason(error: OSError | exc.SQLAlchemyError) -> str | None:
    """Return a few words for the operator, or None when the error is not transient.

    They contain no address and nothing of the statement or its parameters: clients see them too.
    """
    match error:
        case exc.TimeoutError():
            return "no connection was free in time"
        case TimeoutError(errno=None):
            return "nothing came back in time"
        case OSError():
            return _system_reason(error)
        case exc.DBAPIError():
            return _database_reason(error)
    return None


def _system_reason(error: OSError) -> str:
    number = error.errno or 0
    # The driver's own text contains the address. Errors of name resolution have negative numbers.
    words = os.strerror(number) if number > 0 else error.strerror if number < 0 else None
    return (words or "the connection failed").lower()


def _database_reason(error: exc.DBAPIError) -> str | None:
    code = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or "")
    known = max((start for start in TRANSIENT if code.startswith(start)), key=len, default=None)
    if known is not None:
        return f"{TRANSIENT[known]} ({code})"
    return TRANSIENT["08"] if error.connection_invalidated else None
