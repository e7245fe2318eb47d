"""Appending to a Postgres that is killed, stalls or disconnects: no row is lost, none is written twice.

All callers do what ``serve/log_writer.py`` does: they append the same rows again until they get an answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg
import pytest

from collab.errors import StoreUnavailable
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import Row
from collab.store.base import Committed
from collab.store.migrate import upgrade
from collab.store.sql import SqlStore
from tests.conftest import bring
from tests.services.lossy_proxy import LossyProxy
from tests.services.private import PrivatePostgres
from tests.waiting import eventually

pytestmark = pytest.mark.services

T = TypeVar("T")
NAMES = [DocumentName(f"crash/{number}") for number in range(5)]
NAME = NAMES[0]
IMPATIENT_S = 1.0
"""A short time limit, for a server that will not answer."""


def row(n: int, name: DocumentName = NAME, *, writer: int = 7) -> Row:
    return Row(name, Epoch(0), WriterId(writer), n, b"payload %d" % n)


@pytest.fixture
def server() -> Iterator[PrivatePostgres]:
    server = bring(lambda: PrivatePostgres(durable=True).start())
    asyncio.run(upgrade(server.url()))
    yield server
    server.close()


@asynccontextmanager
async def opened(url: str, *, timeout_s: float = 10.0) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, timeout_s=timeout_s)
    await store.open()
    yield store
    await store.close()


async def until_answered(call: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """Return the answer, and the number of failed calls before it."""
    failures = 0
    async with asyncio.timeout(60):
        while True:
            try:
                return await call(), failures
            except StoreUnavailable:
                failures += 1
                await asyncio.sleep(0.02)


class Client:
    """Another connection to the same server, outside the store."""

    def __init__(self, server: PrivatePostgres) -> None:
        self._url = server.url().replace("+asyncpg", "")

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection: asyncpg.Connection = await asyncpg.connect(self._url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"


@asynccontextmanager
async def document_held(server: PrivatePostgres, name: DocumentName) -> AsyncIterator[asyncpg.Connection]:
    """Lock a document, so that appends to it wait in the middle of a transaction; yield another connection."""
    async with Client(server) as holder, Client(server) as onlooker, holder.transaction():
        await holder.execute("SELECT FROM documents WHERE name = $1 FOR NO KEY UPDATE", name)
        yield onlooker


async def test_killed_servers_lose_no_row_and_write_none_twice(server: PrivatePostgres) -> None:
    answered: dict[tuple[DocumentName, int], Sequence] = {}
    failures = 0

    async def write(store: SqlStore) -> None:
        nonlocal failures
        for n in range(1, 301):
            batch = [row(n, name) for name in NAMES]
            outcomes, failed = await until_answered(lambda batch=batch: store.append(batch))  # type: ignore[misc]
            failures += failed
            for written, outcome in zip(batch, outcomes, strict=True):
                assert isinstance(outcome, Committed)
                answered[written.document, n] = outcome.seq

    async with opened(server.url()) as store:
        writer = asyncio.create_task(write(store))
        for enough in (20, 120, 220):
            await eventually(lambda enough=enough: (NAME, enough) in answered, within_s=60)  # type: ignore[misc]
            server.kill()
            await asyncio.to_thread(server.start)
        await writer
        assert failures >= 3
        for name in NAMES:
            stored = await store.load(name)
            assert [r.seq for r in stored.tail] == list(range(1, 301))
            assert {(r.n, r.seq) for r in stored.tail} == {(n, answered[name, n]) for n in range(1, 301)}
            assert stored.head == 300


async def test_stalled_server_is_unavailable_until_it_resumes(server: PrivatePostgres) -> None:
    async with opened(server.url(), timeout_s=IMPATIENT_S) as store:
        await store.append([row(1)])
        server.stall()
        for call in (store.append([row(2)]), store.load(NAME), store.heads({NAME: Sequence(0)}), store.ping()):
            async with asyncio.timeout(30):
                with pytest.raises(StoreUnavailable, match="nothing came back in time"):
                    await call
        server.resume()
        outcomes, _ = await until_answered(lambda: store.append([row(1), row(2), row(3)]))
        assert outcomes == [Committed(Sequence(seq)) for seq in (1, 2, 3)]
        assert (await until_answered(lambda: store.load(NAME)))[0].head == 3


async def test_server_stalled_before_the_first_connection_is_unavailable(server: PrivatePostgres) -> None:
    """Without an earlier call there is no connection yet, and connecting takes too long."""
    async with opened(server.url(), timeout_s=IMPATIENT_S) as store:
        server.stall()
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match="nothing came back in time"):
                await store.append([row(1)])
        server.resume()
        assert (await until_answered(lambda: store.append([row(1)])))[0] == [Committed(Sequence(1))]


async def test_connection_terminated_in_a_transaction_is_replaced(server: PrivatePostgres) -> None:
    async with opened(server.url()) as store:
        await store.append([row(1)])
        async with document_held(server, NAME) as onlooker:
            append = asyncio.create_task(store.append([row(2)]))
            await eventually(lambda: onlooker.fetchval(WAITING))
            await onlooker.execute(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")
            with pytest.raises(StoreUnavailable, match=r"the connection was lost|starting or stopping"):
                await append
        assert await store.append([row(2)]) == [Committed(Sequence(2))]


async def test_terminated_idle_connections_do_not_disturb_readers(server: PrivatePostgres) -> None:
    async with opened(server.url()) as store, Client(server) as onlooker:
        await store.append([row(1)])
        await store.ping()
        await onlooker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        assert (await store.load(NAME)).head == 1
        assert (await until_answered(lambda: store.append([row(2)])))[0] == [Committed(Sequence(2))]


async def test_cancelled_append_leaves_the_connection_usable(server: PrivatePostgres) -> None:
    async with opened(server.url()) as store:
        await store.append([row(1), row(1, NAMES[1])])
        async with document_held(server, NAME) as onlooker:
            append = asyncio.create_task(store.append([row(2)]))
            await eventually(lambda: onlooker.fetchval(WAITING))
            append.cancel()
            with pytest.raises(asyncio.CancelledError):
                await append
            # The lock is still held: only the store's one appending connection must be free again.
            assert await store.append([row(2, NAMES[1])]) == [Committed(Sequence(2))]
        assert await store.append([row(2)]) == [Committed(Sequence(2))]


async def test_append_gives_up_a_lock_and_stays_usable(
    server: PrivatePostgres,
) -> None:
    async with opened(server.url(), timeout_s=IMPATIENT_S) as store:
        await store.append([row(1), row(1, NAMES[1])])
        async with document_held(server, NAME):
            with pytest.raises(StoreUnavailable, match="nothing came back in time"):
                await store.append([row(2)])
            assert await store.append([row(2, NAMES[1])]) == [Committed(Sequence(2))]
        assert await store.append([row(2)]) == [Committed(Sequence(2))]


async def test_rows_whose_commit_answer_was_lost_are_found_again(server: PrivatePostgres) -> None:
    """The statement arrives and its answer does not, so the caller cannot know the outcome."""
    async with LossyProxy(server.port) as wire, opened(server.url()) as witness:
        url = server.url().replace(str(server.port), str(wire.port))
        async with opened(url, timeout_s=IMPATIENT_S) as store:
            await store.append([row(1)])
            wire.last_words = b"payload 3"
            with pytest.raises(StoreUnavailable, match="nothing came back in time"):
                await store.append([row(2), row(3)])
            assert (await witness.load(NAME)).head == 3
            wire.last_words = None
            outcomes = await store.append([row(2), row(3), row(4)])
            assert outcomes == [Committed(Sequence(seq)) for seq in (2, 3, 4)]
            assert [r.n for r in (await witness.load(NAME)).tail] == [1, 2, 3, 4]
