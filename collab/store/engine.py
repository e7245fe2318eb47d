"""Connections to the database, and the one table from driver errors to ours.

SQLite is for one process: a lock file beside the database refuses a second. Its writers begin with ``BEGIN
IMMEDIATE``, since a transaction that reads first and writes later fails at once when another has written.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collab.errors import InvalidRequest, StoreUnavailable

PASSING_STATES = ("08", "53", "57P", "58", "25006", "40001", "40P01", "55P03", "57014")
"""SQLSTATEs (or their beginnings) of what passes: connections, resources, restarts, lost races."""


def is_sqlite(url: str) -> bool:
    """Whether the URL names a file."""
    return url.startswith("sqlite")


def make_engine(url: str, *, writes: bool, timeout_s: float) -> AsyncEngine:
    """An engine for one purpose: the writer has one connection of its own, so that readers cannot starve it."""
    if is_sqlite(url):
        engine = create_async_engine(url, pool_size=1 if writes else 4, max_overflow=0)
        _speak_sqlite(engine, begin="BEGIN IMMEDIATE" if writes else "BEGIN")
        return engine
    return create_async_engine(
        url,
        pool_size=1 if writes else 5,
        max_overflow=0 if writes else 5,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"timeout": timeout_s, "command_timeout": timeout_s},
    )


def _speak_sqlite(engine: AsyncEngine, *, begin: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def lock_sqlite(url: str) -> BinaryIO:
    """Hold a SQLite file for this process. Raises InvalidRequest when another process does."""
    path = Path(make_url(url).database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(path.name + ".lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise InvalidRequest(
            f"Another process has {path} open, and SQLite is for one: stop it, or use Postgres."
        ) from None
    return file


@asynccontextmanager
async def mapped_errors(timeout_s: float) -> AsyncIterator[None]:
    """What the driver raises inside comes out as ours when it passes; anything else is a bug and stays."""
    try:
        async with asyncio.timeout(timeout_s * 2):
            yield
    except (OSError, TimeoutError, exc.TimeoutError, exc.InterfaceError) as cause:
        raise StoreUnavailable from cause
    except exc.DBAPIError as cause:
        if _passes(cause):
            raise StoreUnavailable from cause
        raise


def _passes(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(PASSING_STATES)
    words = str(error.orig)
    return any(known in words for known in ("database is locked", "disk is full", "disk I/O error"))
