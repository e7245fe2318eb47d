"""No update splits a surrogate pair: live, replayed and compacted documents have the same text."""

import pytest

from collab.crdt.assessment import News
from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.stored import compact, load_document
from collab.crdt.update import DELETED
from collab.errors import UpdateRefused
from collab.ids import SessionId
from collab.protocol.messages import Saved, Update
from collab.protocol.rows import decode_entries
from tests.protocol.build import item, shared, string, text, uint, update
from tests.room.build import OURS, SteppedRoom, a_room, a_row, a_session, commit, ends, told

CAT = "\N{CAT FACE}"
GONE = "\N{REPLACEMENT CHARACTER}" * 2
BASE = update((1, 0, [text(f"a{CAT}b", root="content")]))
"""Clocks of client 1: 0 for a, 1 and 2 for the surrogates of the cat, 3 for b."""
SPLITS = {
    "high surrogate deleted": update(deletes={1: [(1, 1)]}),
    "low surrogate deleted": update(deletes={1: [(2, 1)]}),
    "deleted from the low surrogate on": update(deletes={1: [(2, 2)]}),
    "deleted up to the high surrogate": update(deletes={1: [(0, 2)]}),
    "text inserted inside": update((2, 0, [text("X", left=(1, 1), right=(1, 2))])),
    "text inserted after the high surrogate": update((2, 0, [text("X", left=(1, 1))])),
    "text inserted before the low surrogate": update((2, 0, [text("X", right=(1, 2))])),
    "a format begun inside": update((2, 0, [item(6, string("b") + string("true"), left=(1, 1), right=(1, 2))])),
}


def logged(room: SteppedRoom) -> list[bytes]:
    """Return the updates of the room's next row, which is not committed yet."""
    row = room.next_row()
    assert row is not None
    return [entry.update for entry in decode_entries(row.payload)]


@pytest.mark.parametrize("splitting", SPLITS.values(), ids=SPLITS)
def test_known_character_is_deleted_before_it_is_split(splitting: bytes) -> None:
    room = a_room(BASE, sessions=[a_session(1), a_session(2, "bob")])
    effects = room.receive(SessionId(1), Update(splitting), 0.0)
    deletion = update(deletes={1: [(1, 2)]})
    assert told(effects, 1) == [Update(deletion)]
    if told(effects, 2)[1:]:  # a deletion of one surrogate adds nothing to the deletion of both
        assert told(effects, 2) == [Update(deletion), Update(splitting)]
    log = logged(room)
    assert log[0] == deletion
    replayed = Document.load(None, [BASE, *log])
    assert room.document.text().replace("X", "") in ("ab", "a", "b")
    assert room.document.text() == replayed.text()
    assert room.document.text() == Document.load(replayed.encode(), []).text()


@pytest.mark.parametrize("read_before", [False, True])
def test_refused_update_splits_and_deletes_nothing(read_before: bool) -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    if read_before:  # so that the document has read its structure
        room.receive(SessionId(1), Update(update((9, 0, [shared()]))), 0.0)
        commit(room)
    child_of_a_text = item(4, string("y"), parent=(1, 0))
    effects = room.receive(SessionId(1), Update(update((8, 0, [text("x", left=(1, 1)), child_of_a_text]))), 0.0)
    assert ends(effects) == {1: UpdateRefused}
    assert room.document.text() == f"a{CAT}b"
    assert room.next_row() is None


@pytest.mark.parametrize("splitting", SPLITS.values(), ids=SPLITS)
def test_split_is_acknowledged_once_both_updates_are_committed(splitting: bytes) -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    room.receive(SessionId(1), Update(splitting), 0.0)
    assert told(commit(room), 1) == [Saved(splitting)]


@pytest.mark.parametrize("splitting", SPLITS.values(), ids=SPLITS)
def test_character_from_a_snapshot_is_not_split_either(splitting: bytes) -> None:
    state = compact(None, [a_row(1, BASE)])
    room = SteppedRoom(
        a_room().name, load_document(state, []), epoch=a_room().epoch, cursor=a_room().cursor, writer=OURS
    )
    room.join(a_session(1))
    room.receive(SessionId(1), Update(splitting), 0.0)
    assert room.document.text().replace("X", "") in ("ab", "a", "b")
    assert Document.load(state, logged(room)).text() == room.document.text()


def test_character_that_arrives_split_is_replaced_as_its_author_sees_it() -> None:
    inside = update((2, 0, [text("X", left=(1, 1), right=(1, 2))]), (1, 0, [text(f"a{CAT}b{CAT}", root="content")]))
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    effects = room.receive(SessionId(1), Update(inside), 0.0)
    assert room.document.text() == f"a{GONE[0]}X{GONE[0]}b{CAT}"
    (sent,) = told(effects, 2)
    assert sent == Update(logged(room)[0])
    assert Document.load(None, [sent.update]).text() == room.document.text()


@pytest.mark.parametrize("key", [None, "title"])
def test_only_the_split_character_is_replaced_in_place(key: str | None) -> None:
    content = string(f"{CAT}{CAT}{CAT}")
    whole = update((1, 0, [item(4, content, key=key)]), deletes={1: [(3, 1)]})
    mended = update((1, 0, [item(4, string(f"{CAT}{GONE}{CAT}"), key=key)]), deletes={1: [(3, 1)]})
    room = a_room(sessions=[a_session(1)])
    room.receive(SessionId(1), Update(whole), 0.0)
    assert logged(room) == [mended]


def test_deleted_character_is_not_deleted_again() -> None:
    room = a_room(BASE, update(deletes={1: [(1, 2)]}), sessions=[a_session(1)])
    splitting = update((2, 0, [text("X", left=(1, 1), right=(1, 2))]))
    room.receive(SessionId(1), Update(splitting), 0.0)
    assert logged(room) == [splitting]


HALF = GONE[0]
SPLIT = {
    "with text inside": update(
        (1, 0, [text(f"a{HALF}", root="content"), text(f"{HALF}b", left=(1, 1)), text("X", left=(1, 1), right=(1, 2))])
    ),
    "with one surrogate deleted": update(
        (1, 0, [text(f"a{HALF}", root="content"), item(DELETED, uint(1), left=(1, 1)), text("b", left=(1, 2))]),
        deletes={1: [(2, 1)]},
    ),
    "with the text inside deleted": update(
        (1, 0, [text(f"a{HALF}", root="content"), text(f"{HALF}b", left=(1, 1))]),
        (2, 0, [item(DELETED, uint(1), left=(1, 1), right=(1, 2))]),
        deletes={2: [(0, 1)]},
    ),
}
"""What the author of BASE sends who has split the cat after the first connection was lost."""


@pytest.mark.parametrize("split", SPLIT.values(), ids=SPLIT)
@pytest.mark.parametrize("split_first", [True, False])
def test_character_in_one_row_whole_and_in_another_split_is_deleted(split: bytes, split_first: bool) -> None:
    first, second = (split, BASE) if split_first else (BASE, split)
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    room.receive(SessionId(1), Update(first), 0.0)
    commit(room, 1)
    effects = room.receive_row(a_row(2, second), room.epoch)
    deletion = update(deletes={1: [(1, 2)]})
    assert Update(deletion) in told(effects, 1)
    assert Update(deletion) in told(effects, 2)
    assert logged(room) == [deletion]
    assert room.document.text().replace("X", "") == "ab"
    assert room.document.reads_back()
    rows = [a_row(1, first), a_row(2, second)]
    for replayed in (
        load_document(None, rows),
        load_document(compact(None, rows[:1]), rows[1:]),
        load_document(compact(None, rows), [a_row(3, deletion)]),
    ):
        assert replayed.equals(room.document)


def test_character_split_in_every_row_stays_as_its_author_sees_it() -> None:
    split = SPLIT["with text inside"]
    room = a_room(split, cursor=1, sessions=[a_session(1)])
    assert room.receive_row(a_row(2, split), room.epoch) == []
    assert room.document.text() == f"a{HALF}X{HALF}b"


def test_edits_beside_a_character_leave_it_whole() -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    for beside in (
        update((2, 0, [text("X", left=(1, 0), right=(1, 1))])),
        update((3, 0, [text("Y", left=(1, 2), right=(1, 3))])),
        update(deletes={1: [(1, 2)]}),
    ):
        news = room.document.assess(inspect_update(beside))
        assert isinstance(news, News)
        assert news.before is None


def test_author_who_deleted_half_a_character_while_away_comes_back_with_the_rest() -> None:
    room = a_room(BASE, sessions=[a_session(1), a_session(2, "bob")])
    front, rest = item(DELETED, uint(2), root="content"), text("\N{REPLACEMENT CHARACTER}b", left=(1, 1))
    effects = room.receive(SessionId(1), Update(update((1, 0, [front, rest]), deletes={1: [(0, 2)]})), 0.0)
    assert ends(effects) == {}
    assert room.document.text() == "b"
