"""What a room does about clients that take less than they are sent."""

import pytest

from collab.crdt.guard import inspect_update
from collab.errors import TooSlow
from collab.ids import ClientId, SessionId
from collab.protocol.messages import (
    GONE,
    AwarenessEntry,
    AwarenessUpdate,
    Saved,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.room.effects import Effect, Send
from collab.room.events import Congested, Dismissed, Drained, Event, FellBehind
from collab.room.session import TRANSITIONS, SessionState
from collab.room.slow_readers import BYTES_PER_S_MIN, LagLimits
from collab.room.updates import RoomLimits
from collab.room.window import WindowLengths
from tests.protocol.build import EMPTY_STATE_VECTOR, text, update
from tests.room.build import SteppedRoom, YjsClient, a_room, a_session, commit, ends, told

ANN, SLOW, OTHER = 1, 2, 3
W = 0.02
SLOW_ID = SessionId(SLOW)


def a_slow_room(*, window_s: float = 0.0, s_max: float = 60.0) -> SteppedRoom:
    limits = RoomLimits(window=WindowLengths(window_s, sessions_min=1), lag=LagLimits(s_max))
    return a_room(sessions=[a_session(each) for each in (ANN, SLOW, OTHER)], limits=limits)


def tell(room: SteppedRoom, event: Event, now_s: float = 0.0) -> list[Effect]:
    return room.step(now_s, event)


def say(room: SteppedRoom, edit: bytes, session: int = ANN, now_s: float = 0.0) -> list[Effect]:
    return room.receive(SessionId(session), Update(edit), now_s)


def shows(room: SteppedRoom, client: int, clock: int, now_s: float, state: bytes = b"{}") -> list[Effect]:
    here = AwarenessUpdate((AwarenessEntry(ClientId(client), clock, state),))
    return room.receive(SessionId(ANN), here, now_s)


def updates_to(effects: list[Effect], session: int) -> list[bytes]:
    return [message.update for message in told(effects, session) if isinstance(message, Update)]


# --- presence ------------------------------------------------------------------------------------------


def test_congested_session_gets_updates_and_no_presence() -> None:
    room = a_slow_room()
    assert tell(room, Congested(SLOW_ID)) == []
    assert told(shows(room, 7, 1, 1.0), SLOW) == []
    edit = YjsClient(7).type(0, "a")
    assert told(say(room, edit, now_s=2.0), SLOW) == [Update(edit)]
    assert tell(room, Congested(SLOW_ID), 2.5) == []
    missed = AwarenessUpdate((AwarenessEntry(ClientId(7), 1, b"{}"),))
    assert tell(room, Drained(SLOW_ID), 3.0) == [Send((SLOW_ID,), missed)]
    assert told(shows(room, 7, 2, 4.0), SLOW) != []
    assert tell(room, Drained(SLOW_ID), 5.0) == []


def test_drained_session_is_told_of_what_changed_and_of_who_left() -> None:
    room = a_slow_room()
    shows(room, 7, 1, 1.0)
    shows(room, 8, 1, 1.0)
    shows(room, 9, 1, 1.0)
    say(room, YjsClient(7).type(0, "a"), now_s=2.0)  # so that all of them have been sent
    tell(room, Congested(SLOW_ID), 3.0)
    shows(room, 8, 2, 4.0)
    shows(room, 9, 1, 4.0, GONE)
    (missed,) = told(tell(room, Drained(SLOW_ID), 5.0), SLOW)
    assert isinstance(missed, AwarenessUpdate)
    assert [(e.client, e.clock, e.state) for e in missed.entries] == [(8, 2, b"{}"), (9, 1, GONE)]


def test_presence_that_waited_when_a_session_was_congested_is_not_missed() -> None:
    room = a_slow_room(window_s=W)
    shows(room, 7, 1, 1.0)
    shows(room, 8, 1, 1.001)
    tell(room, Congested(SLOW_ID), 1.002)
    assert told(room.end_window(1.0 + W), SLOW) == []
    (missed,) = told(tell(room, Drained(SLOW_ID), 2.0), SLOW)
    assert isinstance(missed, AwarenessUpdate)
    assert 8 in [each.client for each in missed.entries]


# --- updates -------------------------------------------------------------------------------------------


def test_lagging_session_is_sent_no_update_and_later_all_that_it_has_missed() -> None:
    room, ann, reader = a_slow_room(), YjsClient(7), YjsClient(9)
    for message in updates_to(say(room, ann.type(0, "a")), SLOW):
        reader.hear(message)
    tell(room, FellBehind(SLOW_ID, 1))
    for at in range(1, 5):
        effects = say(room, ann.type(at, "b"))
        assert told(effects, SLOW) == []
        assert updates_to(effects, OTHER) != []
    tell(room, FellBehind(SLOW_ID, 1))
    (missed,) = updates_to(tell(room, Drained(SLOW_ID)), SLOW)
    assert next((s.client, s.clock) for s in inspect_update(missed).structs) == (7, 1)
    reader.hear(missed)
    assert reader.text == "abbbb"
    assert updates_to(say(room, edit := ann.type(5, "c")), SLOW) == [edit]


def test_what_waited_for_the_window_is_not_missed() -> None:
    room, ann, reader = a_slow_room(window_s=W), YjsClient(7), YjsClient(9)
    for message in updates_to(say(room, ann.type(0, "a"), now_s=1.0), SLOW):
        reader.hear(message)
    say(room, ann.type(1, "b"), now_s=1.001)
    say(room, ann.type(2, "c"), now_s=1.001)
    tell(room, FellBehind(SLOW_ID, 1), 1.002)
    assert updates_to(room.end_window(1.0 + W), SLOW) == []
    for message in updates_to(tell(room, Drained(SLOW_ID), 2.0), SLOW):
        reader.hear(message)
    assert reader.text == "abc"


def test_acknowledgements_reach_a_lagging_session_in_order() -> None:
    room, slow = a_slow_room(), YjsClient(7)
    edits = [slow.type(at, "x") for at in range(3)]
    say(room, edits[0], SLOW)
    tell(room, FellBehind(SLOW_ID, 1))
    say(room, edits[1], SLOW)
    assert told(commit(room), SLOW) == [Saved(edits[0]), Saved(edits[1])]
    say(room, edits[2], SLOW)
    assert told(tell(room, Drained(SLOW_ID)), SLOW) == []  # its own edit comes back when it is saved
    assert told(commit(room), SLOW) == [Saved(edits[2])]


def test_lagging_session_that_asks_is_answered_and_goes_on_lagging() -> None:
    room, ann, reader = a_slow_room(), YjsClient(7), YjsClient(9)
    tell(room, FellBehind(SLOW_ID, 1))
    say(room, ann.type(0, "a"))
    answers = told(room.receive(SLOW_ID, SyncStep1(EMPTY_STATE_VECTOR), 1.0), SLOW)
    for message in answers:
        if isinstance(message, SyncStep2):
            reader.hear(message.update)
    assert reader.text == "a"
    assert told(say(room, ann.type(1, "b")), SLOW) == []
    (missed,) = updates_to(tell(room, Drained(SLOW_ID)), SLOW)
    assert [(s.client, s.clock) for s in inspect_update(missed).structs] == [(7, 1)]


def test_session_that_has_not_synced_does_not_lag() -> None:
    room = a_slow_room()
    room.join(a_session(9, synced=False))
    tell(room, FellBehind(SessionId(9), 1))
    edit = YjsClient(7).type(0, "a")
    say(room, edit)
    assert updates_to(tell(room, Drained(SessionId(9))), 9) == []
    assert room.tick(1000.0) == []


def test_lagging_session_that_leaves_or_is_dismissed_is_sent_nothing_more() -> None:
    room = a_slow_room(s_max=1.0)
    tell(room, FellBehind(SLOW_ID, 1))
    say(room, update((7, 0, [text("x")])))
    tell(room, Dismissed(SLOW_ID, clean=False))
    assert told(tell(room, Drained(SLOW_ID)), SLOW) == []
    tell(room, FellBehind(SessionId(OTHER), 1))
    room.leave(SessionId(OTHER), 0.0, clean=True)
    assert tell(room, Drained(SessionId(OTHER))) == []
    assert ends(room.tick(100.0)) == {}


# --- time ----------------------------------------------------------------------------------------------


def test_session_that_lags_too_long_ends_and_the_others_do_not() -> None:
    room = a_slow_room()
    tell(room, FellBehind(SLOW_ID, 1), 10.0)
    tell(room, FellBehind(SLOW_ID, 1), 50.0)
    assert ends(room.tick(70.0)) == {}
    assert ends(room.tick(70.1)) == {SLOW: TooSlow}
    assert room.sessions == (ANN, OTHER)
    tell(room, FellBehind(SessionId(OTHER), 1), 80.0)
    tell(room, Drained(SessionId(OTHER)), 81.0)
    assert ends(room.tick(1000.0)) == {}


def test_much_that_waits_may_take_longer() -> None:
    room = a_slow_room()
    tell(room, FellBehind(SLOW_ID, 100 * BYTES_PER_S_MIN), 10.0)
    assert ends(room.tick(110.0)) == {}
    assert ends(room.tick(110.1)) == {SLOW: TooSlow}


@pytest.mark.parametrize("state", [SessionState.JOINED, SessionState.DISMISSED])
def test_only_a_synced_session_may_lag(state: SessionState) -> None:
    assert SessionState.LAGGING not in TRANSITIONS[state]
    assert SessionState.LAGGING in TRANSITIONS[SessionState.SYNCED]
