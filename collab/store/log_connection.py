"""The connection on which Postgres' log is written: asyncpg itself, beneath SQLAlchemy.

Every edit waits for an append, and SQLAlchemy's async layer takes several times the processor time of the driver below
it. So SQLAlchemy opens the connection, as it opens all others (address, TLS, authentication, time limits), and is not
asked again: the driver's connection is kept from one append to the next. It has no pool of its own, no ping before each
use, which would cost a round trip, and no transaction that a caller could leave open: each statement is one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from collab.store.transient import mapped_errors

RECYCLE_S = 1800
"""How old a connection becomes, so that what its server has gathered for it does not grow for ever."""


class LogConnection:
    """One driver connection from ``engine``, lent to one caller at a time.

    A block takes no longer than ``timeout_s``, the wait for its turn included: it then raises StoreUnavailable, and its
    statement may or may not have been carried out.
    """

    def __init__(self, engine: AsyncEngine, *, timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._kept: tuple[AsyncConnection, asyncpg.Connection] | None = None
        self._opened_s = 0.0

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend the connection.

        A block that fails or is cancelled loses it: the driver may still wait for an answer, and after a failover
        another server may be the one to write to. No answer is waited for; the next block connects anew.
        """
        with mapped_errors():
            async with asyncio.timeout(self._timeout_s), self._turn:
                driver = await self._connected()
                try:
                    with _noticed_end(driver):
                        yield driver
                except BaseException:
                    self._abandon()
                    raise

    async def close(self) -> None:
        """Close the connection. Idempotent; a later block would open it again."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[0].close()
        await self._engine.dispose()

    async def _connected(self) -> asyncpg.Connection:
        if self._kept is not None:
            if not self._kept[1].is_closed() and time.monotonic() - self._opened_s < RECYCLE_S:
                return self._kept[1]
            self._abandon()
        connection = await self._engine.connect()
        driver = cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)
        self._kept, self._opened_s = (connection, driver), time.monotonic()
        return driver

    def _abandon(self) -> None:
        assert self._kept is not None
        connection, self._kept = self._kept[0], None
        if connection.sync_connection is not None:
            connection.sync_connection.invalidate()


@contextmanager
def _noticed_end(driver: asyncpg.Connection) -> Iterator[None]:
    """Name the end of a connection as such: the driver reports a misuse when it comes between two statements."""
    try:
        yield
    except asyncpg.InternalClientError as error:  # the server has said goodbye, and the driver waits for more
        raise asyncpg.ConnectionDoesNotExistError("the connection is about to end") from error
    except asyncpg.InterfaceError as error:
        if driver.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("the connection has ended") from error
        raise
