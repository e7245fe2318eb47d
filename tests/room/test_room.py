"""The decisions of the room, one by one. ``test_schedules`` tests whole deployments at random."""

from typing import Any

import pytest

from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.errors import (
    Conflict,
    DocumentDeleted,
    DocumentPoisoned,
    MissingDependencies,
    Overloaded,
    ProtocolError,
    RoomClosed,
    UpdateRefused,
)
from collab.ids import ClientId, DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.limits import Limits
from collab.protocol.messages import (
    EMPTY_UPDATE,
    GONE,
    AwarenessEntry,
    AwarenessUpdate,
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow, Entry, Row, decode_entries
from collab.room import pending, uncommitted
from collab.room import sessions as module
from collab.room.awareness import GRACE_S
from collab.room.effects import CatchUp, Effect, End, Fail, Publish, PublishPresence, Queued, Send
from collab.room.pending import PendingLimits
from collab.room.updates import RoomLimits
from tests.protocol.build import EMPTY_STATE_VECTOR, shared, skip, text, uint, update
from tests.room.build import (
    NAME,
    OTHER,
    OURS,
    SteppedRoom,
    YjsClient,
    a_room,
    a_row,
    a_session,
    commit,
    document_of,
    ends,
    merged,
    told,
)

ANN, BOB, COY = 1, 2, 3
LATE_S = PendingLimits().age_s_max + 0.1


def receive(room: SteppedRoom, session: int, message: Any, now_s: float = 0.0) -> list[Effect]:
    return room.receive(SessionId(session), message, now_s)


def of_kind(effects: list[Effect], kind: type[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


# --- joining and leaving -------------------------------------------------------------------------------


def test_new_session_gets_presence_but_no_document() -> None:
    room = a_room(YjsClient(ANN).type(0, "abc"), sessions=[a_session(1)])
    assert room.join(a_session(2)) == []
    here = AwarenessUpdate((AwarenessEntry(ClientId(7), 1, b"{}"),))
    receive(room, 1, here)
    assert room.join(a_session(3)) == [Send((SessionId(3),), here)]
    assert room.sessions == (1, 2, 3)


def test_session_that_left_is_ignored_and_leaves_only_once() -> None:
    room = a_room(sessions=[a_session(1)])
    assert room.leave(SessionId(1), 0.0, clean=True) == [End(SessionId(1))]
    assert room.leave(SessionId(1), 0.0, clean=True) == []
    assert receive(room, 1, Update(YjsClient(ANN).type(0, "x"))) == []
    assert room.sessions == ()


def test_edit_of_a_session_that_left_is_still_committed() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, Update(YjsClient(ANN).type(0, "abc")))
    room.leave(SessionId(1), 0.0, clean=False)
    assert not room.is_all_committed
    effects = commit(room)
    assert [type(effect) for effect in effects] == [Publish]
    assert room.is_all_committed


def test_repr_shows_name_cursor_and_counts() -> None:
    room = a_room(sessions=[a_session(1)])
    assert repr(room) == "<Room 'notes' cursor=0 sessions=1 pending=0>"


# --- syncing -------------------------------------------------------------------------------------------


def test_step1_is_answered_with_missing_structs_and_our_own_step1() -> None:
    ann = YjsClient(ANN)
    first, second = ann.type(0, "ab"), ann.type(2, "c")
    room = a_room(first, second, sessions=[a_session(1)])
    question, answer = told(receive(room, 1, SyncStep1(encode_state_vector({ANN: 2}))), 1)
    assert question == SyncStep1(encode_state_vector({ANN: 3}))
    assert isinstance(answer, SyncStep2)
    assert YjsClient(BOB, first, answer.update).text == "abc"


def test_session_receives_updates_only_after_its_first_step1() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, synced=False)])
    ann = YjsClient(ANN)
    assert told(receive(room, 1, Update(ann.type(0, "a"))), 2) == []
    receive(room, 2, SyncStep1(EMPTY_STATE_VECTOR))
    next_letter = ann.type(1, "b")
    assert told(receive(room, 1, Update(next_letter)), 2) == [Update(next_letter)]


def test_at_most_one_step1_is_outstanding_per_session() -> None:
    room = a_room(sessions=[a_session(1)])
    hello = SyncStep1(EMPTY_STATE_VECTOR)
    assert [type(m) for m in told(receive(room, 1, hello), 1)] == [SyncStep1, SyncStep2]
    assert [type(m) for m in told(receive(room, 1, hello), 1)] == [SyncStep2]
    receive(room, 1, SyncStep2(EMPTY_UPDATE))
    assert [type(m) for m in told(receive(room, 1, hello), 1)] == [SyncStep1, SyncStep2]


def test_resumed_session_is_sent_the_document_and_asked_for_its_own() -> None:
    ann = YjsClient(ANN)
    room = a_room(ann.type(0, "ab"), sessions=[a_session(1)])
    given, asked = told(room.join(a_session(2, synced=False), resumes=True), 2)
    assert isinstance(given, Update)
    assert YjsClient(BOB, given.update).text == "ab"
    assert isinstance(asked, SyncStep1)
    letter = ann.type(2, "c")
    assert told(receive(room, 1, Update(letter)), 2) == [Update(letter)]
    assert told(receive(room, 2, SyncStep2(ann.everything)), 2) == []  # its client does not count this one


def test_malformed_state_vector_is_an_error_of_that_peer_alone() -> None:
    room = a_room(sessions=[a_session(1)])
    with pytest.raises(ProtocolError):
        receive(room, 1, SyncStep1(b"\xff"))
    assert told(receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR)), 1)[1] == SyncStep2(EMPTY_UPDATE)


def test_stateless_message_is_not_forwarded() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    assert receive(room, 1, Stateless("hello")) == []


# --- writing -------------------------------------------------------------------------------------------


def test_edit_is_sent_at_once_and_acknowledged_after_the_commit() -> None:
    room = a_room(sessions=[a_session(1), a_session(2), a_session(3, can_write=False)])
    edit = YjsClient(ANN).type(0, "abc")
    shown = receive(room, 1, Update(edit))
    assert of_kind(shown, Send) == [Send((SessionId(2), SessionId(3)), Update(edit))]
    assert len(of_kind(shown, Queued)) == 1
    row = room.next_row()
    assert row is not None
    assert (row.document, row.epoch, row.writer, row.n) == (NAME, 0, OURS, 1)
    assert decode_entries(row.payload) == (
        Entry(UserId("ann"), edit, carried=True),
    )  # ann has not announced the client id
    answered = room.appended(Sequence(1))
    assert answered == [
        Send((SessionId(1),), Saved(edit)),
        Publish(CommittedRow(Sequence(1), OURS, 1, row.payload)),
    ]
    assert room.cursor == 1


def test_every_frame_is_acknowledged_once_and_in_order() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann, bob = YjsClient(ANN), YjsClient(BOB)
    first, second, other = ann.type(0, "a"), ann.type(1, "b"), bob.type(0, "x")
    for session, edit in ((1, first), (2, other), (1, second), (1, first)):
        assert told(receive(room, session, Update(edit)), session) == []
    answered = commit(room)
    assert told(answered, 1) == [Saved(first), Saved(second), Saved(first)]
    assert told(answered, 2) == [Saved(other)]
    assert room.next_row() is None


def test_acknowledgement_waits_for_everything_before_it() -> None:
    """Updates that arrive while a row is in flight wait for the next row; those that add nothing wait in line."""
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann, bob = YjsClient(ANN), YjsClient(BOB)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    receive(room, 1, Update(first))
    assert room.next_row() is not None
    receive(room, 1, Update(second))
    assert told(receive(room, 2, Update(first)), 2) == []
    assert told(receive(room, 2, Update(EMPTY_UPDATE)), 2) == []
    assert room.next_row() is None
    answered = room.appended(Sequence(1))
    assert (told(answered, 1), told(answered, 2)) == ([Saved(first)], [])
    receive(room, 2, Update(bob.type(0, "x")))
    answered = commit(room)
    assert told(answered, 1) == [Saved(second)]
    assert told(answered, 2)[:2] == [Saved(first), Saved()]
    assert len(told(answered, 2)) == 3


def test_frame_that_adds_nothing_is_answered_at_once_when_all_is_committed() -> None:
    ann = YjsClient(ANN)
    edit, deletion = ann.type(0, "abc"), ann.delete(0, 1)
    room = a_room(edit, deletion, sessions=[a_session(1)])
    assert receive(room, 1, Update(edit)) == [Send((SessionId(1),), Saved(edit))]
    assert receive(room, 1, Update(EMPTY_UPDATE)) == [Send((SessionId(1),), Saved())]
    assert receive(room, 1, Update(deletion)) == [Send((SessionId(1),), Saved())]
    assert room.next_row() is None


def test_empty_structs_are_removed_before_logging_and_sending() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    padded = update((ANN, 0, [text("ab"), text("", left=(ANN, 1)), text("c", left=(ANN, 1))]))
    plain = inspect_update(padded).payload
    assert plain != padded
    assert told(receive(room, 1, Update(padded)), 2) == [Update(plain)]
    row = room.next_row()
    assert row is not None
    assert decode_entries(row.payload)[0].update == plain
    assert told(room.appended(Sequence(1)), 1) == [Saved(plain)]


def test_unsaved_bytes_count_updates_in_flight_and_queued() -> None:
    room = a_room(sessions=[a_session(1)])
    ann = YjsClient(ANN)
    sizes = []
    for at in range(3):
        (append,) = of_kind(receive(room, 1, Update(ann.type(at, "x"))), Queued)
        sizes.append(append.size)
    assert room.unsaved_bytes == sum(sizes)
    assert min(sizes) > uncommitted.UPDATE_COST_BYTES
    room.next_row()
    assert room.unsaved_bytes == sum(sizes)
    receive(room, 1, Update(ann.type(3, "x")))
    room.appended(Sequence(1))
    assert 0 < room.unsaved_bytes < sum(sizes)
    commit(room)
    assert room.unsaved_bytes == 0


def test_row_fills_up_to_the_bound_and_a_large_update_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncommitted, "ROW_BYTES_MAX", 1000)
    room = a_room(sessions=[a_session(1)])
    ann = YjsClient(ANN)
    edits = [ann.type(0, letter * length) for letter, length in zip("abcd", (100, 100, 5000, 100), strict=True)]
    for edit in edits:
        receive(room, 1, Update(edit))
    rows = []
    while not room.is_all_committed:
        row = room.next_row()
        assert isinstance(row, Row)
        assert room.next_row() is None
        rows.append([entry.update for entry in decode_entries(row.payload)])
        room.appended(Sequence(row.n))
        assert row.n == len(rows)
    assert rows == [edits[:2], edits[2:3], edits[3:]]


# --- which frames count --------------------------------------------------------------------------------


def test_only_the_first_step2_after_a_step1_is_acknowledged() -> None:
    room = a_room(sessions=[a_session(1)])
    ann = YjsClient(ANN)
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    assert told(receive(room, 1, SyncStep2(EMPTY_UPDATE)), 1) == [Saved()]
    assert told(receive(room, 1, SyncStep2(EMPTY_UPDATE)), 1) == []
    first, second = ann.type(0, "a"), ann.type(1, "b")
    assert told(receive(room, 1, Update(second)), 1) == [SyncStep1(EMPTY_STATE_VECTOR)]
    receive(room, 1, SyncStep2(ann.everything))  # it answers a SyncStep1 of the room, so its client does not count it
    assert told(commit(room), 1) == [Saved(second)]
    assert told(receive(room, 1, SyncStep2(first)), 1) == []


def test_step2_with_new_content_is_acknowledged_after_the_commit() -> None:
    ann = YjsClient(ANN)
    ann.type(0, "abc")
    room = a_room(sessions=[a_session(1)])
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    assert told(receive(room, 1, SyncStep2(ann.everything)), 1) == []
    assert told(commit(room), 1) == [Saved(ann.everything)]


def test_two_step1s_before_a_step2_make_one_acknowledgement() -> None:
    room = a_room(sessions=[a_session(1)])
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    assert told(receive(room, 1, SyncStep2(EMPTY_UPDATE)), 1) == [Saved()]
    assert told(receive(room, 1, SyncStep2(EMPTY_UPDATE)), 1) == []


def test_refusal_of_an_uncounted_step2_is_not_sent() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    for session, said in ((1, [Refused()]), (2, [])):
        effects = receive(room, session, SyncStep2(b"\1\1\1\0"))
        assert told(effects, session) == said
        assert ends(effects) == {session: UpdateRefused}


def test_pending_acknowledgements_are_bounded_per_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_ACKS_MAX", 3)
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, Update(YjsClient(ANN).type(0, "x")))
    for _ in range(3):
        assert receive(room, 2, Update(EMPTY_UPDATE)) == []
    assert ends(receive(room, 2, Update(EMPTY_UPDATE))) == {2: Overloaded}
    answered = commit(room)
    assert told(answered, 2) == []
    assert len(told(answered, 1)) == 1


def test_updates_that_wait_for_the_log_do_not_end_their_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_ACKS_MAX", 3)
    room = a_room(sessions=[a_session(1)])
    ann = YjsClient(ANN)
    for at in range(5):
        assert ends(receive(room, 1, Update(ann.type(at, "x")))) == {}
    assert len(told(commit(room), 1)) == 5


def test_ack_repeats_a_frame_of_which_only_deletions_were_left() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    receive(room, 1, Update(frame := update((ANN, 0, [text("a")]), deletes={BOB: [(0, 1)]})))
    receive(room, 2, Update(update((BOB, 0, [text("b")]), deletes={BOB: [(0, 1)]})))
    assert Saved(frame) in told(commit(room), 1)


def test_work_on_updates_that_wait_for_each_other_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "EXAMINED_PER_S", 1_000)
    length = 60
    one = update((ANN, 0, [text("a", left=(BOB, at)) for at in range(length)]))
    other = update((BOB, 0, [text("b", left=(ANN, at - 1) if at else (COY, 0)) for at in range(length)]))
    room = a_room(sessions=[a_session(1)])
    receive(room, 1, Update(one))
    receive(room, 1, Update(other))
    effects = receive(room, 1, Update(update((COY, 0, [text("c")]))))
    assert 0 < room.document.state[ANN] < length
    assert receive(room, 1, Update(EMPTY_UPDATE)) == []
    for now_s in range(1, 5):
        effects += room.tick(now_s)
    assert room.document.state == {ANN: length, BOB: length, COY: 1}
    assert ends(effects) == {}
    assert room.pending == 0


# --- readers -------------------------------------------------------------------------------------------


def test_reader_receives_but_cannot_write() -> None:
    ann = YjsClient(ANN)
    first = ann.type(0, "abc")
    room = a_room(first, sessions=[a_session(1), a_session(2, can_write=False)])
    attempts = [YjsClient(BOB).type(0, "x"), YjsClient(BOB, first).delete(0, 1), update((BOB, 9, [text("z")]))]
    for attempt in attempts:
        assert receive(room, 2, Update(attempt)) == [Send((SessionId(2),), Refused())]
    assert room.next_row() is None
    assert room.document.equals(document_of(first))
    edit = ann.type(3, "d")
    assert told(receive(room, 1, Update(edit)), 2) == [Update(edit)]


def test_reader_may_repeat_known_content_and_deletions() -> None:
    ann = YjsClient(ANN)
    parts = [ann.type(0, "abc"), ann.delete(1, 1)]
    reader = a_session(1, can_write=False)
    room = SteppedRoom(NAME, Document.load(ann.everything, []), epoch=Epoch(0), cursor=Sequence(2), writer=WriterId(1))
    room.join(reader)
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    assert told(receive(room, 1, SyncStep2(ann.everything)), 1) == [Saved(ann.everything)]
    assert receive(room, 1, Update(parts[1])) == [Send((SessionId(1),), Saved())]


def test_refusals_to_a_reader_keep_the_order_of_its_frames() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, can_write=False)])
    receive(room, 1, Update(YjsClient(ANN).type(0, "x")))
    assert receive(room, 2, Update(EMPTY_UPDATE)) == []
    assert receive(room, 2, Update(YjsClient(BOB).type(0, "y"))) == []
    assert told(commit(room), 2) == [Saved(), Refused()]


def test_uncounted_step2_of_a_reader_is_dropped_silently() -> None:
    room = a_room(sessions=[a_session(1, can_write=False)])
    assert receive(room, 1, SyncStep2(YjsClient(ANN).type(0, "x"))) == []
    assert room.document.state == {}


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", [b"\1\1\1\0", b"\0\0\0", b"", update((ANN, 0, [b"\x02\1\1t\1\1a"]))])
def test_damaged_update_is_refused_and_ends_its_session_alone(damaged: bytes) -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    effects = receive(room, 1, Update(damaged))
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: UpdateRefused}
    assert room.sessions == (2,)
    assert room.next_row() is None


def test_update_may_be_as_large_as_the_limit_and_no_larger() -> None:
    edit = YjsClient(ANN).type(0, "abc")
    for spare, refused in ((0, {}), (-1, {1: UpdateRefused})):
        room = a_room(sessions=[a_session(1)], limits=RoomLimits(update=Limits(bytes_max=len(edit) + spare)))
        assert ends(receive(room, 1, Update(edit))) == refused


def test_child_of_an_element_that_is_no_type_is_refused() -> None:
    room = a_room(YjsClient(ANN).type(0, "abc"), sessions=[a_session(1), a_session(2)])
    effects = receive(room, 1, Update(update((BOB, 0, [text("x", parent=(ANN, 1))]))))
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: UpdateRefused}
    assert told(effects, 2) == []
    assert room.is_all_committed
    assert of_kind(effects, Fail) == []


def test_harmful_pending_update_ends_only_the_session_that_sent_it() -> None:
    room = a_room(sessions=[a_session(1, "eve"), a_session(2, "ann")])
    receive(room, 1, Update(update((BOB, 0, [text("x", parent=(ANN, 1))]))))
    edit = YjsClient(ANN).type(0, "abc")
    effects = receive(room, 2, Update(edit))
    assert ends(effects) == {1: UpdateRefused}
    assert told(commit(room), 2) == [Saved(edit)]


# --- missing dependencies ------------------------------------------------------------------------------


def test_update_ahead_of_its_predecessors_waits_and_is_acknowledged_later() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    first, second, third = ann.type(0, "a"), ann.type(1, "b"), ann.type(2, "c")
    assert receive(room, 1, Update(second)) == [Send((SessionId(1),), SyncStep1(EMPTY_STATE_VECTOR))]
    assert receive(room, 1, Update(third)) == []
    assert room.document.state == {}
    assert room.next_row() is None
    assert told(receive(room, 1, Update(first)), 2) == [merged(first, second, third)]
    assert told(commit(room), 1) == [Saved(first), Saved(second), Saved(third)]


def test_incomplete_update_of_a_session_that_cannot_wait_is_refused() -> None:
    program = a_session(2)
    program.queues_incomplete = False
    room = a_room(sessions=[a_session(1), program])
    ann = YjsClient(ANN)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    refusal = receive(room, 2, Update(second))
    assert told(refusal, 2) == [Refused()]
    assert ends(refusal) == {2: Conflict}
    assert told(receive(room, 1, Update(first)), 1) == []
    assert room.document.text() == "a"
    assert told(commit(room), 1) == [Saved(first)]
    assert room.is_all_committed


def test_pending_update_is_released_by_a_resync_that_contains_it() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    ann.type(0, "a")
    second = ann.type(1, "b")
    receive(room, 1, Update(second))
    assert told(receive(room, 1, SyncStep2(ann.everything)), 2) == [Update(ann.everything)]
    assert told(commit(room), 1) == [Saved(second)]
    assert room.tick(LATE_S) == []


def test_pending_update_of_a_session_that_left_is_still_committed() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    receive(room, 1, Update(second))
    receive(room, 1, Update(second))
    room.leave(SessionId(1), 0.0, clean=False)
    assert told(receive(room, 2, Update(first)), 2) == [Update(second)]
    assert of_kind(commit(room), Send) == [Send((SessionId(2),), Saved(first))]
    assert room.document.state == {ANN: 2}


def test_overdue_update_of_a_demoted_session_is_refused() -> None:
    room = a_room(sessions=[reader := a_session(1)])
    ann = YjsClient(ANN)
    ann.type(0, "a")
    receive(room, 1, Update(ann.type(1, "b")))
    reader.can_write = False
    assert room.tick(10.0) == [Send((SessionId(1),), Refused())]
    assert room.is_all_committed


def test_pending_update_of_a_demoted_session_is_refused_once_ready() -> None:
    room = a_room(sessions=[reader := a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    first = ann.type(0, "a")
    receive(room, 1, Update(ann.type(1, "b")))
    reader.can_write = False
    receive(room, 2, Update(first))
    assert told(commit(room), 1) == [Refused()]
    assert room.document.text() == "a"


def test_dismissed_session_gets_its_acks_and_loses_its_presence() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    receive(room, 1, AwarenessUpdate((AwarenessEntry(ClientId(ANN), 1, b"{}"),)))
    receive(room, 1, Update(second))
    effects = room.dismiss(SessionId(1), 0.0, clean=True)
    assert told(effects, 2) == [AwarenessUpdate((AwarenessEntry(ClientId(ANN), 1, GONE),))]
    assert room.sessions == (1, 2)
    assert told(receive(room, 2, Update(first)), 1) == []
    effects = commit(room)
    assert told(effects, 1) == [Saved(second)]
    assert effects[-1] == End(SessionId(1))
    assert room.dismiss(SessionId(3), 0.0, clean=True) == []


def test_incomplete_step2_waits_without_another_step1() -> None:
    room = a_room(sessions=[a_session(1)])
    ann = YjsClient(ANN)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    assert receive(room, 1, SyncStep2(second)) == []
    receive(room, 1, Update(first))
    assert told(commit(room), 1) == [Saved(first), Saved(second)]


def test_ready_part_is_taken_at_once_and_overdue_rest_ends_the_session() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    whole = update((ANN, 0, [text("ab"), text("c", left=(9, 9))]), (BOB, 0, [text("x")]))
    (kept,) = told(receive(room, 1, Update(whole), now_s=10.0), 2)
    assert isinstance(kept, Update)
    assert room.tick(10.0 + LATE_S - 0.2) == []
    effects = room.tick(10.0 + LATE_S)
    assert told(effects, 2) == []
    assert {(s.client, s.length) for s in inspect_update(kept.update).structs} == {(ANN, 2), (BOB, 1)}
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: MissingDependencies}
    assert told(commit(room), 1) == []
    assert room.document.state == {ANN: 2, BOB: 1}


def test_session_survives_the_second_time_the_same_update_stalls() -> None:
    room = a_room()
    whole = update((ANN, 0, [text("ab"), text("c", left=(9, 9))]))
    for attempt, ended in enumerate(({1: MissingDependencies}, {}), 1):
        room.join(a_session(attempt))
        receive(room, attempt, SyncStep1(EMPTY_STATE_VECTOR))
        receive(room, attempt, SyncStep2(whole))
        effects = room.tick(LATE_S)
        assert ends(effects) == ended
        assert told(effects, attempt) == ([Refused()] if ended else [])
    assert room.document.state == {ANN: 2}
    assert told(commit(room), 2) == [Refused()]  # in order: the part that was kept comes first
    own = update((BOB, 0, [text("x", left=(ANN, 1))]))
    receive(room, 2, Update(own))
    assert told(commit(room), 2) == [Saved(own)]


def test_session_is_asked_again_once_its_stalled_update_can_complete() -> None:
    room = a_room()
    bob = YjsClient(BOB)
    lost = bob.type(0, "lost ")
    whole = update((ANN, 0, [text("late", left=(BOB, 4), root="content")]))
    for attempt in (1, 2):
        room.join(a_session(attempt))
        receive(room, attempt, Update(whole))
        receive(room, attempt, SyncStep2(whole))
        room.tick(LATE_S)
    room.join(a_session(3, "bob"))
    effects = receive(room, 3, Update(lost))
    assert SyncStep1(encode_state_vector(room.document.state)) in told(effects, 2)
    receive(room, 2, SyncStep2(whole))
    assert room.document.text() == "lost late"
    assert told(receive(room, 3, Update(bob.type(5, "!"))), 2)[1:] == []  # and only once


def test_each_user_is_ended_once_for_each_missing_dependency() -> None:
    room = a_room()
    attempts = [("ann", 9), ("bob", 9), ("ann", 8), ("ann", 9)]
    errors: list[type[Exception]] = []
    for attempt, (user, lost) in enumerate(attempts, 1):
        room.join(a_session(attempt, user))
        receive(room, attempt, Update(update((attempt, 0, [text("c", left=(lost, 0))]))))
        errors += ends(room.tick(LATE_S)).values()
    assert errors == [MissingDependencies, MissingDependencies, MissingDependencies]
    assert not ends(room.tick(LATE_S))
    assert room.sessions == (SessionId(4),)


def test_update_with_a_skip_is_taken_once_the_skipped_part_arrives() -> None:
    room = a_room(sessions=[a_session(1)])
    skipping = update((ANN, 0, [text("ab"), skip(2), text("e", left=(ANN, 3))]))
    assert told(receive(room, 1, Update(skipping)), 1) == [SyncStep1(uint(1) + uint(ANN) + uint(2))]
    receive(room, 1, Update(update((ANN, 0, [text("abcd")]))))
    assert room.pending == 0
    assert room.document.state == {ANN: 5}
    row = room.next_row()
    assert row is not None
    logged = [inspect_update(entry.update) for entry in decode_entries(row.payload)]
    assert [(s.kind, s.clock, s.length) for each in logged for s in each.structs] == [(4, 0, 2), (4, 2, 2), (4, 4, 1)]


def test_harmful_update_with_a_gap_is_refused_without_waiting() -> None:
    room = a_room(update((BOB, 0, [text("x")])), sessions=[a_session(1)])
    update_ = update((ANN, 0, [text("a", parent=(BOB, 0)), skip(2), text("b")]))
    effects = receive(room, 1, Update(update_))
    assert ends(effects) == {1: UpdateRefused}
    assert room.pending == 0


def test_pending_update_with_a_skip_is_never_logged_whole() -> None:
    room = a_room(sessions=[a_session(1)])
    receive(room, 1, Update(update((ANN, 0, [text("ab"), skip(2), text("c", left=(ANN, 1))]))))
    assert ends(room.tick(LATE_S)) == {1: MissingDependencies}
    row = room.next_row()
    assert row is not None
    (entry,) = decode_entries(row.payload)
    assert [(s.kind, s.clock, s.length) for s in inspect_update(entry.update).structs] == [(4, 0, 2)]


def test_expiring_part_may_release_others_before_they_expire_too() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, Update(update((ANN, 0, [text("ab"), text("c", left=(9, 9))]))))
    freed = update((BOB, 0, [text("x", left=(ANN, 1))]))
    receive(room, 2, Update(freed))
    effects = room.tick(LATE_S)
    assert ends(effects) == {1: MissingDependencies}
    assert told(commit(room), 2) == [Saved(freed)]


def test_overdue_rest_of_a_session_that_left_is_dropped() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, Update(update((ANN, 0, [text("ab"), text("c", left=(9, 9))]))))
    room.leave(SessionId(1), 0.0, clean=True)
    assert room.tick(LATE_S) == []
    assert room.pending == 0
    assert room.document.state == {ANN: 2}


def test_expired_update_with_nothing_ready_or_new_is_not_logged() -> None:
    room = a_room(update((ANN, 0, [text("ab")])), sessions=[a_session(1), a_session(2)])
    receive(room, 1, Update(update((ANN, 0, [text("ab"), text("c", left=(9, 9))]))))
    receive(room, 2, Update(update((COY, 4, [text("c")]))))
    effects = room.tick(LATE_S)
    assert ends(effects) == {1: MissingDependencies, 2: MissingDependencies}
    assert room.next_row() is None


def test_full_pending_queue_ends_the_session_that_sends_more() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)], limits=RoomLimits(pending=PendingLimits(updates_max=1)))
    waiting = update((ANN, 5, [text("c")]))
    receive(room, 1, Update(waiting))
    effects = receive(room, 2, Update(waiting))
    assert ends(effects) == {2: Overloaded}
    assert told(effects, 2) == []


def test_ready_part_of_a_step2_too_large_to_queue_is_taken() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)], limits=RoomLimits(pending=PendingLimits(bytes_max=10)))
    receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR))
    freed = update((BOB, 0, [text("x", left=(ANN, 999))]))
    effects = receive(room, 1, SyncStep2(update((ANN, 0, [text("a" * 1000), text("c", left=(9, 9))]))))
    assert ends(effects) == {1: MissingDependencies}
    assert told(effects, 1) == [Refused()]
    assert room.document.state == {ANN: 1000}
    receive(room, 2, Update(freed))
    assert room.document.state == {ANN: 1000, BOB: 1}


# --- rows of other replicas ----------------------------------------------------------------------------


def test_row_of_another_replica_is_sent_but_not_logged_again() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    edits = [YjsClient(BOB).type(0, "abc"), YjsClient(COY).type(0, "x")]
    effects = room.receive_row(a_row(1, *edits), Epoch(0))
    everyone = (SessionId(1), SessionId(2))
    assert effects == [Send(everyone, merged(*edits))]
    assert room.cursor == 1
    assert room.is_all_committed


def test_known_rows_and_known_updates_are_not_sent_again() -> None:
    room = a_room(sessions=[a_session(1)])
    edit = YjsClient(BOB).type(0, "abc")
    room.receive_row(a_row(1, edit), Epoch(0))
    assert room.receive_row(a_row(1, edit), Epoch(0)) == []
    assert room.receive_row(a_row(2, edit), Epoch(0)) == []
    assert room.cursor == 2


def test_row_of_another_epoch_is_never_applied() -> None:
    room = a_room(sessions=[a_session(1)])
    assert room.receive_row(a_row(1, YjsClient(BOB).type(0, "abc")), Epoch(1)) == []
    assert (room.cursor, room.document.state) == (0, {})


def test_row_behind_a_gap_waits_and_the_store_is_read() -> None:
    room = a_room(sessions=[a_session(1)])
    bob = YjsClient(BOB)
    edits = [bob.type(at, "x") for at in range(3)]
    rows = [a_row(seq, edit) for seq, edit in enumerate(edits, 1)]
    assert room.receive_row(rows[2], Epoch(0)) == [CatchUp()]
    assert room.document.state == {}
    effects = room.receive_rows(rows[:2], after=Sequence(0))
    assert told(effects, 1) == [merged(*edits)]
    assert of_kind(effects, CatchUp) == []
    assert room.cursor == 3


def test_own_row_is_acknowledged_only_by_its_commit() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    edit = YjsClient(ANN).type(0, "abc")
    receive(room, 1, Update(edit))
    row = room.next_row()
    assert row is not None
    own = CommittedRow(Sequence(1), row.writer, row.n, row.payload)
    assert room.receive_rows([own], after=Sequence(0)) == []
    assert room.cursor == 1
    assert told(room.appended(Sequence(1)), 1) == [Saved(edit)]
    assert room.receive_row(own, Epoch(0)) == []
    assert room.cursor == 1


def test_own_row_behind_a_gap_is_acknowledged_and_the_gap_is_read() -> None:
    room = a_room(sessions=[a_session(1)])
    edit = YjsClient(ANN).type(0, "abc")
    receive(room, 1, Update(edit))
    effects = commit(room, seq=3)
    assert told(effects, 1) == [Saved(edit)]
    assert of_kind(effects, CatchUp) == [CatchUp()]
    assert room.cursor == 0
    assert room.receive_row(a_row(3, edit, writer=OURS), Epoch(0)) == []
    assert room.receive_head(Sequence(3), Epoch(0), deleted=False, after=Sequence(0)) == []
    bob = YjsClient(BOB)
    first, second = a_row(1, bob.type(0, "x")), a_row(2, bob.type(1, "y"))
    assert of_kind(room.receive_row(first, Epoch(0)), CatchUp) == [CatchUp()]
    effects = room.receive_rows([first, second], after=Sequence(0))
    assert of_kind(effects, CatchUp) == []
    assert room.cursor == 3


def test_room_fails_after_every_ack_when_own_rows_pile_up_behind_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collab.room.log_cursor.OWN_BYTES_MAX", 0)
    room = a_room(sessions=[a_session(1)])
    edit = YjsClient(ANN).type(0, "abc")
    receive(room, 1, Update(edit))
    effects = commit(room, seq=3)
    assert [type(effect) for effect in effects] == [Send, Publish, Fail]
    assert told(effects, 1) == [Saved(edit)]


def test_rows_read_twice_are_applied_once() -> None:
    room = a_room(sessions=[a_session(1)])
    bob = YjsClient(BOB)
    rows = [a_row(seq, bob.type(seq - 1, "x")) for seq in (1, 2)]
    room.receive_rows(rows, after=Sequence(0))
    assert room.receive_rows(rows, after=Sequence(0)) == []
    assert room.receive_rows([], after=Sequence(2)) == []
    assert room.cursor == 2


def test_room_fails_if_the_log_was_trimmed_past_its_cursor() -> None:
    room = a_room()
    (failure,) = room.receive_rows([a_row(5, YjsClient(BOB).type(0, "x"))], after=Sequence(0))
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, RoomClosed)


@pytest.mark.parametrize("payload", [b"\xff", b"\1\1\1a\1\0\4\1\1\1\0"], ids=["no row", "no update"])
def test_room_fails_on_a_row_that_the_guard_refuses(payload: bytes) -> None:
    room = a_room()
    failure = room.receive_row(CommittedRow(Sequence(1), OTHER, 1, payload), Epoch(0))[0]
    assert isinstance(failure, Fail)
    assert room.cursor == 0


def test_room_fails_on_a_row_with_missing_dependencies() -> None:
    room = a_room(sessions=[a_session(1)])
    bob = YjsClient(BOB)
    _first, second = bob.type(0, "a"), bob.type(1, "b")
    (failed,) = room.receive_row(a_row(1, second), Epoch(0))
    assert isinstance(failed, Fail)
    assert "damaged" in str(failed.error)


def test_row_releases_a_pending_update_that_waited_for_it() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    bob = YjsClient(BOB)
    first, second = bob.type(0, "a"), bob.type(1, "b")
    receive(room, 1, Update(second))
    assert told(room.receive_row(a_row(1, first), Epoch(0)), 2) == [merged(first, second)]
    assert told(commit(room), 1) == [Saved(second)]


def test_row_that_contains_a_pending_update_acknowledges_it() -> None:
    room = a_room(sessions=[a_session(1)])
    bob = YjsClient(BOB)
    first, second = bob.type(0, "a"), bob.type(1, "b")
    receive(room, 1, Update(second))
    effects = room.receive_row(a_row(1, bob.everything), Epoch(0))
    assert told(effects, 1) == [Saved(second), Update(bob.everything)]
    assert room.next_row() is None
    assert first != second


def test_room_fails_when_its_document_is_deleted() -> None:
    (failure,) = a_room().receive_head(Sequence(0), Epoch(0), deleted=True, after=Sequence(0))
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, DocumentDeleted)


@pytest.mark.parametrize(("seq", "epoch"), [(4, 0), (5, 1)], ids=["shorter log", "other epoch"])
def test_room_fails_on_a_head_that_contradicts_it(seq: int, epoch: int) -> None:
    room = a_room(cursor=5)
    (failure,) = room.receive_head(Sequence(seq), Epoch(epoch), deleted=False, after=Sequence(5))
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, RoomClosed)


def test_head_beyond_the_cursor_causes_catch_up_unless_it_is_stale() -> None:
    room = a_room(cursor=5)
    assert room.receive_head(Sequence(6), Epoch(0), deleted=False, after=Sequence(5)) == [CatchUp()]
    assert room.receive_head(Sequence(5), Epoch(0), deleted=False, after=Sequence(4)) == []


# --- failures of the engine ----------------------------------------------------------------------------


class Panic(BaseException):
    """A stand-in for a panic of the engine, which is not an ``Exception``."""


def breaking(room: SteppedRoom, call: str, *, at: int = 0) -> None:
    """Make a call into the engine fail in this room, after it has worked ``at`` times."""
    real = getattr(room.document._doc, call)
    used = 0

    def fail(*arguments: object) -> object:
        nonlocal used
        used += 1
        if used > at:
            raise Panic
        return real(*arguments)

    setattr(room.document._doc, call, fail)


def test_update_that_breaks_the_engine_is_refused_and_fails_the_room() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    breaking(room, "apply_update")
    effects = receive(room, 1, Update(YjsClient(ANN).type(0, "x")))
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: UpdateRefused}
    assert isinstance(effects[-1], Fail)
    assert isinstance(effects[-1].error, DocumentPoisoned)
    assert room.next_row() is None


def test_pending_update_that_breaks_the_engine_ends_its_own_session() -> None:
    room = a_room(sessions=[a_session(1, "eve"), a_session(2, "ann"), a_session(3)])
    ann = YjsClient(ANN)
    first, second, third = ann.type(0, "a"), ann.type(1, "b"), ann.type(2, "c")
    receive(room, 1, Update(second))
    receive(room, 3, Update(third))
    breaking(room, "apply_update", at=1)
    effects = receive(room, 2, Update(first))
    assert ends(effects) == {1: UpdateRefused}
    assert len(of_kind(effects, Queued)) == 1
    assert isinstance(effects[-1], Fail)
    assert sum(append.size for append in of_kind(effects, Queued)) == room.unsaved_bytes


def test_row_that_breaks_the_engine_fails_the_room_but_ends_no_session() -> None:
    room = a_room(sessions=[a_session(1)])
    bob = YjsClient(BOB)
    first, second = bob.type(0, "a"), bob.type(1, "b")
    breaking(room, "apply_update")
    effects = room.receive_row(a_row(1, first, second), Epoch(0))
    assert len(of_kind(effects, Fail)) == 1
    assert ends(effects) == {}


@pytest.mark.parametrize(
    ("call", "question"),
    [
        ("get_update", SyncStep1(encode_state_vector({ANN: 1}))),
        ("get_state", SyncStep2(update(deletes={ANN: [(0, 1)]}))),
    ],
)
def test_query_that_breaks_the_engine_ends_no_session(call: str, question: SyncStep1 | SyncStep2) -> None:
    ann = YjsClient(ANN)
    room = a_room(ann.type(0, "abc"), ann.delete(1, 1), sessions=[a_session(1)])
    breaking(room, call)
    effects = receive(room, 1, question)
    assert [type(effect) for effect in effects] == [Fail]


# --- presence ------------------------------------------------------------------------------------------


def entry(client: int, clock: int, state: bytes = b"{}") -> AwarenessEntry:
    return AwarenessEntry(ClientId(client), clock, state)


def test_presence_goes_to_every_session_and_to_the_other_replicas() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, synced=False)])
    here = AwarenessUpdate((entry(7, 1),))
    everyone = (SessionId(1), SessionId(2))
    assert receive(room, 1, here) == [
        PublishPresence((PresenceEntry(UserId("ann"), entry(7, 1)),)),
        Send(everyone, here),
    ]
    assert receive(room, 1, here) == []
    assert receive(room, 2, QueryAwareness()) == [Send((SessionId(2),), here)]


def test_reader_has_presence_too() -> None:
    room = a_room(sessions=[a_session(1, can_write=False)])
    assert told(receive(room, 1, AwarenessUpdate((entry(7, 1),))), 1) == [AwarenessUpdate((entry(7, 1),))]


def test_clean_leave_is_announced_at_once_and_a_loss_after_the_grace() -> None:
    room = a_room(sessions=[a_session(1), a_session(2), a_session(3)])
    receive(room, 1, AwarenessUpdate((entry(7, 1),)))
    receive(room, 2, AwarenessUpdate((entry(8, 1),)))
    assert told(room.leave(SessionId(1), 10.0, clean=True), 3) == [AwarenessUpdate((entry(7, 1, GONE),))]
    assert room.leave(SessionId(2), 10.0, clean=False) == [End(SessionId(2))]
    assert told(room.tick(10.0 + GRACE_S), 3) == []
    assert told(room.tick(10.1 + GRACE_S), 3) == [AwarenessUpdate((entry(8, 1, GONE),))]


def test_grace_of_an_ended_session_begins_when_it_is_ended() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    receive(room, 1, AwarenessUpdate((entry(7, 1),)))
    receive(room, 1, Update(b""), now_s=20.0)
    assert told(room.tick(20.0 + GRACE_S), 2) == []
    assert len(told(room.tick(20.1 + GRACE_S), 2)) == 1


def test_removal_of_the_last_session_goes_only_to_other_replicas() -> None:
    room = a_room(sessions=[a_session(1)])
    receive(room, 1, AwarenessUpdate((entry(7, 1),)))
    ended, published = room.leave(SessionId(1), 0.0, clean=True)
    assert ended == End(SessionId(1))
    assert isinstance(published, PublishPresence)


def test_presence_query_of_another_replica_is_answered() -> None:
    room = a_room(sessions=[a_session(1)])
    assert room.receive_presence(OTHER, (), 0.0, is_query=True) == []
    receive(room, 1, AwarenessUpdate((entry(7, 1),)))
    ours = PublishPresence((PresenceEntry(UserId("ann"), entry(7, 1)),))
    theirs = [PresenceEntry(UserId("bob"), entry(8, 1))]
    assert room.receive_presence(OTHER, theirs, 0.0, is_query=True) == [
        ours,
        Send((SessionId(1),), AwarenessUpdate((entry(8, 1),))),
    ]
    assert room.receive_presence(OTHER, theirs, 0.0, is_query=False) == []


def test_presence_from_another_replica_is_sent_to_a_later_session() -> None:
    room = a_room()
    assert room.receive_presence(OTHER, [PresenceEntry(UserId("bob"), entry(8, 1))], 0.0, is_query=False) == []
    assert told(room.join(a_session(1)), 1) == [AwarenessUpdate((entry(8, 1),))]


# --- levels of types through the log -------------------------------------------------------------------


def test_types_nested_too_deep_over_many_updates_are_refused() -> None:
    room = a_room(sessions=[a_session(1)])
    for level in range(1000):
        parent = (ANN, level - 1) if level else None
        effects = receive(room, 1, Update(update((ANN, level, [shared(parent=parent)]))))
        if ends(effects):
            break
    assert ends(effects) == {1: UpdateRefused}
    assert level < 300
    assert room.document.whole()


def test_row_has_the_document_epoch_and_writer() -> None:
    room = SteppedRoom(DocumentName("a/b"), Document(), epoch=Epoch(3), cursor=Sequence(0), writer=WriterId(9))
    room.join(a_session(1))
    receive(room, 1, Update(YjsClient(ANN).type(0, "x")))
    row = room.next_row()
    assert row is not None
    assert (row.document, row.epoch, row.writer) == ("a/b", 3, 9)


def test_step1_of_a_loaded_room_has_its_full_state_vector() -> None:
    ann = YjsClient(ANN)
    room = a_room(ann.type(0, "abc"), sessions=[a_session(1)])
    question = told(receive(room, 1, SyncStep1(EMPTY_STATE_VECTOR)), 1)[0]
    assert isinstance(question, SyncStep1)
    assert decode_state_vector(question.state_vector) == ann.state


def test_large_frame_that_waited_in_part_is_echoed() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    large = update((ANN, 0, [text("a" * 200_000), text("b", left=(BOB, 0))]))
    receive(room, 1, Update(large))
    receive(room, 2, Update(update((BOB, 0, [text("x")]))))
    assert Saved(large) in told(commit(room), 1)


def test_role_lost_before_leaving_counts_for_a_pending_update() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    ann = YjsClient(ANN)
    first, second = ann.type(0, "x"), ann.type(1, "y")
    receive(room, 1, Update(second))
    room.change(SessionId(1), can_write=False, name="Ann")
    room.leave(SessionId(1), 0.0, clean=True)
    receive(room, 2, Update(first))
    assert room.document.text() == "x"
