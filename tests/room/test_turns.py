"""Large and costly updates take turns: one slice at a time, with everybody else in between, and no promise given up."""

from dataclasses import replace
from itertools import pairwise

import pytest

from collab.crdt.assessment import Known
from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.errors import Conflict, Overloaded, UpdateRefused
from collab.ids import ClientId, Sequence, SessionId
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate, Refused, Saved, SyncStep1, SyncStep2, Update
from collab.protocol.rows import decode_entries
from collab.room.effects import Again, Effect, Fail, Queued
from collab.room.events import Continued, RoleChanged, Said
from collab.room.updates import RoomLimits
from collab.room.work import FULL_ROOMS_MAX, WorkLimits, WorkTimes
from tests.protocol.build import EMPTY_STATE_VECTOR, item, string, text, uint, update
from tests.room.build import SteppedRoom, a_room, a_row, a_session, commit, document_of, ends, told

ANN, BOB = 1, 2
BASE = update((9, 0, [text("ab", root="content")]))
SMALL = RoomLimits(work=WorkLimits(at_once_bytes_max=64, slice_structs_max=2, slice_jumps_max=2))


def inserts(client: int, count: int, *, clock: int = 0) -> bytes:
    """Return an update of ``count`` insertions at one place, each of which must be looked for."""
    return update((client, clock, [text("x", left=(9, 0), right=(9, 1))] * count))


def keystroke(client: int, clock: int = 0) -> bytes:
    return update((client, clock, [text("k", left=(9, 1) if not clock else (client, clock - 1))]))


def a_room_in_turns(*, limits: RoomLimits = SMALL, base: bytes = BASE) -> SteppedRoom:
    """Return a room with sessions 1 of Ann and 2 of Bob, in which turns are taken with ``turn``."""
    room = a_room(base, sessions=[a_session(1, "ann"), a_session(2, "bob")], limits=limits)
    room.takes_turns = False
    return room


def say(room: SteppedRoom, session: int, payload: bytes, now_s: float = 0.0) -> list[Effect]:
    return room.step(now_s, Said(SessionId(session), Update(payload)))


def turn(room: SteppedRoom, now_s: float = 0.0) -> list[Effect]:
    return room.step(now_s, Continued())


def turns(room: SteppedRoom, now_s: float = 0.0) -> list[list[Effect]]:
    """Take turns until all work is done, and return the effects of each."""
    taken = []
    while room.has_work:
        taken.append(turn(room, now_s))
    return taken


def take_some(room: SteppedRoom, client: int) -> None:
    """Take turns until something of this client is in the document."""
    while not room.document.state.get(client):
        turn(room)


def logged(room: SteppedRoom) -> list[bytes]:
    row = room.next_row()
    return [] if row is None else [entry.update for entry in decode_entries(row.payload)]


def test_keystroke_takes_no_turn() -> None:
    room = a_room_in_turns()
    effects = say(room, 1, keystroke(ANN))
    assert room.document.state[ANN] == 1
    assert not room.has_work
    assert not any(isinstance(effect, Again) for effect in effects)


def test_large_update_is_taken_a_slice_a_turn_and_asks_for_each() -> None:
    room = a_room_in_turns()
    assert Again() in say(room, 1, inserts(ANN, 40))
    ends_of_turns = [0]
    while room.has_work:
        assert (Again() in turn(room)) == room.has_work
        ends_of_turns.append(room.document.state.get(ANN, 0))
    steps = [after - before for before, after in pairwise(ends_of_turns)]
    assert max(steps) == 2
    assert ends_of_turns[-1] == 40


def test_large_update_is_logged_shown_and_answered_once_and_whole() -> None:
    room = a_room_in_turns()
    payload = inserts(ANN, 20)
    say(room, 1, payload)
    *before, last = turns(room)
    assert not any(
        isinstance(effect, Queued) or told([effect], 1) or told([effect], 2) for some in before for effect in some
    )
    assert told(last, 2) == [Update(payload)]
    assert told(last, 1) == []
    assert told(commit(room), 1) == [Saved(payload)]


def test_others_write_between_the_slices() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    for clock in range(5):
        turn(room)
        effects = say(room, 2, keystroke(BOB, clock))
        assert told(effects, 1) == [Update(keystroke(BOB, clock))]
    assert told(commit(room), 2) == [Saved(keystroke(BOB, clock)) for clock in range(5)]
    assert room.has_work
    turns(room)
    assert room.document.equals(document_of(BASE, inserts(ANN, 20), *(keystroke(BOB, clock) for clock in range(5))))


def test_what_another_builds_on_is_logged_and_shown_before_it() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    take_some(room, ANN)
    reply = update((BOB, 0, [text("r", left=(ANN, 0))]))
    effects = say(room, 2, reply)
    taken = inserts(ANN, room.document.state[ANN])
    assert told(effects, 2) == [Update(taken)]
    assert logged(room) == [taken, reply]
    turns(room)
    room.appended(Sequence(1))
    assert document_of(BASE, taken, reply, *logged(room)).equals(room.document)


def test_what_another_repeats_is_logged_before_its_acknowledgement() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    take_some(room, ANN)
    effects = say(room, 2, inserts(ANN, 1))
    assert told(effects, 2) == [Update(inserts(ANN, room.document.state[ANN]))]
    assert [type(message) for message in told(commit(room), 2)] == [Saved]


def test_what_a_newcomer_is_sent_is_logged() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    take_some(room, ANN)
    room.step(0.0, Said(SessionId(2), SyncStep1(EMPTY_STATE_VECTOR)))
    assert logged(room) == [inserts(ANN, room.document.state[ANN])]


def test_row_that_repeats_what_is_held_back_keeps_the_log_in_order() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    take_some(room, ANN)
    room.receive_row(a_row(1, inserts(ANN, 1), keystroke(BOB)), room.epoch)
    assert logged(room) == [inserts(ANN, room.document.state[ANN])]
    turns(room)
    assert room.document.state == {9: 2, ANN: 20, BOB: 1}


def test_later_frame_of_a_session_is_answered_after_the_large_one() -> None:
    room = a_room_in_turns()
    large, after = inserts(ANN, 20), update((ANN, 20, [text("z", left=(ANN, 19))]))
    say(room, 1, large)
    say(room, 1, after)
    assert room.document.state.get(ANN, 0) == 0
    turns(room)
    assert told(commit(room), 1) == [Saved(large), Saved(after)]


def test_update_that_adds_nothing_waits_behind_the_large_one_too() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    assert told(say(room, 1, b"\0\0"), 1) == []
    turns(room)
    assert told(commit(room), 1) == [Saved(inserts(ANN, 20)), Saved()]


def test_rest_that_is_not_ready_waits_and_is_answered_when_it_comes() -> None:
    room = a_room_in_turns()
    lacking = update((ANN, 0, [*[text("x", left=(9, 0), right=(9, 1))] * 10, text("y", left=(BOB, 0))]))
    say(room, 1, lacking)
    turns(room)
    assert (room.document.state[ANN], room.pending) == (10, 1)
    say(room, 2, keystroke(BOB))
    turns(room)
    assert (room.document.state[ANN], room.pending) == (11, 0)
    assert told(commit(room), 1) == [Saved(lacking)]


def test_what_arrives_meanwhile_is_not_waited_for() -> None:
    room = a_room_in_turns()
    lacking = update((ANN, 0, [*[text("x", left=(9, 0), right=(9, 1))] * 10, text("y", left=(BOB, 0))]))
    say(room, 1, lacking)
    take_some(room, ANN)
    say(room, 2, keystroke(BOB))
    turns(room)
    assert (room.document.state[ANN], room.pending) == (11, 0)


def test_frame_of_a_session_that_left_is_taken() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    turn(room)
    room.leave(SessionId(1), 0.0, clean=True)
    turns(room)
    assert logged(room) == [inserts(ANN, 20)]


def test_role_that_is_lost_meanwhile_ends_the_taking() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    take_some(room, ANN)
    room.change(SessionId(1), can_write=False, name="Ann")
    turns(room)
    have = room.document.state[ANN]
    assert 0 < have < 20
    assert logged(room) == [inserts(ANN, have)]
    assert told(room.appended(Sequence(1)), 1) == [Refused()]


def test_contradiction_is_found_before_anything_is_taken() -> None:
    room = a_room_in_turns()
    other = update((9, 1, [text("Z", left=(9, 0))]), (ANN, 0, [text("x", left=(9, 0), right=(9, 1))] * 20))
    say(room, 1, other)
    assert ends(effect for some in turns(room) for effect in some) == {1: UpdateRefused}
    assert ANN not in room.document.state


def test_refusal_in_a_later_slice_keeps_what_was_taken() -> None:
    room = a_room_in_turns()
    child_of_text = text("c", parent=(9, 0))
    structs = [item(7, b"\1", root="map"), *[text("x", left=(9, 0), right=(9, 1))] * 9, child_of_text]
    say(room, 1, update((ANN, 0, structs)))
    assert ends(effect for some in turns(room) for effect in some) == {1: UpdateRefused}
    have = room.document.state[ANN]
    assert 0 < have < 11
    (entry,) = logged(room)
    assert inspect_update(entry).structs[-1].clock == have - 1


def test_rest_write_that_is_not_ready_leaves_nothing() -> None:
    room = a_room_in_turns()
    program = a_session(3, "ann")
    program.queues_incomplete = False
    room.join(program)
    say(room, 3, update((ANN, 0, [*[text("x", left=(9, 0), right=(9, 1))] * 20, text("y", left=(BOB, 5))])))
    assert ends(effect for some in turns(room) for effect in some) == {3: Conflict}
    assert ANN not in room.document.state


def test_large_resync_that_is_known_is_answered_and_adds_nothing() -> None:
    room = a_room_in_turns()
    whole = Document.load(None, [BASE, inserts(ANN, 20)]).encode()
    room.receive_row(a_row(1, inserts(ANN, 20)), room.epoch)
    room.step(0.0, Said(SessionId(2), SyncStep1(EMPTY_STATE_VECTOR)))
    room.step(0.0, Said(SessionId(2), SyncStep2(whole)))
    assert [told(some, 2) for some in turns(room)][-1] == [Saved(whole)]
    assert room.is_all_committed


# --- readers -------------------------------------------------------------------------------------------


def a_reader(room: SteppedRoom) -> int:
    room.join(a_session(3, "coy", can_write=False))
    return 3


def test_large_update_of_a_reader_is_read_no_further_than_its_first_new_struct() -> None:
    room = a_room_in_turns(limits=RoomLimits())
    letters = update((ANN, 0, [text("x", left=(9, 1)), *[text("x", left=(ANN, 0))] * 100_000]))
    say(room, a_reader(room), letters)
    assert [told(some, 3) for some in turns(room)] == [[Refused()]]


def test_large_update_of_a_reader_that_is_known_is_acknowledged() -> None:
    room = a_room_in_turns()
    room.receive_row(a_row(1, inserts(ANN, 20)), room.epoch)
    say(room, a_reader(room), inserts(ANN, 20))
    assert [told(some, 3) for some in turns(room)][-1] == [Saved(inserts(ANN, 20))]


def test_large_update_of_a_reader_that_deletes_is_refused() -> None:
    room = a_room_in_turns()
    room.receive_row(a_row(1, inserts(ANN, 20)), room.epoch)
    say(room, a_reader(room), update(deletes={ANN: [(clock, 1) for clock in range(0, 40, 2)]}))
    assert [told(some, 3) for some in turns(room)][-1] == [Refused()]
    assert room.is_all_committed


# --- time ----------------------------------------------------------------------------------------------


def test_user_who_has_had_a_stretch_waits_with_small_frames_too() -> None:
    room = a_room_in_turns()
    say(room, 1, keystroke(ANN))
    room.charge(SMALL.work.stretch_s * 2)
    say(room, 1, keystroke(ANN, 1))
    say(room, 2, keystroke(BOB))
    assert (room.document.state[ANN], room.document.state[BOB]) == (1, 1)
    turns(room)
    assert room.document.state[ANN] == 2


def test_time_that_was_used_fades() -> None:
    room = a_room_in_turns()
    say(room, 1, keystroke(ANN))
    room.charge(SMALL.work.stretch_s * 2)
    later_s = SMALL.work.stretch_s * 2 / SMALL.work.fade_s_per_s
    say(room, 1, keystroke(ANN, 1), later_s)
    assert room.document.state[ANN] == 2


def test_turns_go_to_who_has_used_least() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 400))
    for _ in range(40):
        turn(room)
        room.charge(0.01)
    say(room, 2, inserts(BOB, 20))
    while room.document.state.get(BOB, 0) < 20:
        before = room.document.state[ANN]
        turn(room)
        room.charge(0.001)
    assert room.document.state[ANN] - before <= 2
    assert room.has_work


def test_update_that_costs_more_than_it_may_is_refused_and_what_was_taken_stays() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 400))
    say(room, 1, keystroke(ANN, 400))
    effects: list[Effect] = []
    while room.has_work:
        effects = turn(room)
        room.charge(0.1)
    assert ends(effects) == {1: UpdateRefused}
    have = room.document.state[ANN]
    assert 0 < have <= 2 * (SMALL.work.frame_s_max / 0.1 + 1)
    assert told(effects, 1) == [Refused()]
    assert told(effects, 2) == [Update(inserts(ANN, have))]
    assert logged(room) == [inserts(ANN, have)]


def test_slices_shrink_when_they_are_slow_and_grow_again() -> None:
    room = a_room_in_turns(limits=RoomLimits(work=WorkLimits(at_once_bytes_max=64)))
    say(room, 1, inserts(ANN, 3_000))

    def slices_that_take(seconds: float, count: int) -> list[int]:
        sizes: list[int] = []
        while len(sizes) < count:
            before = room.document.state.get(ANN, 0)
            turn(room)
            if size := room.document.state.get(ANN, 0) - before:
                sizes.append(size)
            room.charge(seconds if size else 0.0)
        return sizes

    assert slices_that_take(0.0001, 50)[-1] == WorkLimits().slice_jumps_max
    assert slices_that_take(0.05, 5)[2:] == [1] * 3
    assert slices_that_take(0.0001, 100)[-1] == WorkLimits().slice_jumps_max


def test_frames_that_wait_for_their_turn_are_bounded() -> None:
    room = a_room_in_turns(limits=RoomLimits(work=WorkLimits(at_once_bytes_max=64, frames_max=3)))
    for _ in range(3):
        say(room, 1, inserts(ANN, 20))
    assert ends(say(room, 1, inserts(ANN, 20))) == {1: Overloaded}


@pytest.mark.parametrize("bytes_max", [400, 401])
def test_bytes_that_wait_for_their_turn_are_bounded(bytes_max: int) -> None:
    payload = inserts(ANN, 20)
    room = a_room_in_turns(
        limits=RoomLimits(work=WorkLimits(at_once_bytes_max=64, bytes_max=len(payload) * 2 - 401 + bytes_max))
    )
    say(room, 1, payload)
    assert ends(say(room, 2, payload)) == ({2: Overloaded} if bytes_max == 400 else {})


@pytest.mark.parametrize("may_write", [True, False])
def test_large_frame_that_repeats_what_is_held_back_is_saved_after_that_is_committed(may_write: bool) -> None:
    room = a_room_in_turns()
    room.step(0.0, RoleChanged(SessionId(2), may_write, "Bob"))
    say(room, 1, inserts(ANN, 40))
    while room.document.state.get(ANN, 0) < 10:
        turn(room)
    room.charge(1.0)  # so that it is Bob's turn
    say(room, 2, inserts(ANN, 10))
    told_bob = []
    while (rows := logged(room)) == []:
        told_bob += told(turn(room), 2)
    assert [message for message in told_bob if isinstance(message, Saved)] == []
    assert rows == [inserts(ANN, room.document.state[ANN])]
    assert room.has_work
    assert Saved(inserts(ANN, 10)) in told(room.appended(Sequence(room.cursor + 1)), 2)


# --- what is held back deletes by itself ---------------------------------------------------------------

OLD_VALUE = (BOB, 0, [item(4, string("o"), root="map", key="k")])


def a_room_with_a_value_replaced() -> SteppedRoom:
    """Return a room in which Bob has the document, and Ann's next update, half taken, replaces a value of a map."""
    work = WorkLimits(at_once_bytes_max=64, slice_structs_max=2, slice_jumps_max=4)
    room = a_room_in_turns(limits=RoomLimits(work=work), base=update((9, 0, [text("ab", root="content")]), OLD_VALUE))
    room.step(0.0, Said(SessionId(2), SyncStep1(EMPTY_STATE_VECTOR)))
    new_value = item(4, string("n"), left=(BOB, 0))
    say(room, 1, update((ANN, 0, [new_value, *[text("x", left=(9, 0), right=(9, 1))] * 20])))
    while room.document.state.get(ANN, 0) < 10:
        turn(room)
        room.charge(0.0)
    return room


def test_deletion_that_is_known_from_what_is_held_back_is_saved_after_that_is_committed() -> None:
    room = a_room_with_a_value_replaced()
    effects = room.step(0.0, Said(SessionId(2), SyncStep2(update(deletes={BOB: [(0, 1)]}))))
    assert not any(isinstance(message, Saved) for message in told(effects, 2))
    assert [type(message) for message in told(commit(room), 2)] == [Saved]


def test_deletion_left_out_as_known_from_what_is_held_back_is_saved_after_that_is_committed() -> None:
    room = a_room_with_a_value_replaced()
    other = update(deletes={9: [(0, 1)]})  # it is news; to know that, all deletions are read from the engine
    room.step(0.0, Said(SessionId(2), SyncStep2(other)))
    say(room, 2, update((BOB, 1, [text("k", left=(9, 1))])))
    again = update((BOB, 1, [text("k", left=(9, 1)), text("l", left=(BOB, 1))]), deletes={BOB: [(0, 1)]})
    say(room, 2, again)
    assert room.document.state[BOB] == 3
    saved = document_of(update((9, 0, [text("ab", root="content")]), OLD_VALUE), *logged(room))
    assert saved.assess(inspect_update(again), exact=True) == Known()


def test_deletion_that_is_known_from_what_is_held_back_is_in_the_log_before_the_rest_of_its_frame() -> None:
    room = a_room_with_a_value_replaced()
    lacking = update((BOB, 1, [text("k", left=(7, 0))]), deletes={BOB: [(0, 1)]})
    room.step(0.0, Said(SessionId(2), SyncStep2(update(deletes={9: [(0, 1)]}))))
    say(room, 2, lacking)
    assert room.pending == 1
    assert len(logged(room)) == 2


# --- several at once -----------------------------------------------------------------------------------


def test_frame_that_is_done_leaves_what_is_held_back_of_another_whole() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 60))
    take_some(room, ANN)
    room.charge(1.0)  # so that it is Bob's turn
    say(room, 2, inserts(BOB, 20))
    shown = [told(some, 2) for some in turns(room)]
    assert [messages for messages in shown if messages] == [[Update(inserts(ANN, 60))]]
    assert [told(commit(room), 2)] == [[Saved(inserts(BOB, 20))]]


@pytest.mark.parametrize("steps", range(16))
def test_rest_does_not_wait_for_what_came_while_it_was_put_together(steps: int) -> None:
    room = a_room_in_turns()
    lacking = update((ANN, 0, [text("y", left=(BOB, 0)), *[text("x", left=(9, 0), right=(9, 1))] * 1100]))
    say(room, 1, lacking)
    for _ in range(steps):
        turn(room)
    say(room, 2, keystroke(BOB))
    turns(room)
    assert (room.document.state[ANN], room.pending) == (1101, 0)


def test_rest_write_of_which_a_part_is_withheld_meanwhile_does_not_wait() -> None:
    room = a_room_in_turns()
    program = a_session(3, "ann")
    program.queues_incomplete = False
    room.join(program)
    say(room, 3, inserts(BOB, 20))
    take_some(room, BOB)
    room.receive(SessionId(2), AwarenessUpdate((AwarenessEntry(ClientId(BOB), 1, b'{"user":{}}'),)), 0.0)
    assert ends(effect for some in turns(room) for effect in some) == {3: Conflict}
    assert room.pending == 0


def test_sender_of_what_breaks_the_engine_is_refused_also_when_the_document_is_nearly_full() -> None:
    room = a_room_in_turns(limits=replace(SMALL, document_bytes_max=len(BASE) + 24))
    say(room, 1, inserts(ANN, 15))
    take_some(room, ANN)
    room.document.is_poisoned = True
    effects = turn(room)
    assert ends(effects) == {1: UpdateRefused}
    assert isinstance(effects[-1], Fail)


def test_deletion_that_came_with_its_struct_is_shown_with_it() -> None:
    """Bob has what he wrote, and Ann brings it back as deleted: only the deletion itself tells Bob."""
    room = a_room_in_turns()
    gone = item(1, uint(1), left=(9, 1))
    others = [text("x", left=(9, 0), right=(9, 1))] * 20
    say(room, 1, update((BOB, 0, [gone]), (ANN, 0, others), deletes={BOB: [(0, 1)]}))
    take_some(room, BOB)
    asks_the_engine = SyncStep2(update(deletes={9: [(0, 1)]}))
    effects = room.step(0.0, Said(SessionId(2), asks_the_engine))
    shown = [*told(effects, 2), *(message for some in turns(room) for message in told(some, 2))]
    updates = [inspect_update(message.update) for message in shown if isinstance(message, Update)]
    assert (BOB, 0, 1) in [deleted for each in updates for deleted in each.deletes]


# --- what a frame may cost -----------------------------------------------------------------------------


def seconds_until_refused(room: SteppedRoom, slice_s: float) -> float:
    """Take turns in which each slice takes ``slice_s``, until session 1 is refused; return how long that took."""
    spent_s = 0.0
    while room.has_work:
        before = dict(room.document.state)
        if ends(turn(room)):
            return spent_s
        spent_s += slice_s if room.document.state != before else 0.0
        room.charge(slice_s if room.document.state != before else 0.0)
    raise AssertionError("the update was not refused")


def test_slices_may_cost_what_they_bring_and_not_what_the_bytes_behind_them_would() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 100_000))
    assert 2.0 <= seconds_until_refused(room, 0.1) <= 2.2


def test_step_during_which_the_machine_was_suspended_costs_nobody_an_edit() -> None:
    room = a_room_in_turns()
    say(room, 1, inserts(ANN, 20))
    turn(room)
    room.charge(3600.0)
    turns(room)
    assert room.document.state[ANN] == 20


def test_bytes_that_wait_in_all_rooms_are_bounded() -> None:
    payload = inserts(ANN, 20)
    limits = RoomLimits(work=WorkLimits(at_once_bytes_max=64, bytes_max=len(payload)))
    times = WorkTimes(limits.work)
    rooms = [a_room(BASE, sessions=[a_session(1)], limits=limits, times=times) for _ in range(FULL_ROOMS_MAX + 1)]
    for room in rooms:
        room.takes_turns = False
    *others, last, refused = rooms
    for room in [*others, last]:
        assert ends(say(room, 1, payload)) == {}
    assert ends(say(refused, 1, payload)) == {1: Overloaded}
    turns(last)
    refused.join(a_session(2))
    assert ends(say(refused, 2, payload)) == {}
