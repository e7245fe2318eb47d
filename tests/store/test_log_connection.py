"""The connection that the log is written on: it is kept while it is good, and given up as soon as it may not be."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from collab.errors import StoreUnavailable
from collab.store import log_connection as module
from collab.store.log_connection import LogConnection
from collab.store.sql import SqlStore

pytestmark = pytest.mark.services


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[LogConnection]:
    store = SqlStore(postgres_url)
    assert store._database.log is not None
    yield store._database.log
    await store.close()


async def backend(log: LogConnection) -> int:
    """Return which of the server's processes answers."""
    async with log.lend() as driver:
        pid: int = await driver.fetchval("SELECT pg_backend_pid()")
    return pid


async def test_connection_is_kept_from_one_block_to_the_next(log: LogConnection) -> None:
    assert await backend(log) == await backend(log) == await backend(log)


async def test_blocks_take_turns(log: LogConnection) -> None:
    assert len(set(await asyncio.gather(*(backend(log) for _ in range(10))))) == 1


async def test_old_connection_is_replaced(log: LogConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECYCLE_S", 0)
    assert await backend(log) != await backend(log)


async def test_ended_connection_is_replaced_without_an_error(log: LogConnection) -> None:
    first = await backend(log)
    async with log.lend() as driver:
        await driver.close()
    assert await backend(log) != first


async def test_failed_block_loses_the_connection(log: LogConnection) -> None:
    """The server may have become a standby, and another one be the one to write to."""
    first = await backend(log)
    with pytest.raises(asyncpg.SyntaxOrAccessError):
        async with log.lend() as driver:
            await driver.execute("this is not SQL")
    assert await backend(log) != first


async def test_cancelled_block_loses_the_connection(log: LogConnection) -> None:
    first = await backend(log)
    async with log.lend():
        waiting = asyncio.create_task(backend(log))
        await asyncio.sleep(0)
        waiting.cancel()  # it has not had its turn
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await backend(log) == first
    with pytest.raises(asyncio.CancelledError):
        async with log.lend():
            raise asyncio.CancelledError
    assert await backend(log) != first


async def test_end_between_two_statements_is_an_outage(log: LogConnection) -> None:
    async def use_the_ended() -> None:
        async with log.lend() as driver:
            await driver.close()
            await driver.execute("SELECT 1")

    with pytest.raises(StoreUnavailable, match="the connection was lost"):
        await use_the_ended()
    await backend(log)


async def test_goodbye_that_the_driver_has_only_half_read_is_an_outage(log: LogConnection) -> None:
    with pytest.raises(StoreUnavailable, match="the connection was lost"):
        async with log.lend():
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_misuse_of_the_driver_is_no_outage(log: LogConnection) -> None:
    with pytest.raises(asyncpg.DataError):
        async with log.lend() as driver:
            await driver.fetch("SELECT $1::int", "words")


async def test_wait_for_the_turn_is_bounded(postgres_url: str) -> None:
    store = SqlStore(postgres_url, timeout_s=0.2)
    log = store._database.log
    assert log is not None
    await backend(log)
    blocked = asyncio.Event()

    async def hold() -> None:
        async with log.lend():
            blocked.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await blocked.wait()
    with pytest.raises(StoreUnavailable, match="nothing came back in time"):
        await backend(log)
    with pytest.raises(StoreUnavailable, match="nothing came back in time"):
        await holder
    await store.close()


async def test_closed_connection_can_be_closed_again(log: LogConnection) -> None:
    await backend(log)
    await log.close()
    await log.close()
