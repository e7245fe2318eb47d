"""When a room sends what it has shown, and to whom."""

import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.update import SKIP
from collab.errors import RoomClosed
from collab.ids import ClientId, Epoch, Sequence, SessionId
from collab.protocol.messages import GONE, AwarenessEntry, AwarenessUpdate, Saved, SyncStep1, SyncStep2, Update
from collab.room import window as module
from collab.room.effects import Effect, End, EndWindowAt, Fail, Publish, Queued, Send
from collab.room.window import WindowLengths
from tests.protocol.build import EMPTY_STATE_VECTOR, text, update
from tests.room.build import (
    SteppedRoom,
    YjsClient,
    a_room,
    a_row,
    a_session,
    commit,
    merged,
    told,
    with_window,
)

W = 0.02
ANN, BOB, READER, OTHER_READER = 1, 2, 3, 4


def windowed(*updates: bytes) -> SteppedRoom:
    """Return a room in which nothing was sent yet, so that its first edit is sent at once."""
    sessions = [a_session(ANN), a_session(BOB), a_session(READER), a_session(OTHER_READER)]
    return a_room(*updates, sessions=sessions, limits=with_window(W))


def say(room: SteppedRoom, session: int, edit: bytes, now_s: float) -> list[Effect]:
    return [each for each in room.receive(SessionId(session), Update(edit), now_s) if not isinstance(each, Queued)]


def is_here(client: int, clock: int, state: bytes = b"{}") -> AwarenessEntry:
    return AwarenessEntry(ClientId(client), clock, state)


def shows(room: SteppedRoom, session: int, entry: AwarenessEntry, now_s: float) -> list[Effect]:
    effects = room.receive(SessionId(session), AwarenessUpdate((entry,)), now_s)
    return [each for each in effects if isinstance(each, Send | EndWindowAt)]


# --- time ----------------------------------------------------------------------------------------------


def test_first_edit_is_sent_at_once_and_later_ones_merged_when_the_window_ends() -> None:
    room, ann = windowed(), YjsClient(7)
    edits = [ann.type(at, "x") for at in range(4)]
    everyone_else = (SessionId(BOB), SessionId(READER), SessionId(OTHER_READER))
    assert say(room, ANN, edits[0], 1.0) == [Send(everyone_else, Update(edits[0]))]
    assert say(room, ANN, edits[1], 1.001) == [EndWindowAt(1.0 + W)]
    assert say(room, ANN, edits[2], 1.002) == []
    assert room.end_window(1.0 + W) == [Send(everyone_else, merged(*edits[1:3]))]
    assert say(room, ANN, edits[3], 1.0 + W) == [EndWindowAt(1.0 + 2 * W)]


def test_room_that_was_quiet_for_a_window_asks_for_no_end() -> None:
    room, ann = windowed(), YjsClient(7)
    for at in range(5):
        assert [type(each) for each in say(room, ANN, ann.type(at, "x"), 1.0 + at * W)] == [Send]
    assert room.end_window(9.0) == []


def test_what_waits_is_sent_by_a_step_after_the_end_if_the_timer_is_late() -> None:
    room, ann = windowed(), YjsClient(7)
    first, second, third = (ann.type(at, "x") for at in range(3))
    say(room, ANN, first, 1.0)
    say(room, ANN, second, 1.001)
    assert told(say(room, ANN, third, 2.0), READER) == [merged(second, third)]
    assert room.end_window(2.001) == []


def test_window_that_was_sent_early_is_not_awaited_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 100)
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, ann.type(0, "x"), 1.0)
    assert say(room, ANN, ann.type(1, "y"), 1.001) == [EndWindowAt(1.0 + W)]
    assert told(say(room, ANN, ann.type(2, "z" * 100), 1.002), READER) != []
    assert say(room, ANN, ann.type(3, "x"), 1.003) == []
    assert told(room.end_window(1.0 + W), READER) != []


def test_everything_that_one_step_shows_is_one_message_without_a_window() -> None:
    room = a_room(sessions=[a_session(READER)])
    bob = YjsClient(8)
    edits = [bob.type(0, "a"), bob.type(1, "b")]
    assert room.receive_row(a_row(1, *edits), Epoch(0)) == [Send((SessionId(READER),), merged(*edits))]


@pytest.mark.parametrize(("sessions", "length_s"), [(1, 0.0), (8, 0.0), (9, 0.02), (200, 0.02), (201, 0.05)])
def test_length_of_a_window_grows_with_the_room(sessions: int, length_s: float) -> None:
    assert WindowLengths().for_sessions(sessions) == length_s
    assert WindowLengths(length_s=0).for_sessions(sessions) == 0


# --- who is sent what ----------------------------------------------------------------------------------


def test_author_is_sent_the_edits_of_the_others_alone_and_its_own_after_the_commit() -> None:
    room, ann, bob = windowed(), YjsClient(7), YjsClient(8)
    say(room, ANN, ann.type(0, "a"), 1.0)
    anns, bobs = ann.type(1, "b"), bob.type(0, "x")
    say(room, ANN, anns, 1.001)
    say(room, BOB, bobs, 1.002)
    effects = room.end_window(1.0 + W)
    assert told(effects, ANN) == [Update(bobs)]
    assert told(effects, BOB) == [Update(anns)]
    (shared,) = {
        id(each.message): each for each in effects if isinstance(each, Send) and READER in each.sessions
    }.values()
    assert shared == Send((SessionId(READER), SessionId(OTHER_READER)), merged(anns, bobs))
    assert Saved(anns) in told(commit(room), ANN)


def test_acknowledgement_does_not_wait_for_the_window() -> None:
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, ann.type(0, "a"), 1.0)
    edit = ann.type(1, "b")
    say(room, ANN, edit, 1.001)
    committed = commit(room)
    assert told(committed, ANN)[-1] == Saved(edit)
    assert any(isinstance(each, Publish) for each in committed)
    assert told(committed, READER) == []
    assert told(room.end_window(1.0 + W), READER) == [Update(edit)]


def test_author_gets_no_gap_where_its_own_part_of_one_client_is_left_out() -> None:
    """Another tab brings what its author had not sent yet, so one client's structs come from two sessions."""
    room = windowed()
    parts = [update((7, 0, [text("a")])), *(update((7, n, [text("b", left=(7, n - 1))])) for n in (1, 2))]
    say(room, READER, update((9, 0, [text("x")])), 1.0)
    for session, part in zip((BOB, ANN, BOB), parts, strict=True):
        say(room, session, part, 1.001)
    effects = room.end_window(1.0 + W)
    assert told(effects, ANN) == [Update(parts[0]), Update(parts[2])]
    assert told(effects, READER) == [merged(*parts)]
    updates = [each.message.update for each in effects if isinstance(each, Send) and isinstance(each.message, Update)]
    assert not any(struct.kind == SKIP for each in updates for struct in inspect_update(each).structs)


def test_rows_of_other_replicas_wait_in_the_same_window() -> None:
    room, ann, bob = windowed(), YjsClient(7), YjsClient(8)
    say(room, ANN, ann.type(0, "a"), 1.0)
    anns, bobs = ann.type(1, "b"), bob.type(0, "x")
    say(room, ANN, anns, 1.001)
    assert room.receive_row(a_row(1, bobs), Epoch(0)) == []
    effects = room.end_window(1.0 + W)
    assert told(effects, READER) == [merged(anns, bobs)]
    assert told(effects, ANN) == [Update(bobs)]


def test_session_that_syncs_while_something_waits_misses_nothing() -> None:
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, first := ann.type(0, "a"), 1.0)
    say(room, ANN, ann.type(1, "b"), 1.001)
    room.join(a_session(9, synced=False))
    answers = room.receive(SessionId(9), SyncStep1(EMPTY_STATE_VECTOR), 1.002)
    say(room, ANN, ann.type(2, "c"), 1.003)
    newcomer = YjsClient(9)
    for message in (*told(answers, 9), *told(room.end_window(1.0 + W), 9)):
        if isinstance(message, SyncStep2 | Update):
            newcomer.hear(message.update)
    assert first
    assert newcomer.text == "abc"


def test_session_that_has_not_synced_is_sent_nothing_when_the_window_ends() -> None:
    room, ann = windowed(), YjsClient(7)
    room.join(a_session(9, synced=False))
    say(room, ANN, ann.type(0, "a"), 1.0)
    say(room, ANN, ann.type(1, "b"), 1.001)
    assert told(room.end_window(1.0 + W), 9) == []


def test_edit_of_a_session_that_leaves_is_sent_and_it_is_sent_nothing() -> None:
    room, ann, bob = windowed(), YjsClient(7), YjsClient(8)
    say(room, ANN, ann.type(0, "a"), 1.0)
    anns, bobs = ann.type(1, "b"), bob.type(0, "x")
    say(room, ANN, anns, 1.001)
    say(room, BOB, bobs, 1.001)
    assert room.leave(SessionId(ANN), 1.002, clean=True) == [End(SessionId(ANN))]
    effects = room.end_window(1.0 + W)
    assert told(effects, ANN) == []
    assert told(effects, READER) == [merged(anns, bobs)]
    assert told(effects, BOB) == [Update(anns)]


def test_dismissed_session_is_sent_no_more_of_the_window() -> None:
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, ann.type(0, "a"), 1.0)
    say(room, ANN, ann.type(1, "b"), 1.001)
    say(room, READER, update((9, 0, [text("x", left=(9, 9))])), 1.001)
    room.dismiss(SessionId(BOB), 1.002, clean=True)
    assert told(room.end_window(1.0 + W), BOB) == []


def test_failing_room_sends_nothing_of_its_window() -> None:
    """Its sessions reconnect, and are then sent what is committed."""
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, ann.type(0, "a"), 1.0)
    say(room, ANN, ann.type(1, "b"), 1.001)
    (failure,) = room.receive_head(Sequence(0), Epoch(1), deleted=False, after=Sequence(0))
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, RoomClosed)


# --- characters outside the basic plane ----------------------------------------------------------------


@pytest.mark.parametrize("deletes_first", [False, True], ids=["whole", "deleted just before"])
def test_insertion_that_splits_a_character_is_not_merged_with_its_deletion(deletes_first: bool) -> None:
    """The engine of a client would split the character before it deletes it, and lose count of its clocks."""
    before = update((7, 0, [text("a😀b", root="content")]))
    room = windowed(before)
    say(room, ANN, update((9, 0, [text("x")])), 1.0)
    if deletes_first:
        say(room, ANN, update(deletes={7: [(1, 2)]}), 1.001)
    say(room, BOB, update((8, 0, [text("X", left=(7, 1), right=(7, 2))])), 1.001)
    deletion, insertion = told(room.end_window(1.0 + W), READER)
    assert deletion == Update(update(deletes={7: [(1, 2)]}))
    assert isinstance(insertion, Update)
    reader = YjsClient(5, before, update(deletes={7: [(1, 2)]}), insertion.update)
    assert reader.text == YjsClient(6, reader.everything).text == "aXb"


# --- presence ------------------------------------------------------------------------------------------


def test_only_the_newest_state_of_each_client_is_sent_to_all() -> None:
    room = windowed()
    shows(room, ANN, is_here(7, 1), 1.0)
    assert shows(room, ANN, is_here(7, 2), 1.001) == [EndWindowAt(1.0 + W)]
    shows(room, BOB, is_here(8, 1), 1.002)
    for clock in range(3, 10):
        assert shows(room, ANN, is_here(7, clock), 1.003) == []
    everyone = (SessionId(ANN), SessionId(BOB), SessionId(READER), SessionId(OTHER_READER))
    assert room.end_window(1.0 + W) == [Send(everyone, AwarenessUpdate((is_here(8, 1), is_here(7, 9))))]


def test_removal_waits_with_the_rest_and_replaces_the_state_before() -> None:
    room = windowed()
    shows(room, ANN, is_here(7, 1), 1.0)
    shows(room, ANN, is_here(7, 2), 1.001)
    room.leave(SessionId(ANN), 1.002, clean=True)
    assert told(room.end_window(1.0 + W), READER) == [AwarenessUpdate((is_here(7, 2, GONE),))]


def test_updates_are_sent_before_the_presence_of_their_window() -> None:
    room, ann = windowed(), YjsClient(7)
    say(room, ANN, ann.type(0, "a"), 1.0)
    shows(room, ANN, is_here(7, 1), 1.001)
    say(room, ANN, edit := ann.type(1, "b"), 1.002)
    assert told(room.end_window(1.0 + W), READER) == [Update(edit), AwarenessUpdate((is_here(7, 1),))]


def test_dismissed_session_is_told_of_no_presence() -> None:
    room = windowed()
    room.receive(SessionId(ANN), Update(YjsClient(7).type(0, "a")), 1.0)
    room.dismiss(SessionId(ANN), 1.0, clean=True)
    assert ANN in room.sessions
    assert told(shows(room, BOB, is_here(8, 1), 2.0), ANN) == []


def test_edit_that_comes_in_a_pause_of_presence_waits_only_for_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRESENCE_BYTES_PER_S_MAX", 1)
    room, ann = windowed(), YjsClient(7)
    shows(room, ANN, is_here(7, 1), 1.0)
    assert shows(room, ANN, is_here(7, 2), 1.001) == [EndWindowAt(1.001 + W)]
    assert room.end_window(1.001 + W) == [EndWindowAt(1.001 + 2 * W)]
    edits = [ann.type(at, "x") for at in range(2)]
    assert told(say(room, ANN, edits[0], 2.0), READER) == [Update(edits[0])]
    assert say(room, ANN, edits[1], 2.001) == []
    assert told(room.end_window(2.0 + W), READER) == [Update(edits[1])]
    assert told(room.end_window(8.9), READER) == []
    assert told(room.end_window(9.0), READER) == [AwarenessUpdate((is_here(7, 2),))]
