"""The states of a room, and which of them may follow which."""

from itertools import product

import pytest

from collab.ids import DocumentName, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.relay.base import PresenceFrame
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.room_entry import EARLY_FRAMES_MAX, TRANSITIONS, RoomEntry, RoomState
from collab.store.memory import MemoryStore
from tests.room.build import a_room

NAME = DocumentName("notes")


@pytest.fixture
def host() -> Host:
    replica = Replica(WriterId(1), MemoryStore(), MemoryRelay(MemoryBus(), WriterId(1)), ServerLimits(), Metrics())
    log_writer = LogWriter(replica.store, replica.limits, clock=lambda: 0.0, metrics=replica.metrics)
    return Host(
        a_room(),
        replica=replica,
        log_writer=log_writer,
        clock=lambda: 0.0,
        call_later=lambda _, act: None,
        on_fail=lambda _: None,
        ask_turn=lambda _: None,
    )


def bring_to(state: RoomState, host: Host) -> RoomEntry:
    """Return a room in this state."""
    room = RoomEntry(NAME)
    if state is not RoomState.LOADING:
        room.open(host)
    if state is RoomState.FAILED:
        room.fail()
    elif state is RoomState.FORGETTING:
        room.forget()
    return room


def enter(room: RoomEntry, state: RoomState, host: Host) -> None:
    """Bring the room from its state into this one."""
    match state:
        case RoomState.LOADING:
            room.load_again()
        case RoomState.OPEN:
            room.open(host)
        case RoomState.FAILED:
            room.fail()
        case RoomState.FORGETTING:
            room.forget()


@pytest.mark.parametrize(("before", "after"), list(product(RoomState, RoomState)))
def test_a_room_changes_its_state_as_the_table_says(before: RoomState, after: RoomState, host: Host) -> None:
    room = bring_to(before, host)
    assert room.state is before
    if after in TRANSITIONS[before]:
        enter(room, after, host)
        assert room.state is after
    else:
        with pytest.raises(AssertionError):
            enter(room, after, host)


def test_the_table_lists_these_transitions() -> None:
    listed = {f"{before.name} -> {after.name}" for before in RoomState for after in TRANSITIONS[before]}
    assert listed == {
        "LOADING -> OPEN",
        "OPEN -> FAILED",
        "OPEN -> FORGETTING",
        "FAILED -> LOADING",
        "FAILED -> FORGETTING",
    }


def frame(number: int) -> PresenceFrame:
    return PresenceFrame(NAME, WriterId(number), b"\0")


def test_frames_that_came_while_loading_are_returned_once_and_in_order(host: Host) -> None:
    room = RoomEntry(NAME)
    frames = [frame(number) for number in range(3)]
    for each in frames:
        room.keep(each)
    assert room.open(host) == frames
    assert not host.needs_catch_up
    room.fail()
    room.load_again()
    assert room.open(host) == []


def test_a_room_asks_the_store_when_too_many_frames_came_while_loading(host: Host) -> None:
    room = RoomEntry(NAME)
    for number in range(EARLY_FRAMES_MAX + 1):
        room.keep(frame(number))
    assert len(room.open(host)) == EARLY_FRAMES_MAX
    assert host.needs_catch_up
