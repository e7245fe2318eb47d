"""The stored document and its compaction: a snapshot never loses anything of the rows that it replaces."""

import random

import pycrdt
import pytest

from collab.crdt import stored
from collab.crdt.document import STORED_SLICE, Document
from collab.crdt.stored import compact, load_document, load_in_steps
from collab.errors import DocumentPoisoned
from tests.protocol.build import shared, text, update
from tests.room.build import YjsClient, a_row, document_of, inspected

ANN, BOB, COY = 1, 2, 3


# --- loading and compaction ----------------------------------------------------------------------------


def test_document_is_read_from_snapshot_and_rows() -> None:
    ann = YjsClient(ANN)
    parts = [ann.type(at, letter) for at, letter in enumerate("abcd")]
    rows = [a_row(2, parts[1], parts[2]), a_row(3, parts[3])]
    assert load_document(document_of(parts[0]).encode(), rows).text() == "abcd"
    assert load_document(None, []).text() == ""


@pytest.mark.parametrize("payload", [b"\xff", b"\1\0\1\0\2\0\0"])
def test_malformed_row_makes_no_document(payload: bytes) -> None:
    row = a_row(1)
    with pytest.raises(DocumentPoisoned):
        load_document(None, [type(row)(row.seq, row.writer, row.n, payload)])


def test_large_row_is_loaded_in_slices() -> None:
    jumps = update((ANN, 0, [text("x")] * 200), deletes={ANN: [(clock, 1) for clock in range(0, 100, 2)]})
    steps, taken = load_in_steps(None, [a_row(1, jumps)]), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            loaded = end.value
            break
        taken += 1
    assert taken >= 200 // STORED_SLICE.jumps + 50 // (STORED_SLICE.jumps // 2)
    whole = Document()
    whole._doc.apply_update(jumps)
    assert loaded._doc.get_update() == whole._doc.get_update()


def test_large_row_that_builds_on_what_is_missing_makes_no_document() -> None:
    damaged = update((ANN, 0, [*[text("x")] * 20, text("y", left=(BOB, 0))]))
    with pytest.raises(DocumentPoisoned, match="no row holds"):
        load_document(None, [a_row(1, damaged)])
    with pytest.raises(DocumentPoisoned, match="no row holds"):
        load_document(None, [a_row(1, update((ANN, 0, [text("x")] * 20), deletes={BOB: [(0, 1)]}))])


def test_row_that_the_guard_refuses_makes_no_document() -> None:
    with pytest.raises(DocumentPoisoned):
        load_document(None, [a_row(1, b"\1\1\1\0")])


def test_compacted_state_equals_snapshot_and_rows() -> None:
    ann = YjsClient(ANN)
    parts = [ann.type(0, "abc"), ann.delete(0, 1), ann.type(2, "d")]
    state = compact(None, [a_row(1, parts[0])])
    state = compact(state, [a_row(2, parts[1]), a_row(3, parts[2])])
    assert Document.load(state, []).equals(document_of(*parts))
    assert compact(state, []) == state


def a_life(seed: int) -> list[bytes]:
    """Return updates of three clients on nested text, rich text, lists and maps, with many deletions."""
    dice = random.Random(seed)
    people = [YjsClient(client) for client in (ANN, BOB, COY)]
    life: list[bytes] = []
    for _ in range(40):
        author = dice.choice(people)
        life.append(author.change(lambda author=author: _something(author, dice)))  # type: ignore[misc]
        if dice.random() < 0.5:
            for other in people:
                other.hear(author.everything)
    return [each for each in life if each != b"\0\0"]


def _something(author: YjsClient, dice: random.Random) -> None:
    fragment = author.doc.get("default", type=pycrdt.XmlFragment)
    blocks = len(fragment.children)
    lists = author.doc.get("list", type=pycrdt.Array)
    match dice.randrange(7):
        case 0:
            block = fragment.children.append(pycrdt.XmlElement("p", {"align": dice.choice(("left", "right"))}))
            block.children.append(pycrdt.XmlText(dice.choice(("word", "é😀", "x"))))
        case 1 if blocks:
            del fragment.children[dice.randrange(blocks)]
        case 2 if blocks:
            child = fragment.children[dice.randrange(blocks)].children[0]
            child.insert(0, "ab")
            child.format(0, 2, {"bold": dice.choice(({}, None))})
        case 3:
            lists.insert(dice.randint(0, len(lists)), pycrdt.Map({"k": pycrdt.Array([1, "two"])}))
        case 4 if len(lists):
            del lists[dice.randrange(len(lists))]
        case 5:
            author.doc.get("meta", type=pycrdt.Map)[dice.choice("ab")] = pycrdt.Text("t")
        case _:
            text = author.doc.get("content", type=pycrdt.Text)
            text.insert(0, dice.choice(("one", "two")))
            if len(text) > 6:
                del text[2:5]


@pytest.mark.parametrize("seed", range(60))
def test_compaction_keeps_formats_deleted_parents_and_nested_types(seed: int) -> None:
    life = a_life(seed)
    snapshot: bytes | None = None
    for start in range(0, len(life), 7):
        snapshot = compact(snapshot, [a_row(start + at, each) for at, each in enumerate(life[start : start + 7], 1)])
    assert Document.load(snapshot, []).equals(document_of(*life))


def test_compaction_accepts_text_in_a_parent_deleted_before() -> None:
    parts = [
        update((ANN, 0, [shared(), shared(parent=(ANN, 0))])),
        update(deletes={ANN: [(0, 1)]}),
        update((BOB, 0, [text("abc", parent=(ANN, 1))])),
    ]
    state = compact(None, [a_row(seq, each) for seq, each in enumerate(parts, 1)])
    assert Document.load(state, []).equals(document_of(*parts))


# --- refused snapshots ---------------------------------------------------------------------------------


class Forgetful(Document):
    """A document that encodes something else than it holds. Reading it back is real."""

    lost = b""

    def encode(self) -> bytes:
        return self.lost


@pytest.mark.parametrize(
    "lost",
    [
        b"\0\0",
        update((ANN, 0, [text("ab")])),
        update((ANN, 0, [text("abc"), text("d", left=(ANN, 2))])),
        update((ANN, 0, [text("abc")]), deletes={ANN: [(0, 2)]}),
        update((ANN, 0, [text("abc")])),
        update((ANN, 0, [text("abc")]), (BOB, 0, [text("x", left=(ANN, 1))]), deletes={ANN: [(0, 1)]}),
        b"\xff",
    ],
    ids=["empty", "shorter", "longer", "extra deletion", "lost deletion", "extra client", "malformed"],
)
def test_snapshot_that_does_not_read_back_is_refused(lost: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [a_row(1, update((ANN, 0, [text("abc")]), deletes={ANN: [(0, 1)]}))]
    monkeypatch.setattr(stored, "Document", Forgetful)
    monkeypatch.setattr(Forgetful, "lost", lost)
    with pytest.raises(DocumentPoisoned):
        compact(None, rows)


def test_document_with_pending_structs_is_not_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    ann = YjsClient(ANN)
    _lost, found = inspected(ann.type(0, "a"), ann.type(1, "b"))
    parked = Document()
    parked._integrate(found)
    monkeypatch.setattr(stored, "load_document", lambda *_: parked)
    with pytest.raises(DocumentPoisoned):
        compact(None, [])
