"""The wrapper of the engine: what it knows and lacks, what it refuses, and how it fails."""

from collections.abc import Callable

import pycrdt
import pytest

from collab.crdt import comparison
from collab.crdt import document as module
from collab.crdt.assessment import Contradicted, News
from collab.crdt.comparison import contradiction
from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.shared_diffs import NOTHING
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.crdt.update import DELETED, InspectedUpdate
from collab.errors import DocumentPoisoned, UpdateRefused
from collab.protocol.limits import NESTING_MAX
from collab.protocol.messages import EMPTY_UPDATE
from tests.crdt.asking import contradicted_at, knows, replay, take
from tests.protocol.build import ROOT, gc, item, shared, skip, string, text, uint, update
from tests.room.build import YjsClient, document_of, inspected

ANN, BOB = 1, 2


class Panic(BaseException):
    """A stand-in for a panic of the engine, which is not an ``Exception``."""


def breaking(document: Document, call: str, panic: BaseException) -> None:
    """Make a call into the engine fail on this document."""

    def fail(*_: object) -> bytes:
        raise panic

    setattr(document._doc, call, fail)


def an_element(client: int, clock: int, *, parent: tuple[int, int] | None = None) -> bytes:
    return update((client, clock, [shared(parent=parent)]))


# --- loading -------------------------------------------------------------------------------------------


def test_document_is_its_snapshot_and_the_updates_after_it() -> None:
    ann = YjsClient(ANN)
    first, second = ann.type(0, "one "), ann.type(4, "two")
    loaded = Document.load(document_of(first).encode(), [second])
    assert loaded.text() == "one two"
    assert loaded.state == {ANN: 7}
    assert loaded.whole()
    assert loaded.equals(document_of(first, second))


def test_log_out_of_order_is_damaged() -> None:
    ann = YjsClient(ANN)
    updates = [ann.type(at, letter) for at, letter in enumerate("abcd")]
    with pytest.raises(DocumentPoisoned, match="damaged"):
        document_of(*reversed(updates))


def test_log_with_missing_dependencies_is_damaged() -> None:
    ann = YjsClient(ANN)
    _lost, found = ann.type(0, "a"), ann.type(1, "b")
    with pytest.raises(DocumentPoisoned, match="damaged"):
        document_of(found)


def test_bytes_that_are_no_snapshot_make_no_document() -> None:
    with pytest.raises(DocumentPoisoned):
        Document.load(b"\xff\xff", [])


def test_snapshot_of_more_clients_than_a_peer_may_have_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    many = document_of(*(YjsClient(client).type(0, "x") for client in range(1, 9)))
    monkeypatch.setattr("collab.crdt.statevector.STATE_VECTOR_ENTRIES_MAX", 4)
    assert len(Document.load(many.encode(), []).state) == 8


# --- what adds nothing ---------------------------------------------------------------------------------


def test_update_adds_nothing_once_its_text_and_its_deletions_are_here() -> None:
    ann = YjsClient(ANN)
    first, second, deletion = ann.type(0, "ab"), ann.type(2, "c"), ann.delete(0, 2)
    whole = inspected(first, second, deletion, ann.everything)
    document = Document()
    for each in whole[:3]:
        assert not knows(document, each)
        take(document, each)
        assert knows(document, each)
    assert knows(document, whole[3])


def test_deletion_inside_a_known_deletion_adds_nothing() -> None:
    document = document_of(update((ANN, 0, [text("abcdef")])), update(deletes={ANN: [(1, 3)]}))
    assert all(knows(document, each) for each in inspected(update(deletes={ANN: [(1, 1), (3, 1)]})))
    assert not knows(document, inspect_update(update(deletes={ANN: [(3, 2)]})))
    assert not knows(document, inspect_update(update(deletes={BOB: [(0, 1)]})), exact=True)


def test_deletions_from_a_snapshot_are_known_only_when_asked_exactly() -> None:
    ann = YjsClient(ANN)
    ann.type(0, "abc")
    deletion = inspect_update(ann.delete(1, 1))
    loaded = Document.load(ann.everything, [])
    assert not knows(loaded, deletion)
    assert knows(loaded, deletion, exact=True)
    assert knows(loaded, deletion)


def test_deletion_with_the_parent_is_known_when_asked_exactly() -> None:
    child = update((BOB, 0, [text("x", parent=(ANN, 0))]))
    document = document_of(update((ANN, 0, [shared()])), child, update(deletes={ANN: [(0, 1)]}))
    gone = inspect_update(update(deletes={BOB: [(0, 1)]}))
    assert not knows(document, gone)
    assert knows(document, gone, exact=True)
    assert not knows(document, inspect_update(update(deletes={BOB: [(0, 2)]})), exact=True)


def test_replaced_map_value_is_known_as_deleted_when_asked_exactly() -> None:
    def give_title(author: YjsClient) -> bytes:
        return author.change(lambda: author.doc.get("meta", type=pycrdt.Map).__setitem__("title", "x"))

    values = [give_title(YjsClient(client)) for client in (ANN, BOB)]
    document = document_of(values[0])
    loser = inspect_update(update(deletes={ANN: [(0, 1)]}))
    assert not knows(document, loser, exact=True)
    replay(document, inspect_update(values[1]))
    assert knows(document, loser, exact=True)


def test_engine_is_not_asked_again_for_deletions_until_a_change() -> None:
    ann = YjsClient(ANN)
    ann.type(0, "abc")
    document = Document.load(ann.everything, [])
    unknown = inspect_update(update(deletes={ANN: [(0, 3)]}))
    assert not knows(document, unknown, exact=True)
    breaking(document, "get_state", Panic())
    assert not knows(document, unknown, exact=True)
    take(document, inspect_update(ann.delete(0, 1)))
    with pytest.raises(DocumentPoisoned):
        knows(document, unknown, exact=True)


def test_update_that_skips_known_structs_adds_nothing() -> None:
    document = document_of(update((ANN, 0, [text("abc")])))
    assert knows(document, inspect_update(update((ANN, 0, [text("a"), skip(1), text("c")]))))
    assert knows(document, inspect_update(update((ANN, 0, [text("a"), skip(9)]))))
    assert not knows(document, inspect_update(update((ANN, 0, [text("a"), skip(3), text("c")]))))


@pytest.mark.parametrize("integrate", [take, replay])
def test_partly_known_update_adds_the_rest(
    integrate: Callable[[Document, InspectedUpdate], InspectedUpdate],
) -> None:
    document = document_of(update((ANN, 0, [text("ab")]), (BOB, 0, [text("xyz")])), update(deletes={BOB: [(2, 1)]}))
    overlapping = update(
        (ANN, 1, [text("bc", left=(ANN, 0))]), (BOB, 0, [text("xy")]), deletes={BOB: [(2, 1)], ANN: [(0, 1)]}
    )
    news = integrate(document, inspect_update(overlapping))
    assert news.payload == update((ANN, 2, [text("c", left=(ANN, 1))]), deletes={ANN: [(0, 1)]})
    assert document.state == {ANN: 3, BOB: 3}
    assert document.whole()


def test_entirely_new_update_is_taken_unchanged() -> None:
    document = document_of(YjsClient(ANN).type(0, "abc"))
    fresh = inspect_update(YjsClient(BOB).type(0, "x"))
    assert take(document, fresh) is fresh


def test_known_front_stays_in_place_whatever_the_rest_claims() -> None:
    document = Document()
    take(document, inspect_update(update((ANN, 0, [shared(), text("abc", parent=(ANN, 0))]))))
    take(document, inspect_update(update((ANN, 1, [item(DELETED, uint(4))]))))  # claims a place in a root
    with pytest.raises(UpdateRefused, match="not a shared type"):
        take(document, inspect_update(update((BOB, 0, [text("x", parent=(ANN, 3))]))))
    take(document, inspect_update(update((BOB, 0, [text("x", parent=(ANN, 4))]))))
    assert document.whole()


@pytest.mark.parametrize("clients", [1, 32, 33])
@pytest.mark.parametrize("differs", [False, True])
def test_comparing_a_duplicate_reads_little_of_a_long_history(
    clients: int, differs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [text("a"), *(text("b", right=(ANN, at)) for at in range(1499))]
    others = [(client, 0, [text("c")] * 1500) for client in range(BOB, clients + 1)]
    document = document_of(update((ANN, 0, long), *others))
    read: list[int] = []

    def note(update: InspectedUpdate, known: InspectedUpdate) -> tuple[int, int] | None:
        read.append(len(known.structs))
        return contradiction(update, known)

    monkeypatch.setattr(comparison, "contradiction", note)
    fresh = (clients + 1, 0, [text("new")])
    again = update(
        *((client, 0, [text("c")]) for client, _, _ in others), (ANN, 20, [text("x" if differs else "b")]), fresh
    )
    assert contradicted_at(document, inspect_update(again)) == ((ANN, 20) if differs else None)
    assert sum(read) <= 64 * clients or clients == 33
    at_once = update((ANN, 0, [text("a"), *(text("b", right=(ANN, at)) for at in range(40)), text("x")]))
    assert contradicted_at(document, inspect_update(at_once)) == (ANN, 41)


def test_update_without_known_content_is_compared_with_nothing() -> None:
    document = document_of(update((ANN, 0, [text("abc")])))
    breaking(document, "get_update", Panic())
    assert contradicted_at(document, inspect_update(update((ANN, 0, [gc(2)]), (BOB, 0, [text("new")])))) is None


# --- what it may become --------------------------------------------------------------------------------


def nested(depth: int) -> list[bytes]:
    """Return updates that each nest one more type into the one before."""
    return [an_element(ANN, level, parent=(ANN, level - 1) if level else None) for level in range(depth)]


def test_deep_nesting_is_refused_wherever_the_levels_came_from() -> None:
    levels = nested(NESTING_MAX + 2)
    live = Document()
    for level in levels[:-1]:
        take(live, inspect_update(level))
    loaded = Document.load(live.encode(), [])
    replayed = document_of(*levels[:-1])
    for document in (live, loaded, replayed):
        with pytest.raises(UpdateRefused, match="deep"):
            take(document, inspect_update(levels[-1]))
        assert document.state == {ANN: len(levels) - 1}
        take(document, inspect_update(update((ANN, len(levels) - 1, [text("x")]))))
        assert document.whole()


def test_child_of_an_element_that_is_no_type_is_refused_whole() -> None:
    document = document_of(update((ANN, 0, [text("abc")])))
    with pytest.raises(UpdateRefused, match="not a shared type"):
        take(document, inspect_update(update((BOB, 0, [text("y"), text("x", parent=(ANN, 1))]))))
    assert document.state == {ANN: 3}
    assert document.whole()


def test_levels_are_tracked_through_edits_and_rows() -> None:
    document = Document()
    take(document, inspect_update(update((ANN, 0, [shared()]))))
    take(document, inspect_update(update((ANN, 1, [text("x", parent=(ANN, 0))]))))
    replay(document, inspect_update(update((BOB, 0, [shared(parent=(ANN, 0))]))))
    take(document, inspect_update(update((BOB, 1, [text("y", parent=(BOB, 0))]))))
    with pytest.raises(UpdateRefused):
        take(document, inspect_update(update((BOB, 2, [text("z", parent=(BOB, 1))]))))


def test_plain_text_pays_for_no_levels() -> None:
    document = document_of(update((ANN, 0, [text("abc")])))
    breaking(document, "get_update", Panic())
    take(document, inspect_update(update((BOB, 0, [text("x", left=(ANN, 1))]))))
    with pytest.raises(DocumentPoisoned):
        take(document, inspect_update(update((BOB, 1, [shared()]))))


def test_clients_are_bounded_and_known_ones_may_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENT_CLIENTS_MAX", 3)
    authors = [YjsClient(client) for client in range(1, 5)]
    document = document_of(*(author.type(0, "x") for author in authors[:2]))
    with pytest.raises(UpdateRefused, match="clients"):
        take(document, inspect_update(update((3, 0, [text("x")]), (4, 0, [text("x")]))))
    take(document, inspect_update(update((3, 0, [text("x")]), (1, 1, [text("x")]))))
    with pytest.raises(UpdateRefused, match="clients"):
        take(document, inspect_update(authors[3].type(0, "x")))
    take(document, inspect_update(update((1, 2, [text("more")]))))
    take(document, inspect_update(update(deletes={3: [(0, 1)]})))
    assert len(document.state) == 3


def deletions(*places: int) -> InspectedUpdate:
    """Return an update that deletes single letters of Ann's text, each of which splits it twice."""
    return inspect_update(update(deletes={ANN: [(2 * place + 1, 1) for place in places]}))


def test_splits_of_an_update_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPLITS_MAX", 6)
    document = document_of(update((ANN, 0, [text("x" * 20)])))
    take(document, deletions(0, 1))
    with pytest.raises(UpdateRefused, match="6 places"):
        document.assess(deletions(2, 3, 4, 5))
    with pytest.raises(UpdateRefused, match="6 places"):
        take(document, deletions(2, 3, 4, 5))
    assert document.text() == ""
    assert not knows(document, deletions(2))
    take(document, deletions(2, 3, 4))
    monkeypatch.setattr(module, "SPLITS_MAX", 7)
    with pytest.raises(UpdateRefused, match="7 places"):
        take(document, deletions(5, 6, 7, 8))
    replay(document, deletions(5, 6, 7, 8))
    assert knows(document, deletions(*range(9)))


def test_repeated_known_deletions_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPLITS_MAX", 6)
    document = document_of(update((ANN, 0, [text("x" * 20)])), deletions(0, 1, 2, 3, 4).payload)
    reloaded = Document.load(document.encode(), [])
    for each in (document, reloaded):
        take(each, deletions(*range(8)))
        assert knows(each, deletions(*range(8)))
    with pytest.raises(UpdateRefused):
        take(Document.load(document_of(update((ANN, 0, [text("x" * 20)]))).encode(), []), deletions(*range(8)))


def test_update_of_many_structs_reaches_the_engine_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_STRUCTS_MAX", 5)
    ann = YjsClient(ANN)
    typed = [ann.type(at, letter) for at, letter in enumerate("so many words")]
    merged = inspect_update(pycrdt.merge_updates(*typed, ann.delete(3, 5)))
    document = Document()
    given: list[InspectedUpdate] = []
    document._doc.observe(lambda event: given.append(inspect_update(event.update)))
    take(document, merged)
    assert sum(len(each.structs) for each in given) <= len(given) <= 4
    assert document.text() == ann.text == "so words"
    assert document.equals(document_of(*typed, ann.everything))


# --- reading it ----------------------------------------------------------------------------------------


def test_empty_document_is_the_empty_update_and_the_empty_state() -> None:
    document = Document()
    assert document.encode() == EMPTY_UPDATE
    assert encode_state_vector(document.state) == b"\0"
    assert document.diff({}) == EMPTY_UPDATE
    assert document.text() == ""
    assert document.whole()


def test_whole_state_is_encoded_once_until_something_changes() -> None:
    ann = YjsClient(ANN)
    document = document_of(ann.type(0, "abc"))
    whole = document.encode()
    assert document.encode() is whole
    assert document.diff({}) is whole
    take(document, inspect_update(ann.delete(0, 1)))
    assert document.encode() != whole


def test_diff_has_missing_structs_and_every_deletion() -> None:
    ann = YjsClient(ANN)
    first, second, deletion = ann.type(0, "abc"), ann.type(3, "def"), ann.delete(1, 1)
    document = document_of(first, second, deletion)
    peer = YjsClient(BOB, first)
    peer.hear(document.diff(peer.state))
    assert peer.text == "acdef"
    difference = inspect_update(document.diff({ANN: 3}))
    assert [(s.clock, s.length) for s in difference.structs] == [(3, 3)]
    assert difference.deletes == ((ANN, 1, 1),)
    assert document.diff({ANN: 6, BOB: 9}) == update(deletes={ANN: [(1, 1)]})


def test_state_vector_has_the_clock_of_each_client() -> None:
    document = document_of(YjsClient(ANN).type(0, "abc"), YjsClient(BOB).type(0, "é😀"))
    assert decode_state_vector(encode_state_vector(document.state)) == document.state == {ANN: 3, BOB: 3}


# --- comparing -----------------------------------------------------------------------------------------


def a_rich_document() -> YjsClient:
    ann = YjsClient(ANN)
    fragment = ann.doc.get("default", type=pycrdt.XmlFragment)
    block = fragment.children.append(pycrdt.XmlElement("paragraph", {"align": "left"}))
    words = block.children.append(pycrdt.XmlText("hello world"))
    words.format(0, 5, {"bold": {}})
    ann.doc.get("meta", type=pycrdt.Map)["title"] = "A"
    ann.type(0, "plain")
    ann.delete(1, 2)
    return ann


def test_documents_with_different_histories_can_be_equal() -> None:
    ann, bob = YjsClient(ANN), YjsClient(BOB)
    first = ann.type(0, "abc")
    bob.hear(first)
    second, third = ann.type(3, "d"), bob.delete(0, 1)
    one, other = document_of(first, second, third), document_of(first, third, second)
    assert one.equals(other)
    assert one.equals(Document.load(other.encode(), []))


@pytest.mark.parametrize(
    "change",
    [
        lambda ann: ann.type(0, "x"),
        lambda ann: ann.delete(0, 1),
        lambda ann: ann.doc.get("default", type=pycrdt.XmlFragment).children.append(pycrdt.XmlElement("p")),
        lambda ann: (
            ann.doc.get("default", type=pycrdt.XmlFragment).children[0].children[0].format(0, 5, {"bold": None})
        ),
        lambda ann: ann.doc.get("meta", type=pycrdt.Map).__setitem__("title", "B"),
    ],
    ids=["letter", "deletion", "element", "format", "map"],
)
def test_documents_that_differ_in_anything_are_not_equal(change: Callable[[YjsClient], object]) -> None:
    ann = a_rich_document()
    before = document_of(ann.everything)
    change(ann)
    after = document_of(ann.everything)
    assert not before.equals(after)
    assert not after.equals(before)
    assert after.equals(document_of(ann.everything))


@pytest.mark.parametrize(("kept", "lost"), [(b"hello", b"jello"), (b"left", b"felt"), (b"bold", b"mold")])
def test_documents_with_equal_clocks_and_other_text_are_not_equal(kept: bytes, lost: bytes) -> None:
    whole = a_rich_document().everything
    one, other = document_of(whole), document_of(whole.replace(kept, lost))
    assert one.state == other.state
    assert not one.equals(other)


def test_content_that_became_a_gc_struct_is_noticed() -> None:
    one = document_of(update((ANN, 0, [text("abc"), text("def", left=(ANN, 2))])))
    other = document_of(update((ANN, 0, [text("abc"), gc(3)])))
    assert one.state == other.state
    assert not one.equals(other)


def test_altered_document_does_not_read_back() -> None:
    document = document_of(a_rich_document().everything, YjsClient(BOB).type(0, "é😀"))
    assert document.reads_back()
    document.encode()
    document._shared.keep(NOTHING, document_of(a_rich_document().everything).encode())
    assert not document.reads_back()


@pytest.mark.parametrize("links", [1, 20])
def test_objects_read_back_with_their_keys_in_any_order(links: int) -> None:
    def a_document(target: str) -> Document:
        href = '{"href":"https://example.org","target":"%s","rel":"nofollow","class":null}'
        marks = [item(6, string("link") + string(href % target)) for _ in range(links)]
        values = [item(8, b"\x01\x76\x03\x01a\x7d\x01\x01b\x7e\x01c\x7f", root="list")]
        return document_of(update((ANN, 0, [*marks, *values])))

    document = a_document("_blank")
    assert document.reads_back()
    assert document.equals(a_document("_blank"))
    assert not document.equals(a_document("_self"))


def test_document_with_pending_structs_is_not_whole() -> None:
    ann = YjsClient(ANN)
    _lost, found = inspected(ann.type(0, "a"), ann.type(1, "b"))
    document = Document()
    document._integrate(found)
    assert not document.whole()
    assert not document.reads_back()


# --- failing -------------------------------------------------------------------------------------------

EVERYTHING: dict[str, Callable[[Document, InspectedUpdate], object]] = {
    "apply": take,
    "replay": replay,
    "encode": lambda document, update: document.encode(),
    "diff": lambda document, update: document.diff({ANN: 1}),
    "text": lambda document, update: document.text(),
    "whole": lambda document, update: document.whole(),
    "reads_back": lambda document, update: document.reads_back(),
    "equals": lambda document, update: document.equals(document),
    "deletions": lambda document, update: knows(document, update, exact=True),
}


@pytest.mark.parametrize("call", EVERYTHING)
def test_poisoned_document_is_never_read_or_written_again(call: str) -> None:
    ann = YjsClient(ANN)
    document = document_of(ann.type(0, "abc"), ann.delete(0, 1))
    document.encode()
    deletion = inspect_update(ann.delete(0, 1))
    breaking(document, "apply_update", Panic())
    with pytest.raises(DocumentPoisoned) as caught:
        take(document, deletion)
    assert isinstance(caught.value.__cause__, Panic)
    assert document.is_poisoned
    for untouchable in ("apply_update", "get_update", "get_state", "get", "keys"):
        breaking(document, untouchable, AssertionError("touched"))
    with pytest.raises(DocumentPoisoned) as again:
        EVERYTHING[call](document, deletion)
    assert again.value.__cause__ is None


def test_update_that_fails_in_the_engine_is_not_taken_for_known() -> None:
    ann = YjsClient(ANN)
    document = Document()
    breaking(document, "apply_update", ValueError())
    with pytest.raises(DocumentPoisoned):
        take(document, inspect_update(ann.type(0, "abc")))
    assert document.state == {}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupt_inside_the_engine_poisons_and_is_passed_on(stop: type[BaseException]) -> None:
    ann = YjsClient(ANN)
    document = Document()
    breaking(document, "apply_update", stop())
    with pytest.raises(stop):
        take(document, inspect_update(ann.type(0, "abc")))
    assert document.is_poisoned


def test_root_of_two_kinds_reads_the_same_after_a_reload() -> None:
    """A root gets its type from its reader, so the document must not fix it by reading."""
    document = document_of(update((ANN, 0, [text("abc")])), update((BOB, 0, [b"\x28" + ROOT + b"\x01k\x01\x7e"])))
    document.text()
    assert Document.load(document.encode(), []).equals(document)


def test_part_of_an_update_that_is_not_ready_tells_what_it_waits_for() -> None:
    partly_ready = update((ANN, 0, [text("a")]), (BOB, 0, [text("b", left=(9, 4))]))
    answer = Document().assess(inspect_update(partly_ready))
    assert isinstance(answer, News)
    assert answer.update.payload == update((ANN, 0, [text("a")]))
    assert answer.rest is not None
    assert answer.rest.payload == update((BOB, 0, [text("b", left=(9, 4))]))
    assert answer.waits_for == {9: 4}


def test_row_with_halves_in_one_string_deletes_the_pair_of_the_document() -> None:
    document = document_of(update((ANN, 0, [text("a\N{CAT FACE}b")])))
    halves = "\N{REPLACEMENT CHARACTER}" * 2
    row = update((BOB, 0, [text("X")]), (ANN, 0, [text(f"a{halves}b")]))
    answer = document.assess(inspect_update(row), committed=True)
    assert isinstance(answer, News)
    assert answer.before is not None
    assert answer.before.payload == update(deletes={ANN: [(1, 2)]})


def test_committed_row_that_contradicts_the_document_brings_the_rest() -> None:
    document = document_of(update((ANN, 0, [text("abc", root="content")])))
    answer = document.assess(inspect_update(update((ANN, 0, [text("aXcd", root="content")]))), committed=True)
    assert isinstance(answer, Contradicted)
    assert answer.at == (ANN, 1)
    assert isinstance(answer.despite, News)
    document.apply(answer.despite)
    assert document.text() == "abcd"
