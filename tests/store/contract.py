"""The contract of a store. The tests of an implementation subclass it and define the ``store`` fixture."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import create_async_engine

from collab.access.grants import matches
from collab.errors import DocumentExists, DocumentInBin, DocumentNotFound, RoomClosed, StoreUnavailable, TransientError
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import Row
from collab.store import deletion
from collab.store.base import (
    Committed,
    Deleted,
    EpochChanged,
    ListOrder,
    ListQuery,
    Readable,
    Snapshot,
    Store,
    Tail,
)
from collab.store.schema import snapshots, updates
from collab.store.sql import SqlStore
from tests.store.sharing_contract import SharingContract

NAME = DocumentName("notes/42")
HEAVY = DocumentName('it\'s 100% "häßlich" 😀' + "x" * 220)


def row(n: int, *, name: DocumentName = NAME, writer: int = 7, epoch: int = 0, payload: bytes = b"x") -> Row:
    return Row(name, Epoch(epoch), WriterId(writer), n, payload)


EVERYTHING = Readable(frozenset({"**"}))


async def listed(store: Store, query: ListQuery | None = None) -> list[str]:
    """Return the names of the whole list, read page by page."""
    query = query or ListQuery(EVERYTHING)
    names: list[str] = []
    while True:
        page = await store.list_documents(query)
        assert len(page.documents) <= query.limit
        names += [info.name for info in page.documents]
        if page.next is None:
            return names
        query = replace(query, after=page.next)


async def clear(store: Store) -> None:
    """Remove the rows of purged documents, two at a time."""
    while await store.clear_purged(2):
        pass


class StoreContract(SharingContract):
    """The contract of ``store.base.Store``."""

    async def test_unknown_document_loads_empty(self, store: Store) -> None:
        stored = await store.load(NAME)
        assert (stored.head, stored.snapshot, stored.tail, stored.deleted) == (0, None, (), False)

    async def test_rows_get_gapless_sequences_in_order(self, store: Store) -> None:
        outcomes = await store.append([row(1), row(2), row(1, name=HEAVY), row(3)])
        assert outcomes == [Committed(Sequence(s)) for s in (1, 2, 1, 3)]
        assert [r.seq for r in (await store.load(NAME)).tail] == [1, 2, 3]

    async def test_appending_again_changes_nothing_and_returns_the_same(self, store: Store) -> None:
        first = await store.append([row(1, payload=b"a"), row(2, payload=b"b")])
        again = await store.append([row(1, payload=b"a"), row(2, payload=b"b"), row(3, payload=b"c")])
        assert again == [*first, Committed(Sequence(3))]
        assert [r.payload for r in (await store.load(NAME)).tail] == [b"a", b"b", b"c"]

    async def test_row_twice_in_one_batch_is_written_once(self, store: Store) -> None:
        outcomes = await store.append([row(1, payload=b"a"), row(2, payload=b"b"), row(1, payload=b"a")])
        assert outcomes == [Committed(Sequence(s)) for s in (1, 2, 1)]
        assert [r.payload for r in (await store.load(NAME)).tail] == [b"a", b"b"]
        assert await store.tail(NAME) == Tail(NAME, rows=2, row_bytes=2, snapshot_bytes=0)

    async def test_row_number_counts_per_document_and_writer(self, store: Store) -> None:
        await store.append([row(1, writer=1), row(1, writer=2), row(1, writer=1, name=HEAVY)])
        assert [(r.seq, r.writer) for r in (await store.load(NAME)).tail] == [(1, 1), (2, 2)]
        assert [(r.seq, r.writer) for r in (await store.load(HEAVY)).tail] == [(1, 1)]

    async def test_payloads_and_numbers_come_back_unchanged(self, store: Store) -> None:
        payloads = [b"\x00", bytes(range(256)), b"", b"x" * (1 << 20)]
        writer = (1 << 63) - 1
        rows = [row(1 << 62 | n, writer=writer, payload=payload) for n, payload in enumerate(payloads)]
        await store.append(rows)
        found = await store.rows_after(NAME, Sequence(0))
        assert [(r.writer, r.n, r.payload) for r in found] == [(writer, r.n, r.payload) for r in rows]

    async def test_empty_batch_has_no_outcomes(self, store: Store) -> None:
        assert await store.append([]) == []

    async def test_concurrent_writers_leave_no_gap_and_lose_no_row(self, store: Store) -> None:
        async def write(writer: int) -> None:
            for n in range(1, 21):
                await store.append([row(n, writer=writer), row(n, writer=writer, name=HEAVY)])

        await asyncio.gather(*(write(writer) for writer in (1, 2, 3)))
        for name in (NAME, HEAVY):
            tail = (await store.load(name)).tail
            assert [r.seq for r in tail] == list(range(1, 61))
            assert {(r.writer, r.n) for r in tail} == {(w, n) for w in (1, 2, 3) for n in range(1, 21)}

    async def test_row_of_another_epoch_is_refused_alone(self, store: Store) -> None:
        await store.append([row(1)])
        outcomes = await store.append([row(2, epoch=9), row(1, name=HEAVY)])
        assert outcomes == [EpochChanged(), Committed(Sequence(1))]

    async def test_row_of_another_epoch_creates_no_document(self, store: Store) -> None:
        assert await store.append([row(1, epoch=3), row(1, name=HEAVY)]) == [EpochChanged(), Committed(Sequence(1))]
        with pytest.raises(DocumentNotFound):
            await store.find(NAME)

    async def test_row_that_races_a_deletion_precedes_it_or_is_refused(self, store: Store) -> None:
        await store.append([row(1)])
        batches = [store.append([row(n)]) for n in range(2, 12)]
        outcomes, _, more = await asyncio.gather(
            asyncio.gather(*batches[:5]), store.delete(NAME), asyncio.gather(*batches[5:])
        )
        written = sum(outcome != [Deleted()] for outcome in (*outcomes, *more))
        assert (await store.load(NAME)).head == 1 + written

    async def test_rows_for_a_deleted_document_are_refused(self, store: Store) -> None:
        await store.append([row(1)])
        await store.delete(NAME)
        assert await store.append([row(2), row(1, name=HEAVY)]) == [Deleted(), Committed(Sequence(1))]
        assert await store.append([row(1)]) == [Committed(Sequence(1))]  # this row was written before the deletion
        assert (await store.load(NAME)).deleted

    async def test_rows_after_a_cursor_are_ordered_and_limited(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert [r.seq for r in await store.rows_after(NAME, Sequence(1), 3)] == [2, 3, 4]
        assert [r.seq for r in await store.rows_after(NAME, Sequence(0))] == [1, 2, 3, 4, 5]
        for cursor in (5, 6):
            assert await store.rows_after(NAME, Sequence(cursor)) == []
        assert await store.rows_after(HEAVY, Sequence(0)) == []

    async def test_heads_are_of_changed_and_deleted_documents(self, store: Store) -> None:
        await store.append([row(1), row(2), row(1, name=HEAVY)])
        heads = await store.heads({NAME: Sequence(1), HEAVY: Sequence(1), DocumentName("none"): Sequence(0)})
        assert {name: head.seq for name, head in heads.items()} == {NAME: 2}
        await store.delete(HEAVY)
        assert (await store.heads({HEAVY: Sequence(1)}))[HEAVY].deleted

    async def test_heads_of_forty_thousand_documents_fit_one_call(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 4)] + [row(1, name=HEAVY)])
        asked = {DocumentName(f"none/{number}"): Sequence(0) for number in range(40_000)}
        heads = await store.heads(asked | {NAME: Sequence(1), HEAVY: Sequence(1)})
        assert {name: (head.seq, head.epoch, head.deleted) for name, head in heads.items()} == {NAME: (3, 0, False)}
        assert await store.heads({}) == {}

    async def test_head_below_the_cursor_is_returned(self, store: Store) -> None:
        await store.append([row(1)])
        assert (await store.heads({NAME: Sequence(5)}))[NAME].seq == 1

    async def test_snapshot_replaces_the_rows_up_to_its_cut(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"state", 0))
        stored = await store.load(NAME)
        assert stored.snapshot == Snapshot(Sequence(3), b"state", 1)
        assert [r.seq for r in stored.tail] == [4, 5]
        assert [r.seq for r in await store.rows_after(NAME, Sequence(0))] == [1, 2, 3, 4, 5]

    async def test_late_snapshot_changes_nothing(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        assert await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"a", 0))
        for late in (Snapshot(Sequence(4), b"b", 0), Snapshot(Sequence(3), b"b", 1), Snapshot(Sequence(6), b"b", 1)):
            assert not await store.put_snapshot(NAME, Epoch(0), late)
        assert not await store.put_snapshot(NAME, Epoch(1), Snapshot(Sequence(5), b"b", 1))
        assert (await store.load(NAME)).snapshot == Snapshot(Sequence(3), b"a", 1)

    async def test_snapshots_replace_one_another(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        for version, cut in enumerate((2, 3, 5)):
            assert await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(cut), b"%d" % cut, version))
        stored = await store.load(NAME)
        assert (stored.snapshot, stored.tail, stored.head) == (Snapshot(Sequence(5), b"5", 3), (), 5)

    async def test_one_of_two_concurrent_snapshots_is_stored(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 6)])
        first, second = Snapshot(Sequence(5), b"a" * 100_000, 0), Snapshot(Sequence(4), b"b" * 100_000, 0)
        put = await asyncio.gather(*(store.put_snapshot(NAME, Epoch(0), snapshot) for snapshot in (first, second)))
        assert sorted(put) == [False, True]
        kept = (await store.load(NAME)).snapshot
        assert kept is not None
        assert (kept.state, kept.version) == ((first, second)[put.index(True)].state, 1)

    async def test_snapshot_of_nothing_or_of_a_deleted_document_is_refused(self, store: Store) -> None:
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(1), b"s", 0))
        await store.append([row(1)])
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(0), b"s", 0))
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(1), b"s", 1))
        await store.delete(NAME)
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(1), b"s", 0))
        assert (await store.load(NAME)).snapshot is None

    async def test_tails_are_the_costliest_of_documents_not_deleted(self, store: Store) -> None:
        names = [DocumentName(f"tail/{number}") for number in range(1, 6)]
        await store.append([row(n, name=name) for rows, name in enumerate(names, 1) for n in range(rows)])
        await store.delete(names[4])
        tails = await store.tails(row_cost=10, cost_min=11, limit=10)
        assert [tail.document for tail in tails] == [names[3], names[2], names[1]]
        assert [tail.rows for tail in await store.tails(row_cost=10, cost_min=0, limit=2)] == [4, 3]

    async def test_tail_cheaper_than_its_snapshot_takes_no_place(self, store: Store) -> None:
        large, small = DocumentName("large"), DocumentName("small")
        await store.append([*(row(n, name=large) for n in range(1, 21)), *(row(n, name=small) for n in range(1, 6))])
        await store.put_snapshot(large, Epoch(0), Snapshot(Sequence(1), b"s" * 1000, 0))
        tails = await store.tails(row_cost=10, cost_min=0, limit=1)
        assert [tail.document for tail in tails] == [small]

    async def test_tail_counts_rows_and_bytes(self, store: Store) -> None:
        await store.append([row(n, payload=b"12345") for n in range(1, 6)])
        assert await store.tail(NAME) == Tail(NAME, rows=5, row_bytes=25, snapshot_bytes=0)
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"state", 0))
        assert await store.tail(NAME) == Tail(NAME, rows=2, row_bytes=10, snapshot_bytes=5)
        assert await store.tail(HEAVY) is None
        await store.delete(NAME)
        assert await store.tail(NAME) is None

    async def test_load_during_snapshots_and_appends_misses_no_row(self, store: Store) -> None:
        """Snapshot and tail that a reader sees must together be a prefix of the log without a gap."""

        async def write() -> None:
            for n in range(1, 61):
                await store.append([row(n)])

        async def compact() -> None:
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

        await asyncio.gather(write(), compact(), read())

    async def test_catalogue_keeps_titles_and_order(self, store: Store) -> None:
        await store.create(DocumentName("b"), "Bee")
        await store.create(DocumentName("a"), "")
        await store.append([row(1, name=DocumentName("c"))])
        assert await listed(store) == ["a", "b", "c"]
        before = await store.find(DocumentName("a"))
        await store.set_titles({DocumentName("c"): "Sea", DocumentName("a"): "Ay", DocumentName("never"): "No"})
        titles = [each.title for each in (await store.list_documents(ListQuery(EVERYTHING))).documents]
        assert titles == ["Ay", "Bee", "Sea"]
        found = await store.find(DocumentName("a"))
        assert found.updated_at == before.updated_at
        assert found.created_at.tzinfo is not None

    async def test_latest_documents_are_those_that_changed_last(self, store: Store) -> None:
        for number, name in enumerate("abcd", 1):
            await store.append([row(number, name=DocumentName(name))])
        await store.append([row(9, name=DocumentName("a"))])
        await store.delete(DocumentName("c"))
        assert [d.name for d in await store.latest(2)] == ["a", "d"]
        assert {d.name for d in await store.latest(9)} == {"a", "b", "d"}

    async def test_documents_are_listed_and_paged_by_code_point(self, store: Store) -> None:
        names = [
            "Z",
            "_",
            "a",
            "a b",
            "a-b",
            "aa",
            "a\u0301",
            "b",
            "z",
            "\u00e4",
            "\u00df",
            "\u4e2d",
            "\uff3a",
            "\U0001f600",
        ]
        assert sorted(names) != names
        await store.append([row(1, name=DocumentName(name)) for name in names])
        await store.delete(DocumentName("b"))
        assert await listed(store) == sorted(set(names) - {"b"})

    async def test_catalogue_entry_has_head_and_times(self, store: Store) -> None:
        created = await store.create(NAME, "Notes")
        assert (created.name, created.title, created.seq, created.epoch) == (NAME, "Notes", 0, 0)
        await store.append([row(1), row(2)])
        found = await store.find(NAME)
        assert (found.seq, found.title, found.created_at) == (2, "Notes", created.created_at)
        assert found.updated_at >= created.updated_at
        assert found.created_at.utcoffset() == found.updated_at.utcoffset() == timedelta(0)

    async def test_catalogue_refuses_absent_existing_and_deleted_documents(self, store: Store) -> None:
        for absent in (store.find(NAME), store.delete(NAME)):
            with pytest.raises(DocumentNotFound):
                await absent
        await store.create(NAME, "")
        with pytest.raises(DocumentExists):
            await store.create(NAME, "")
        await store.delete(NAME)
        for again in (store.find(NAME), store.create(NAME, ""), store.delete(NAME)):
            with pytest.raises(DocumentInBin):
                await again
        assert await listed(store) == []

    # --- lists -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", [1, 2, 500])
    async def test_list_comes_in_each_order_and_in_pages(self, store: Store, limit: int) -> None:
        for name, title in (("c", "beta"), ("a", "Ärger"), ("d", "Alpha"), ("b", "")):
            await store.create(DocumentName(name), title)
        await store.append([row(1, name=DocumentName("a"))])
        await store.set_titles({DocumentName("d"): "alpha"})
        orders = {
            ListOrder.NAME: ["a", "b", "c", "d"],
            ListOrder.TITLE: ["d", "b", "c", "a"],  # "alpha", "b" for want of a title, "beta", "ärger"
            ListOrder.CREATED: ["b", "d", "a", "c"],
            ListOrder.UPDATED: ["a", "b", "d", "c"],
        }
        for order, names in orders.items():
            assert await listed(store, ListQuery(EVERYTHING, order, limit=limit)) == names

    async def test_documents_with_the_same_title_are_each_listed_once(self, store: Store) -> None:
        names = [f"{number:02}" for number in range(9)]
        for name in names:
            await store.create(DocumentName(name), "Same")
        assert await listed(store, ListQuery(EVERYTHING, ListOrder.TITLE, limit=2)) == names

    async def test_document_that_changes_between_two_pages_hides_no_other(self, store: Store) -> None:
        names = [f"{number}" for number in range(6)]
        for name in names:
            await store.create(DocumentName(name), "")
        first = await store.list_documents(ListQuery(EVERYTHING, ListOrder.UPDATED, limit=3))
        await store.append([row(1, name=DocumentName("0"))])
        rest = await store.list_documents(ListQuery(EVERYTHING, ListOrder.UPDATED, after=first.next, limit=3))
        assert [info.name for info in (*first.documents, *rest.documents)] == ["5", "4", "3", "2", "1"]

    @pytest.mark.parametrize(
        ("search", "names"),
        [
            ("MINUTES", ["a", "minutes/1"]),
            ("straße", ["b"]),
            ("STRASSE", ["b"]),
            ("50%", ["c"]),
            ("_", ["c"]),
            ("\\", ["c"]),
            ("es/1", ["minutes/1"]),
            ("café", ["d"]),
            ("CAFE\u0301", ["d"]),
            ("nothing", []),
        ],
    )
    async def test_search_finds_text_in_titles_and_names(self, store: Store, search: str, names: list[str]) -> None:
        titles = {"a": "Minutes of May", "b": "Hauptstraße 5", "c": "50% of \\ and _", "d": "Café", "minutes/1": ""}
        for name, title in titles.items():
            await store.create(DocumentName(name), title)
        await store.append([row(1, name=DocumentName("minutes/2"))])  # created by an edit, and then in the bin
        await store.delete(DocumentName("minutes/2"))
        for order in ListOrder:
            found = await listed(store, ListQuery(EVERYTHING, order, search=search, limit=1))
            assert sorted(found) == names

    async def test_document_created_by_an_edit_is_found_by_its_name(self, store: Store) -> None:
        await store.append([row(1, name=DocumentName("Ärger/1"))])
        assert await listed(store, ListQuery(EVERYTHING, search="ÄRGER")) == ["Ärger/1"]
        await store.set_titles({DocumentName("Ärger/1"): "Freude"})
        assert await listed(store, ListQuery(EVERYTHING, search="freu")) == ["Ärger/1"]

    async def test_prefix_is_the_beginning_of_the_name_as_it_is(self, store: Store) -> None:
        names = ["team", "team/1", "team/\U0010ffff", "team0", "Team/1", "a_b", "axb", "\U0010ffff\U0010ffff"]
        await store.append([row(1, name=DocumentName(name)) for name in names])
        expected = {"team/": ["team/1", "team/\U0010ffff"], "a_": ["a_b"], "\U0010ffff": ["\U0010ffff\U0010ffff"]}
        for prefix, found in expected.items():
            assert await listed(store, ListQuery(EVERYTHING, prefix=prefix)) == found

    @pytest.mark.parametrize(
        "patterns",
        [
            *([pattern] for pattern in ("a", "a/*", "a/**", "*", "*/b", "**/b", "a/**/b", "a*/**", "**/b*", "*/*/b")),
            *(["a_/*"], ["a%/**"], ["\\*"], ["a", "a/*", "a/**/b", "*%*"], ["team/*", "x"], []),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("order", ListOrder)
    async def test_list_holds_exactly_what_the_patterns_match(
        self, store: Store, patterns: list[str], order: ListOrder
    ) -> None:
        names = [
            *"abx",
            "ab",
            "a/b",
            "a/x",
            "a/x/b",
            "a/b/b",
            "ab/x/bb",
            "a/x/y/b",
            "a_/1",
            "ax/1",
            "a%/1/2",
            "\\n",
            "é/b",
        ]
        await store.append([row(1, name=DocumentName(name)) for name in names])
        found = await listed(store, ListQuery(Readable(frozenset(patterns)), order, limit=2))
        assert sorted(found) == sorted(name for name in names if any(matches(each, name) for each in patterns))

    # --- the bin -----------------------------------------------------------------------------------

    async def test_bin_holds_deleted_documents_with_their_time(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            await store.create(DocumentName(name), name.upper())
        await store.delete(DocumentName("b"))
        page = await store.list_documents(ListQuery(EVERYTHING, in_bin=True))
        (info,) = page.documents
        assert (info.name, info.title, page.next) == ("b", "B", None)
        assert info.deleted_at is not None
        assert info.deleted_at.utcoffset() == timedelta(0)
        assert await listed(store) == ["a", "c"]

    async def test_restored_document_has_everything_in_a_new_epoch(self, store: Store) -> None:
        await store.append([row(n) for n in range(1, 4)])
        await store.set_titles({NAME: "Notes"})
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(2), b"state", 0))
        before = await store.load(NAME)
        await store.delete(NAME)
        info = await store.restore(NAME)
        after = await store.load(NAME)
        assert (info.title, info.seq, info.epoch, info.deleted_at) == ("Notes", 3, 1, None)
        assert (after.snapshot, after.tail, after.head) == (before.snapshot, before.tail, before.head)
        assert (after.epoch, after.deleted) == (1, False)
        assert await listed(store) == [NAME]
        assert (await store.heads({NAME: Sequence(2)}))[NAME].epoch == 1

    async def test_rows_of_before_a_deletion_are_refused_after_the_restoration(self, store: Store) -> None:
        """A room that lost a row to the deletion may have more in its queue, which build on it."""
        await store.append([row(1)])
        await store.delete(NAME)
        assert await store.append([row(2)]) == [Deleted()]
        await store.restore(NAME)
        assert await store.append([row(2), row(3)]) == [EpochChanged(), EpochChanged()]
        assert await store.append([row(1)]) == [Committed(Sequence(1))]  # committed before, and still
        assert await store.append([row(1, writer=8, epoch=1)]) == [Committed(Sequence(2))]
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(2), b"s", 0))

    async def test_restoring_what_is_not_in_the_bin_changes_nothing(self, store: Store) -> None:
        await store.append([row(1)])
        assert (await store.restore(NAME)).epoch == 0
        with pytest.raises(DocumentNotFound):
            await store.restore(HEAVY)

    @pytest.mark.parametrize("in_bin", [True, False])
    async def test_purged_document_is_gone_for_good(self, store: Store, in_bin: bool) -> None:
        await store.append([row(n) for n in range(1, 4)] + [row(1, name=HEAVY)])
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(2), b"state", 0))
        if in_bin:
            await store.delete(NAME)
        await store.purge(NAME)
        await clear(store)
        for absent in (store.find(NAME), store.restore(NAME), store.delete(NAME), store.purge(NAME)):
            with pytest.raises(DocumentNotFound):
                await absent
        stored = await store.load(NAME)
        assert (stored.head, stored.snapshot, stored.tail, stored.deleted) == (0, None, (), True)
        assert await store.rows_after(NAME, Sequence(0)) == []
        assert await store.tail(NAME) is None
        for in_either in (False, True):
            assert await listed(store, ListQuery(EVERYTHING, in_bin=in_either)) == ([] if in_either else [HEAVY])
        assert (await store.load(HEAVY)).head == 1

    async def test_purged_document_takes_no_row_of_clients_that_come_back(self, store: Store) -> None:
        await store.append([row(1)])
        await store.purge(NAME)
        outcomes = await store.append([row(2), row(1, writer=8)])
        await clear(store)
        assert outcomes == await store.append([row(1), row(1, writer=9)]) == [Deleted(), Deleted()]
        assert (await store.heads({NAME: Sequence(1)}))[NAME].deleted
        assert not await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(1), b"s", 0))

    @pytest.mark.parametrize("cleared", [True, False])
    async def test_name_of_a_purged_document_begins_anew_when_it_is_created(
        self, store: Store, cleared: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deletion, "NAME_RESTS", timedelta())
        await store.append([row(n) for n in range(1, 4)])
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(2), b"state", 0))
        await store.purge(NAME)
        if cleared:
            await clear(store)
        info = await store.create(NAME, "New")
        assert (info.title, info.seq, info.epoch, info.deleted_at) == ("New", 0, 1, None)
        stored = await store.load(NAME)
        assert (stored.epoch, stored.head, stored.snapshot, stored.tail) == (1, 0, None, ())
        assert await store.append([row(1), row(4)]) == [EpochChanged(), EpochChanged()]
        assert await store.append([row(1, epoch=1)]) == [Committed(Sequence(1))]
        await clear(store)
        assert (await store.load(NAME)).head == 1
        assert await listed(store, ListQuery(EVERYTHING, search="new")) == [NAME]
        with pytest.raises(DocumentExists):
            await store.create(NAME, "")

    async def test_name_of_a_purged_document_rests_until_every_replica_has_noticed(self, store: Store) -> None:
        await store.append([row(1)])
        await store.purge(NAME)
        with pytest.raises(TransientError, match="Try again"):
            await store.create(NAME, "New")
        assert (await store.load(NAME)).deleted

    async def test_old_deletions_are_purged_the_oldest_first(self, store: Store) -> None:
        names = [DocumentName(f"old/{number}") for number in range(4)]
        await store.append([row(1, name=name) for name in names])
        for name in names[:3]:
            await store.delete(name)
        before, later = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(seconds=1)
        assert await store.purge_older(before, 10) == []
        assert sorted(await store.purge_older(later, 2)) == names[:2]
        assert await store.purge_older(later, 2) == [names[2]]
        assert await store.purge_older(later, 2) == []
        assert await listed(store) == [names[3]]

    async def test_deletion_restoration_and_purge_at_once_have_one_outcome(self, store: Store) -> None:
        await store.append([row(1)])
        await store.delete(NAME)
        later = datetime.now(UTC) + timedelta(seconds=1)
        restored, purged, *_ = await asyncio.gather(
            store.restore(NAME), store.purge_older(later, 1), clear(store), return_exceptions=True
        )
        assert isinstance(restored, DocumentNotFound) == (purged == [NAME])
        await clear(store)
        assert (await store.load(NAME)).head == (0 if purged else 1)


class DurableContract(StoreContract):
    """What a store on disk promises besides. Subclasses also define ``url``: the database that ``store`` has open."""

    async def test_committed_rows_outlive_the_store_object(self, store: SqlStore, url: str) -> None:
        await store.append([row(n, payload=b"%d" % n) for n in range(1, 6)])
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(3), b"state", 0))
        before = await store.load(NAME)
        await store.close()
        later = SqlStore(url)
        await later.open()
        assert await later.load(NAME) == before
        assert await later.append([row(5), row(6)]) == [Committed(Sequence(5)), Committed(Sequence(6))]
        await later.close()

    async def test_damaged_row_is_never_returned(self, store: SqlStore, url: str) -> None:
        await store.append([row(n, payload=b"abc") for n in range(1, 4)])
        await damage(url, update(updates).where(updates.c.seq == 2).values(payload=b"abd"))
        with pytest.raises(RoomClosed, match=r"Row 2 of 'notes/42' is damaged"):
            await store.load(NAME)
        with pytest.raises(RoomClosed, match=r"Row 2 of 'notes/42' is damaged"):
            await store.rows_after(NAME, Sequence(0))
        assert [r.seq for r in await store.rows_after(NAME, Sequence(2))] == [3]

    @pytest.mark.parametrize("change", [{"state": b"no zlib"}, {"checksum": 1}, {"codec": 9}, {"size": 6}], ids=list)
    async def test_damaged_snapshot_is_never_returned(self, store: SqlStore, url: str, change: dict[str, Any]) -> None:
        await store.append([row(1)])
        await store.put_snapshot(NAME, Epoch(0), Snapshot(Sequence(1), b"state", 0))
        await damage(url, update(snapshots).values(change))
        with pytest.raises(RoomClosed, match=r"The snapshot of .* is damaged"):
            await store.load(NAME)

    async def test_unstorable_row_is_not_reported_as_an_outage(self, store: SqlStore) -> None:
        with pytest.raises(Exception, match=r"too large|out of range|int64") as caught:
            await store.append([row(1, writer=1 << 63)])
        assert not isinstance(caught.value, StoreUnavailable)
        assert await store.append([row(1)]) == [Committed(Sequence(1))]


async def damage(url: str, statement: Update) -> None:
    """Change the database without the store."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(statement)
    await engine.dispose()
