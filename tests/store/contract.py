"""What every store must do. A test module of an implementation subclasses this and gives the ``store`` fixture."""

import asyncio

import pytest

from collab.errors import DocumentDeleted, DocumentExists, DocumentNotFound
from collab.ids import DocumentName, Epoch, Origin, Sequence
from collab.protocol.rows import Row
from collab.store.base import Committed, Deleted, EpochChanged, Snapshot, Store

NAME = DocumentName("notes/42")
HEAVY = DocumentName('it\'s 100% "häßlich" 😀' + "x" * 220)


def row(n: int, *, name: DocumentName = NAME, origin: int = 7, epoch: int = 0, payload: bytes = b"x") -> Row:
    return Row(name, Epoch(epoch), Origin(origin), n, payload)


class StoreContract:
    """The contract of ``store.base.Store``."""

    async def test_a_document_nobody_wrote_is_empty(self, store: Store) -> None:
        stored = await store.load(NAME)
        assert (stored.head, stored.snapshot, stored.tail, stored.deleted) == (0, None, (), False)

    async def test_rows_get_gapless_sequences_in_order(self, store: Store) -> None:
        outcomes = await store.append([row(1), row(2), row(1, name=HEAVY), row(3)])
        assert outcomes == [Committed(Sequence(s)) for s in (1, 2, 1, 3)]
        assert [r.seq for r in (await store.load(NAME)).tail] == [1, 2, 3]

    async def test_appending_again_changes_nothing_and_says_the_same(self, store: Store) -> None:
        first = await store.append([row(1, payload=b"a"), row(2, payload=b"b")])
        again = await store.append([row(1, payload=b"a"), row(2, payload=b"b"), row(3, payload=b"c")])
        assert again == [*first, Committed(Sequence(3))]
        assert [r.payload for r in (await store.load(NAME)).tail] == [b"a", b"b", b"c"]

    async def test_concurrent_writers_leave_no_gap_and_lose_no_row(self, store: Store) -> None:
        async def write(origin: int) -> None:
            for n in range(1, 21):
                await store.append([row(n, origin=origin), row(n, origin=origin, name=HEAVY)])

        await asyncio.gather(*(write(origin) for origin in (1, 2, 3)))
        for name in (NAME, HEAVY):
            tail = (await store.load(name)).tail
            assert [r.seq for r in tail] == list(range(1, 61))
            assert {(r.origin, r.n) for r in tail} == {(o, n) for o in (1, 2, 3) for n in range(1, 21)}

    async def test_rows_of_another_epoch_are_refused_and_the_others_written(self, store: Store) -> None:
        await store.append([row(1)])
        outcomes = await store.append([row(2, epoch=9), row(1, name=HEAVY)])
        assert outcomes == [EpochChanged(), Committed(Sequence(1))]

    async def test_rows_for_a_deleted_document_are_refused(self, store: Store) -> None:
        await store.append([row(1)])
        await store.delete(NAME)
        assert await store.append([row(2), row(1, name=HEAVY)]) == [Deleted(), Committed(Sequence(1))]
        assert await store.append([row(1)]) == [Committed(Sequence(1))]  # it was written before
        assert (await store.load(NAME)).deleted

    async def test_rows_after_a_cursor_come_in_order_and_bounded(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert [r.seq for r in await store.rows_after(NAME, Sequence(1), 3)] == [2, 3, 4]
        assert await store.rows_after(HEAVY, Sequence(0)) == []

    async def test_heads_tell_who_is_behind_or_deleted(self, store: Store) -> None:
        await store.append([row(1), row(2), row(1, name=HEAVY)])
        heads = await store.heads({NAME: Sequence(1), HEAVY: Sequence(1), DocumentName("none"): Sequence(0)})
        assert {name: head.seq for name, head in heads.items()} == {NAME: 2}
        await store.delete(HEAVY)
        assert (await store.heads({HEAVY: Sequence(1)}))[HEAVY].deleted

    async def test_a_snapshot_replaces_the_rows_up_to_its_cut(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"state", 0))
        stored = await store.load(NAME)
        assert stored.snapshot == Snapshot(Sequence(3), b"state", 1)
        assert [r.seq for r in stored.tail] == [4, 5]
        assert [r.seq for r in await store.rows_after(NAME, Sequence(0))] == [1, 2, 3, 4, 5]

    async def test_a_snapshot_that_is_late_changes_nothing(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"a", 0))
        for late in (Snapshot(Sequence(4), b"b", 0), Snapshot(Sequence(3), b"b", 1), Snapshot(Sequence(6), b"b", 1)):
            assert not await store.put_snapshot(NAME, Epoch(0), late)
        assert not await store.put_snapshot(NAME, Epoch(1), Snapshot(Sequence(5), b"b", 1))
        assert (await store.load(NAME)).snapshot == Snapshot(Sequence(3), b"a", 1)

    async def test_tails_are_counted(self, store: Store) -> None:
        await store.append([row(n, payload=b"12345") for n in range(1, 6)])
        await store.append([row(1, name=HEAVY)])
        (tail,) = await store.tails(2, 10)
        assert (tail.document, tail.rows, tail.row_bytes, tail.snapshot_bytes) == (NAME, 5, 25, 0)
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"state", 0))
        (tail,) = await store.tails(2, 10)
        assert (tail.rows, tail.row_bytes, tail.snapshot_bytes) == (2, 10, 5)

    async def test_loading_under_snapshots_and_appends_misses_nothing(self, store: Store) -> None:
        """Every payload counts up; whatever a reader sees must be a whole prefix."""

        async def write() -> None:
            for n in range(1, 61):
                await store.append([row(n)])

        async def fold() -> None:
            for _ in range(30):
                stored = await store.load(NAME)
                if stored.tail:
                    version = stored.snapshot.version if stored.snapshot else 0
                    await store.put_snapshot(NAME, Epoch(0), Snapshot(stored.head, b"s", version))
                await asyncio.sleep(0)

        async def read() -> None:
            for _ in range(60):
                stored = await store.load(NAME)
                cut = stored.snapshot.cut if stored.snapshot else 0
                assert [r.seq for r in stored.tail] == list(range(cut + 1, stored.head + 1))

        await asyncio.gather(write(), fold(), read())

    async def test_the_catalogue_keeps_titles_and_order(self, store: Store) -> None:
        await store.create(DocumentName("b"), "Bee")
        await store.create(DocumentName("a"), "")
        await store.append([row(1, name=DocumentName("c"))])
        assert [d.name for d in await store.list_documents("", 2)] == ["a", "b"]
        assert [d.name for d in await store.list_documents("b", 2)] == ["c"]
        assert (await store.set_title(DocumentName("a"), "Ay")).title == "Ay"
        found = await store.find(DocumentName("a"))
        assert found.title == "Ay"
        assert found.created_at.tzinfo is not None

    async def test_the_catalogue_refuses_what_cannot_be(self, store: Store) -> None:
        with pytest.raises(DocumentNotFound):
            await store.find(NAME)
        await store.create(NAME, "")
        with pytest.raises(DocumentExists):
            await store.create(NAME, "")
        await store.delete(NAME)
        for again in (store.find(NAME), store.create(NAME, ""), store.delete(NAME), store.set_title(NAME, "")):
            with pytest.raises(DocumentDeleted):
                await again
        assert await store.list_documents("", 10) == []
