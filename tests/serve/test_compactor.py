"""Snapshots are written for documents that are due. One that cannot be compacted holds up no other."""

import pytest

from collab.crdt.stored import load_document
from collab.ids import DocumentName, Epoch, UserId, WriterId
from collab.protocol.rows import Entry, Row, encode_entries
from collab.room.compaction import LEFT_TAIL_ROWS_MIN
from collab.serve.compactor import CANDIDATES_MAX, Compactor
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient

DAMAGE = b"\1\1\1\0\4\1\7content\5a"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def compactor(store: MemoryStore) -> Compactor:
    return Compactor(store, interval_s=10)


async def write(store: MemoryStore, name: str, updates: list[bytes]) -> DocumentName:
    """Store a document with these updates, each in a row of its own, and return its name."""
    document = DocumentName(name)
    entries = [encode_entries([Entry(UserId("ann"), update)]) for update in updates]
    await store.append([Row(document, Epoch(0), WriterId(7), n, payload) for n, payload in enumerate(entries, 1)])
    return document


def typing(count: int, *, size: int = 1) -> list[bytes]:
    author = YjsClient(7)
    return [author.type(0, "x" * size) for _ in range(count)]


async def test_heavy_tail_is_compacted_and_reads_the_same(store: MemoryStore, compactor: Compactor) -> None:
    name = await write(store, "heavy", typing(10, size=10_000))
    before = await store.load(name)
    assert await compactor.compact_due() == 1
    after = await store.load(name)
    assert (after.tail, after.head) == ((), before.head)
    assert after.snapshot is not None
    assert load_document(after.snapshot.state, ()).text() == load_document(None, before.tail).text()
    assert await compactor.compact_due() == 0


async def test_light_tail_is_compacted_when_the_last_session_leaves(store: MemoryStore, compactor: Compactor) -> None:
    name = await write(store, "light", typing(LEFT_TAIL_ROWS_MIN))
    assert await compactor.compact_due() == 0
    compactor.left(name)
    assert await compactor.compact_due() == 1


async def test_documents_that_cannot_be_compacted_hide_no_other(store: MemoryStore, compactor: Compactor) -> None:
    for number in range(CANDIDATES_MAX):
        await write(store, f"damaged/{number}", [*typing(1, size=100_000), DAMAGE])
    assert await compactor.compact_due() == 0
    await write(store, "whole", typing(1, size=70_000))
    assert await compactor.compact_due() == 1


async def test_missing_document_is_skipped(store: MemoryStore, compactor: Compactor) -> None:
    compactor.left(DocumentName("never written"))
    assert await compactor.compact_due() == 0


async def test_document_whose_slices_are_slow_keeps_its_log(store: MemoryStore) -> None:
    name = await write(store, "costly", typing(40, size=2_000))
    seconds = iter(range(100_000))
    compactor = Compactor(store, interval_s=10, clock=lambda: float(next(seconds)))
    assert await compactor.compact_due() == 0
    assert (await store.load(name)).snapshot is None
    assert await compactor.compact_due() == 0
