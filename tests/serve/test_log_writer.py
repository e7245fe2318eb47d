"""The writer of the log: groups, a database that is away, a row that cannot be written, and a full queue."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from collections.abc import Sequence as Seq
from contextlib import asynccontextmanager

import pytest

from collab.errors import CollabError, StoreUnavailable
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.rows import Row
from collab.serve import log_writer
from collab.serve.log_writer import LogWriter
from collab.store.base import Committed, Deleted, Outcome
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.serve.parts import ticks
from tests.waiting import eventually

NOTES, PLANS = DocumentName("notes"), DocumentName("plans")
QUEUE_BYTES_MAX = 100


class FaultyStore(MemoryStore):
    """A real store that a test holds up, or lets fail before or after its commit."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Row]] = []
        """The rows of each call, whatever came of it."""
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.away_times = 0
        """How many of the next calls find no database."""
        self.lost_answers = 0
        """How many of the next calls commit, and lose their answer."""
        self.refuses: Callable[[Row], bool] = lambda _: False
        """True for a row that the database answers with an error."""

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        self.batches.append(list(rows))
        await self.go_on.wait()
        if self.away_times:
            self.away_times -= 1
            raise StoreUnavailable("No database here.")
        if any(self.refuses(row) for row in rows):
            raise ValueError("This row cannot be written.")
        outcomes = await super().append(rows)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("The connection was lost.")
        return outcomes


class Producer:
    """The rows of one document, one at a time as a host gives them."""

    def __init__(self, document: DocumentName, writer: int = 1) -> None:
        self.outcomes: list[Outcome] = []
        self.failures: list[CollabError] = []
        self._document = document
        self._writer = WriterId(writer)
        self._written = 0
        self._queued: list[bytes] = []

    def edit(self, log: LogWriter, payload: bytes = b"edit") -> None:
        self._queued.append(payload)
        log.submit(self, len(payload))

    def next_row(self) -> Row | None:
        if not self._queued:
            return None
        self._written += 1
        return Row(self._document, Epoch(0), self._writer, self._written, self._queued.pop(0))

    def row_written(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def row_failed(self, error: CollabError) -> None:
        self.failures.append(error)


@pytest.fixture
async def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def log(store: FaultyStore, metrics: Metrics) -> LogWriter:
    return make_log(store, metrics)


def make_log(store: FaultyStore, metrics: Metrics, *, window_s: float = 0) -> LogWriter:
    # Copied, not constructed: operators may set neither so small a queue nor so long a window.
    bounds = {"flush_window_ms": 1000 * window_s, "persister_queue_bytes_max": QUEUE_BYTES_MAX}
    limits = ServerLimits().model_copy(update=bounds)
    return LogWriter(store, limits, clock=time.monotonic, metrics=metrics)


@asynccontextmanager
async def running(log: LogWriter) -> AsyncIterator[None]:
    task = asyncio.create_task(log.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def committed(*numbers: int) -> list[Committed]:
    return [Committed(Sequence(number)) for number in numbers]


# --- groups -----------------------------------------------------------------------------------------


async def test_rows_queued_during_a_commit_are_the_next_group(store: FaultyStore, log: LogWriter) -> None:
    notes, plans = Producer(NOTES), Producer(PLANS)
    store.go_on.clear()
    async with running(log):
        notes.edit(log)
        await eventually(lambda: store.batches)
        notes.edit(log)
        plans.edit(log)
        store.go_on.set()
        await log.flush()
    assert [len(batch) for batch in store.batches] == [1, 2]
    assert (notes.outcomes, plans.outcomes) == (committed(1, 2), committed(1))


async def test_lone_row_is_committed_without_waiting_for_the_window(store: FaultyStore, metrics: Metrics) -> None:
    log, notes = make_log(store, metrics, window_s=3600), Producer(NOTES)
    async with running(log):
        notes.edit(log)
        await eventually(lambda: notes.outcomes)
    assert notes.outcomes == committed(1)


async def test_row_that_comes_during_a_commit_waits_for_the_window(store: FaultyStore, metrics: Metrics) -> None:
    log, notes = make_log(store, metrics, window_s=3600), Producer(NOTES)
    async with running(log):
        notes.edit(log)
        notes.edit(log)
        await eventually(lambda: notes.outcomes)
        await ticks(20)
        assert len(store.batches) == 1
        assert notes.outcomes == committed(1)


@pytest.mark.parametrize(("bound", "most"), [("BATCH_ROWS_MAX", 2), ("BATCH_BYTES_MAX", 20)])
async def test_group_is_bounded_in_rows_and_bytes(
    store: FaultyStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(log_writer, bound, most)
    producers = [Producer(NOTES, number) for number in range(1, 6)]
    for each in producers:
        each.edit(log, b"ten bytes.")
    async with running(log):
        await log.flush()
    assert [len(batch) for batch in store.batches] == [2, 2, 1]
    assert [each.outcomes for each in producers] == [committed(number) for number in range(1, 6)]


async def test_row_of_a_deleted_document_does_not_stop_the_others(store: FaultyStore, log: LogWriter) -> None:
    notes, plans = Producer(NOTES), Producer(PLANS)
    await store.create(NOTES, "")
    await store.delete(NOTES)
    notes.edit(log)
    plans.edit(log)
    async with running(log):
        await log.flush()
    assert (notes.outcomes, plans.outcomes) == ([Deleted()], committed(1))


# --- a database that is away ------------------------------------------------------------------------


async def test_same_rows_are_offered_again_until_the_database_answers(
    store: FaultyStore, log: LogWriter, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "RETRY_S_MIN", 0.001)
    notes = Producer(NOTES)
    store.away_times = 3
    notes.edit(log)
    async with running(log):
        await eventually(lambda: len(store.batches) > 1)
        notes.edit(log, b"later")
        await log.flush()
    assert store.batches[:4] == [store.batches[0]] * 4
    assert notes.outcomes == committed(1, 2)
    assert sample(metrics, "store_unavailable_total") == 3


async def test_row_whose_answer_was_lost_is_in_the_log_once(
    store: FaultyStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "RETRY_S_MIN", 0.001)
    notes = Producer(NOTES)
    store.lost_answers = 2
    notes.edit(log)
    async with running(log):
        await log.flush()
    assert len(store.batches) == 3
    assert notes.outcomes == committed(1)
    assert [row.seq for row in await store.rows_after(NOTES, Sequence(0))] == [1]


async def test_writer_that_is_started_again_offers_its_batch_again(store: FaultyStore, log: LogWriter) -> None:
    notes = Producer(NOTES)
    store.go_on.clear()
    notes.edit(log)
    async with running(log):
        await eventually(lambda: store.batches)
    store.go_on.set()
    async with running(log):
        await log.flush()
    assert store.batches == [store.batches[0]] * 2
    assert notes.outcomes == committed(1)


# --- a row that cannot be written -------------------------------------------------------------------


async def test_unwritable_row_fails_alone(store: FaultyStore, log: LogWriter) -> None:
    bad, good = Producer(NOTES), [Producer(PLANS), Producer(PLANS, writer=2)]
    store.refuses = lambda row: row.document == NOTES
    for each in (good[0], bad, good[1]):
        each.edit(log)
    async with running(log):
        await log.flush()
        assert [type(error) for error in bad.failures] == [StoreUnavailable]
        assert bad.outcomes == []
        assert [each.outcomes for each in good] == [committed(1), committed(2)]
        good[0].edit(log)
        await log.flush()
    assert good[0].outcomes == committed(1, 3)


# --- a full queue -----------------------------------------------------------------------------------


async def test_readers_wait_while_the_queue_is_over_its_bound(log: LogWriter) -> None:
    notes = Producer(NOTES)
    notes.edit(log, bytes(QUEUE_BYTES_MAX))
    await log.writable()
    notes.edit(log, b"x")
    reader = asyncio.create_task(log.writable())
    await ticks(5)
    assert not reader.done()
    assert log.queued_bytes == QUEUE_BYTES_MAX + 1
    log.release(1)
    await reader


async def test_flush_waits_for_rows_that_come_meanwhile(store: FaultyStore, log: LogWriter) -> None:
    notes = Producer(NOTES)
    store.go_on.clear()
    async with running(log):
        notes.edit(log)
        flushing = asyncio.create_task(log.flush())
        await eventually(lambda: store.batches)
        assert not flushing.done()
        notes.edit(log)
        store.go_on.set()
        await flushing
    assert notes.outcomes == committed(1, 2)


async def test_flush_returns_at_once_when_nothing_was_submitted(log: LogWriter) -> None:
    await log.flush()


# --- the window -------------------------------------------------------------------------------------


async def test_the_time_of_a_commit_counts_towards_the_window(metrics: Metrics) -> None:
    window_s = 3600.0
    now_s = 0.0

    class NearlyAWindow(FaultyStore):
        async def append(self, rows: Seq[Row]) -> list[Outcome]:
            nonlocal now_s
            now_s += window_s - 0.001
            return await super().append(rows)

    limits = ServerLimits().model_copy(update={"flush_window_ms": 1000 * window_s})
    log, notes = LogWriter(NearlyAWindow(), limits, clock=lambda: now_s, metrics=metrics), Producer(NOTES)
    async with running(log):
        notes.edit(log)
        notes.edit(log)
        await eventually(lambda: len(notes.outcomes) == 2)
