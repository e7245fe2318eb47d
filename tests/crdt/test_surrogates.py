"""No update cuts a character of two halves: what is live, what is replayed and what is folded stay the same text."""

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
"""Ids of client 1: a is 0, the cat's halves are 1 and 2, b is 3."""
CUTS = {
    "its first half deleted": update(deletes={1: [(1, 1)]}),
    "its second half deleted": update(deletes={1: [(2, 1)]}),
    "deleted from its second half on": update(deletes={1: [(2, 2)]}),
    "deleted up to its first half": update(deletes={1: [(0, 2)]}),
    "something inserted inside": update((2, 0, [text("X", left=(1, 1), right=(1, 2))])),
    "something inserted after its first half": update((2, 0, [text("X", left=(1, 1))])),
    "something inserted before its second half": update((2, 0, [text("X", right=(1, 2))])),
    "a format begun inside": update((2, 0, [item(6, string("b") + string("true"), left=(1, 1), right=(1, 2))])),
}


def logged(room: SteppedRoom) -> list[bytes]:
    """What the room has given to the log, and nothing of it committed yet."""
    row = room.next_row()
    assert row is not None
    return [entry.update for entry in decode_entries(row.payload)]


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_character_that_stands_in_the_document_is_deleted_before_it_is_cut(cut: bytes) -> None:
    room = a_room(BASE, sessions=[a_session(1), a_session(2, "bob")])
    effects = room.receive(SessionId(1), Update(cut), 0.0)
    deletion = update(deletes={1: [(1, 2)]})
    assert told(effects, 1) == [Update(deletion)]
    if told(effects, 2)[1:]:  # what deletes only half of it has nothing more to say
        assert told(effects, 2) == [Update(deletion), Update(cut)]
    log = logged(room)
    assert log[0] == deletion
    replayed = Document.load(None, [BASE, *log])
    assert room.document.text().replace("X", "") in ("ab", "a", "b")
    assert room.document.text() == replayed.text()
    assert room.document.text() == Document.load(replayed.encode(), []).text()


@pytest.mark.parametrize("read_before", [False, True])
def test_a_refused_update_cuts_and_deletes_nothing(read_before: bool) -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    if read_before:  # the structure
        room.receive(SessionId(1), Update(update((9, 0, [shared()]))), 0.0)
        commit(room)
    child_of_a_text = item(4, string("y"), parent=(1, 0))
    effects = room.receive(SessionId(1), Update(update((8, 0, [text("x", left=(1, 1)), child_of_a_text]))), 0.0)
    assert ends(effects) == {1: UpdateRefused}
    assert room.document.text() == f"a{CAT}b"
    assert room.next_row() is None


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_the_author_of_a_cut_is_answered_once_both_are_committed(cut: bytes) -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    room.receive(SessionId(1), Update(cut), 0.0)
    assert told(commit(room), 1) == [Saved(cut)]


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_character_of_the_snapshot_is_not_cut_either(cut: bytes) -> None:
    state = compact(None, [a_row(1, BASE)])
    room = SteppedRoom(
        a_room().name, load_document(state, []), epoch=a_room().epoch, cursor=a_room().cursor, writer=OURS
    )
    room.join(a_session(1))
    room.receive(SessionId(1), Update(cut), 0.0)
    assert room.document.text().replace("X", "") in ("ab", "a", "b")
    assert Document.load(state, logged(room)).text() == room.document.text()


def test_a_character_that_comes_with_its_cut_becomes_what_its_author_sees() -> None:
    inside = update((2, 0, [text("X", left=(1, 1), right=(1, 2))]), (1, 0, [text(f"a{CAT}b{CAT}", root="content")]))
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    effects = room.receive(SessionId(1), Update(inside), 0.0)
    assert room.document.text() == f"a{GONE[0]}X{GONE[0]}b{CAT}"
    (sent,) = told(effects, 2)
    assert sent == Update(logged(room)[0])
    assert Document.load(None, [sent.update]).text() == room.document.text()


@pytest.mark.parametrize("key", [None, "title"])
def test_only_the_cut_character_is_replaced_and_the_item_keeps_its_place(key: str | None) -> None:
    content = string(f"{CAT}{CAT}{CAT}")
    whole = update((1, 0, [item(4, content, key=key)]), deletes={1: [(3, 1)]})
    mended = update((1, 0, [item(4, string(f"{CAT}{GONE}{CAT}"), key=key)]), deletes={1: [(3, 1)]})
    room = a_room(sessions=[a_session(1)])
    room.receive(SessionId(1), Update(whole), 0.0)
    assert logged(room) == [mended]


def test_a_deleted_character_is_not_deleted_again() -> None:
    room = a_room(BASE, update(deletes={1: [(1, 2)]}), sessions=[a_session(1)])
    cut = update((2, 0, [text("X", left=(1, 1), right=(1, 2))]))
    room.receive(SessionId(1), Update(cut), 0.0)
    assert logged(room) == [cut]


HALF = GONE[0]
TORN = {
    "with something inside": update(
        (1, 0, [text(f"a{HALF}", root="content"), text(f"{HALF}b", left=(1, 1)), text("X", left=(1, 1), right=(1, 2))])
    ),
    "with half of it deleted": update(
        (1, 0, [text(f"a{HALF}", root="content"), item(DELETED, uint(1), left=(1, 1)), text("b", left=(1, 2))]),
        deletes={1: [(2, 1)]},
    ),
    "with what was inside deleted": update(
        (1, 0, [text(f"a{HALF}", root="content"), text(f"{HALF}b", left=(1, 1))]),
        (2, 0, [item(DELETED, uint(1), left=(1, 1), right=(1, 2))]),
        deletes={2: [(0, 1)]},
    ),
}
"""What the author of BASE has and sends when they have cut the cat, and their first connection was lost."""


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
@pytest.mark.parametrize("torn_first", [True, False])
def test_a_character_that_two_replicas_let_in_whole_and_cut_is_deleted_wherever_both_are_read(
    torn: bytes, torn_first: bool
) -> None:
    first, second = (torn, BASE) if torn_first else (BASE, torn)
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


def test_a_character_that_is_cut_and_cut_in_the_log_stays_as_its_author_sees_it() -> None:
    torn = TORN["with something inside"]
    room = a_room(torn, cursor=1, sessions=[a_session(1)])
    assert room.receive_row(a_row(2, torn), room.epoch) == []
    assert room.document.text() == f"a{HALF}X{HALF}b"


def test_text_beside_a_character_costs_it_nothing() -> None:
    room = a_room(BASE, sessions=[a_session(1)])
    for beside in (
        update((2, 0, [text("X", left=(1, 0), right=(1, 1))])),
        update((3, 0, [text("Y", left=(1, 2), right=(1, 3))])),
        update(deletes={1: [(1, 2)]}),
    ):
        news = room.document.assess(inspect_update(beside))
        assert isinstance(news, News)
        assert news.before is None
