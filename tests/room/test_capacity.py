"""A document stays smaller than a message may be: editors are told in time, and what would make it grow is refused."""

import json

import pytest

from collab.errors import DocumentFull
from collab.ids import SessionId
from collab.protocol.messages import FromServer, Saved, Stateless, Update
from collab.room.effects import Effect
from collab.room.events import Said
from collab.room.updates import SIZE_WANTED, RoomLimits
from collab.room.work import WorkLimits
from tests.protocol.build import text, update
from tests.room.build import SteppedRoom, a_room, a_session, commit, ends, told

ANN = 1
MAX = 2_000


def typed(clock: int, length: int) -> bytes:
    return update((ANN, clock, [text("x" * length, left=(ANN, clock - 1)) if clock else text("x" * length)]))


def a_small_room(length: int, **limits: object) -> SteppedRoom:
    """Return a room of two writers and a reader, with a text of ``length`` in its document."""
    room = a_room(
        typed(0, length),
        sessions=[a_session(1), a_session(2, "bob"), a_session(3, "coy", can_write=False)],
        limits=RoomLimits(document_bytes_max=MAX, **limits),  # type: ignore[arg-type]
    )
    room.document.encode()
    return room


def say(room: SteppedRoom, payload: bytes) -> list[Effect]:
    return room.step(0.0, Said(SessionId(1), Update(payload)))


def sizes(effects: list[Effect], session: int) -> list[bool]:
    """Return what these effects tell a session about the size."""
    messages: list[FromServer] = told(effects, session)
    return [json.loads(each.payload)["nearly_full"] for each in messages if isinstance(each, Stateless)]


def test_update_that_would_make_the_document_too_large_is_refused() -> None:
    room = a_small_room(1_000)
    assert ends(say(room, typed(1_000, 1_000))) == {1: DocumentFull}
    assert room.document.state == {ANN: 1_000}
    assert room.is_all_committed


@pytest.mark.parametrize("length", [300, 1_500])
def test_update_below_the_bound_is_taken(length: int) -> None:
    room = a_small_room(400)
    assert ends(say(room, typed(400, length))) == {}
    assert told(commit(room), 1) == [Saved(typed(400, length))]


def test_deletion_in_a_full_document_is_taken() -> None:
    room = a_small_room(MAX)
    deletion = update(deletes={ANN: [(0, 1_000)]})
    assert ends(say(room, deletion)) == {}
    assert told(commit(room), 1) == [Saved(deletion)]


def test_what_a_full_document_has_already_is_acknowledged() -> None:
    room = a_small_room(MAX)
    assert told(say(room, typed(0, MAX)), 1) == [Saved(typed(0, MAX))]


def test_deletions_make_space() -> None:
    room = a_small_room(MAX - 100)
    say(room, update(deletes={ANN: [(0, 1_000)]}))
    assert ends(say(room, typed(MAX - 100, 500))) == {}


def test_many_keystrokes_are_measured_by_what_they_leave() -> None:
    room = a_small_room(1_000)
    for clock in range(1_000, 1_300):  # some twenty bytes each on the wire, and one in the document
        assert ends(say(room, typed(clock, 1))) == {}
    assert room.document.size < MAX


def test_large_update_is_refused_once_the_document_is_full_and_keeps_what_was_taken() -> None:
    work = WorkLimits(at_once_bytes_max=64, slice_structs_max=10)
    room = a_small_room(1_000, work=work)
    letters = update((ANN, 1_000, [text("x" * 50, left=(ANN, 999 + 50 * n)) for n in range(40)]))
    assert ends(say(room, letters)) == {1: DocumentFull}
    assert 1_000 < room.document.state[ANN] < MAX
    assert not room.is_all_committed


# --- the warning ---------------------------------------------------------------------------------------


def wants_size(room: SteppedRoom, session: int) -> list[Effect]:
    return room.step(0.0, Said(SessionId(session), Stateless(SIZE_WANTED)))


def test_editor_that_asked_is_told_when_the_document_is_nearly_full_and_when_no_longer() -> None:
    room = a_small_room(1_000)
    assert sizes(wants_size(room, 2), 2) == [False]
    assert sizes(say(room, typed(1_000, 100)), 2) == []
    assert sizes(say(room, typed(1_100, 600)), 2) == [True]
    assert sizes(say(room, typed(1_700, 10)), 2) == []
    assert sizes(say(room, update(deletes={ANN: [(0, 1_000)]})), 2) == [False]


def test_editor_that_asks_later_is_told_at_once() -> None:
    room = a_small_room(1_000)
    say(room, typed(1_000, 700))
    assert sizes(wants_size(room, 2), 2) == [True]


def test_nobody_else_is_told() -> None:
    room = a_small_room(1_000)
    assert sizes(wants_size(room, 3), 3) == []
    effects = say(room, typed(1_000, 700))
    assert sizes(effects, 1) == sizes(effects, 2) == sizes(effects, 3) == []


def test_an_applications_own_stateless_message_means_nothing() -> None:
    room = a_small_room(1_000)
    assert room.step(0.0, Said(SessionId(2), Stateless('{"type":"chat"}'))) == []
