"""A document that is damaged in the store harms no other."""

from collab.errors import RoomClosed
from collab.ids import DocumentName, Epoch, Sequence, UserId, WriterId
from collab.protocol.rows import CommittedRow, Entry, Row, encode_entries
from collab.serve.compactor import Compactor
from collab.store.base import Stored
from collab.store.memory import MemoryStore
from tests.serve.parts import RecordingSink, make_server, writer
from tests.waiting import eventually

BAD, GOOD = DocumentName("bad"), DocumentName("good")


class DamagedStore(MemoryStore):
    """A store in which the rows of one document fail their checksum once ``damaged`` is set."""

    damaged = False

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        self._check(name)
        return await super().rows_after(name, cursor, limit)

    async def load(self, name: DocumentName) -> Stored:
        self._check(name)
        return await super().load(name)

    def _check(self, name: DocumentName) -> None:
        if self.damaged and name == BAD:
            raise RoomClosed("Row 1 is damaged in the database; restore it from a backup.")


def row(name: DocumentName, n: int) -> Row:
    """Return a row in which client ``n`` writes "x" into the root "content"."""
    update = bytes([1, 1, n, 0, 4, 1, 7]) + b"content" + b"\x01x\x00"
    return Row(name, Epoch(0), WriterId(9), n, encode_entries([Entry(UserId("eve"), update)]))


async def test_damaged_row_ends_its_own_room_only() -> None:
    store = DamagedStore()
    async with make_server(store) as server:
        bad, good = RecordingSink(), RecordingSink()
        await server.rooms.join(BAD, writer(101), bad)
        host = await server.rooms.join(GOOD, writer(102), good)
        store.damaged = True
        await store.append([row(BAD, 1), row(GOOD, 1)])
        await eventually(lambda: bad.ended is not None)
        await eventually(lambda: host.cursor == 1)
        assert good.ended is None


async def test_damaged_document_does_not_keep_others_from_compaction() -> None:
    store = DamagedStore()
    await store.append([row(BAD, n) for n in range(1, 60)] + [row(GOOD, n) for n in range(1, 40)])
    store.damaged = True
    compactor = Compactor(store, interval_s=60)
    compactor.left(BAD)
    compactor.left(GOOD)
    assert await compactor.compact_due() == 1
    assert (await store.load(GOOD)).snapshot is not None
