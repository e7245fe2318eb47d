"""What the relay did not deliver is read from the store."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from collab.errors import StoreUnavailable
from collab.ids import DocumentName, Epoch, Sequence, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.rows import CommittedRow, Entry, Row, encode_entries
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.serve import log_sync as module
from collab.serve.live_roles import LiveRoles
from collab.serve.log_sync import LogSync
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms
from collab.store.base import NOTHING, Head
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, writer
from tests.waiting import eventually

NOTES = DocumentName("notes")
HOUR_S = 3600.0


class FaultyStore(MemoryStore):
    """Counts the questions, and does not answer while it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.polls = 0
        self.reads: list[Sequence] = []
        self.is_away = False

    async def heads(
        self, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int] = NOTHING
    ) -> dict[DocumentName, Head]:
        self.polls += 1
        if self.is_away:
            raise StoreUnavailable
        return await super().heads(cursors, access)

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        self.reads.append(cursor)
        return await super().rows_after(name, cursor, limit)


class Bench:
    """Rooms of one replica, whose log another process writes."""

    def __init__(self, heads_poll_s: float) -> None:
        self.store = FaultyStore()
        self.metrics = Metrics()
        limits = ServerLimits(heads_poll_s=heads_poll_s, heads_poll_relay_down_s=heads_poll_s)
        replica = Replica(WriterId(1), self.store, MemoryRelay(MemoryBus(), WriterId(1)), limits, self.metrics)
        log_writer = LogWriter(self.store, limits, clock=lambda: 0.0, metrics=self.metrics)
        self.rooms = Rooms(
            replica, log_writer, clock=lambda: 0.0, on_left=lambda _: None, on_interrupted=self._look_now
        )
        self.sync = LogSync(replica, self.rooms, LiveRoles(self.store))
        self._author = YjsClient(8)
        self._rows = 0

    def _look_now(self) -> None:
        self.sync.look_now()

    async def write_elsewhere(self, rows: int = 1) -> None:
        """Commit rows that no relay tells of."""
        batch = []
        for _ in range(rows):
            self._rows += 1
            payload = encode_entries([Entry(UserId("bob"), self._author.type(0, "b"))])
            batch.append(Row(NOTES, Epoch(0), WriterId(9), self._rows, payload))
        await self.store.append(batch)


@asynccontextmanager
async def running(sync: LogSync) -> AsyncIterator[None]:
    task = asyncio.create_task(sync.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_row_that_no_frame_told_of_is_read() -> None:
    bench = Bench(heads_poll_s=0.01)
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    async with running(bench.sync):
        await bench.write_elsewhere()
        await eventually(lambda: host.cursor == 1)


async def test_a_look_now_does_not_wait_for_the_next_poll() -> None:
    bench = Bench(heads_poll_s=HOUR_S)
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    async with running(bench.sync):
        await eventually(lambda: bench.store.polls == 1)
        await bench.write_elsewhere()
        bench.sync.look_now()
        await eventually(lambda: host.cursor == 1)
        assert bench.store.polls == 2


async def test_the_store_is_asked_when_the_relay_says_frames_may_be_lost() -> None:
    bench = Bench(heads_poll_s=HOUR_S)
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    async with running(bench.sync):
        await eventually(lambda: bench.store.polls == 1)
        await bench.write_elsewhere()
        bench.rooms.interrupted()
        await eventually(lambda: host.cursor == 1)


async def test_a_room_that_knows_of_a_gap_is_filled_without_a_poll() -> None:
    bench = Bench(heads_poll_s=HOUR_S)
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    async with running(bench.sync):
        await eventually(lambda: bench.store.polls == 1)
        await bench.write_elsewhere()
        host.needs_catch_up = True
        await eventually(lambda: host.cursor == 1)
        assert bench.store.polls == 1


async def test_a_long_gap_is_read_in_pieces_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_PER_READ", 2)
    bench = Bench(heads_poll_s=HOUR_S)
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    await bench.write_elsewhere(rows=5)
    await bench.sync.catch_up(host)
    assert host.cursor == 5
    assert bench.store.reads == [0, 2, 4]


async def test_without_an_open_document_the_store_is_not_asked() -> None:
    bench = Bench(heads_poll_s=HOUR_S)
    await bench.sync.poll()
    assert bench.store.polls == 0


async def test_a_store_that_is_away_is_counted_and_asked_again() -> None:
    bench = Bench(heads_poll_s=0.01)
    bench.store.is_away = True
    host = await bench.rooms.join(NOTES, writer(1), RecordingSink())
    async with running(bench.sync):
        await bench.write_elsewhere()
        await eventually(lambda: bench.store.polls >= 2)
        assert sample(bench.metrics, "store_unavailable_total") >= 1
        bench.store.is_away = False
        await eventually(lambda: host.cursor == 1)
