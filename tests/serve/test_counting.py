"""The metrics of the background tasks: commits, failed tries, polls and snapshots."""

from collections.abc import Sequence as Seq

from collab.errors import StoreUnavailable
from collab.ids import DocumentName
from collab.protocol.messages import Update
from collab.protocol.rows import Row
from collab.serve.compactor import Compactor
from collab.store.base import Outcome
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.room.build import YjsClient, a_session
from tests.serve.parts import RecordingSink, make_server
from tests.waiting import eventually

NOTES = DocumentName("notes")


class AbsentStore(MemoryStore):
    """A store that does not answer the first append."""

    asked = 0

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable
        return await super().append(rows)


async def test_commit_is_counted_once_and_every_failed_try() -> None:
    async with make_server(AbsentStore()) as server:
        host = await server.rooms.join(NOTES, a_session(1), RecordingSink())
        host.hear(a_session(1).id, Update(YjsClient(1).type(0, "a")))
        assert sample(server.metrics, "unsaved_bytes") == server.log_writer.queued_bytes > 0
        await server.log_writer.flush()
        assert sample(server.metrics, "store_unavailable_total") == 1
        assert sample(server.metrics, "commit_seconds_count") == sample(server.metrics, "commit_rows_sum") == 1
        assert sample(server.metrics, "rooms") == sample(server.metrics, "sessions", dialect="rest") == 1
        await eventually(lambda: sample(server.metrics, "heads_poll_seconds_count") > 0)
        await eventually(lambda: sample(server.metrics, "loop_lag_seconds_count") > 0)
    assert sample(server.metrics, "sessions", dialect="rest") == sample(server.metrics, "unsaved_bytes") == 0


async def test_snapshot_is_counted_with_its_bytes() -> None:
    store = MemoryStore()
    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, a_session(1), RecordingSink())
        ann = YjsClient(1)
        for at in range(100):
            host.hear(a_session(1).id, Update(ann.type(at, "a")))
            await server.log_writer.flush()
        compactor = Compactor(store, interval_s=60, metrics=server.metrics)
        compactor.left(NOTES)
        assert await compactor.compact_due() == 1
        snapshot = (await store.load(NOTES)).snapshot
        assert snapshot is not None
        assert sample(server.metrics, "snapshots_total") == 1
        assert sample(server.metrics, "snapshot_bytes_total") == len(snapshot.state)
