"""What never completed: its sender starts over once, then goes on without it, and is asked when it could be."""

import pytest

from collab.ids import SessionId, UserId
from collab.room import stalled as module
from collab.room.stalled import StalledUpdates

ANN, BOB = UserId("ann"), UserId("bob")
LOST, OTHER = (9, 3), (9, 2)


def test_each_person_starts_over_once_for_each_thing_that_never_came() -> None:
    stalled = StalledUpdates()
    asked = [(ANN, LOST), (BOB, LOST), (ANN, OTHER), (ANN, LOST), (BOB, LOST)]
    assert [stalled.is_first_time(*each) for each in asked] == [True, True, True, False, False]


def test_only_so_many_are_remembered_and_the_oldest_is_a_first_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    stalled = StalledUpdates()
    lacking = [(client, 0) for client in (1, 2, 3)]
    assert all(stalled.is_first_time(ANN, each) for each in lacking)
    assert not stalled.is_first_time(ANN, (2, 0))
    assert stalled.is_first_time(ANN, (1, 0))


def test_who_goes_on_without_something_is_told_once_when_it_has_come() -> None:
    stalled = StalledUpdates()
    stalled.continue_without(SessionId(1), LOST)
    stalled.continue_without(SessionId(2), OTHER)
    assert stalled.take_completable({9: 2}) == []
    assert stalled.take_completable({9: 3}) == [2]
    assert stalled.take_completable({9: 4}) == [1]
    assert stalled.take_completable({9: 5}) == []


def test_who_has_left_is_not_told() -> None:
    stalled = StalledUpdates()
    stalled.continue_without(SessionId(1), LOST)
    stalled.forget(SessionId(1))
    assert stalled.take_completable({9: 4}) == []
