"""Updates that never completed: a user is told once for each missing id."""

import pytest

from collab.ids import UserId
from collab.room import stalled as module
from collab.room.stalled import StalledUpdates

ANN, BOB = UserId("ann"), UserId("bob")
LOST, OTHER = (9, 3), (9, 2)


def test_user_is_told_once_for_each_missing_id() -> None:
    stalled = StalledUpdates()
    asked = [(ANN, LOST), (BOB, LOST), (ANN, OTHER), (ANN, LOST), (BOB, LOST)]
    assert [stalled.note_missing(*each) for each in asked] == [True, True, True, False, False]


def test_oldest_missing_id_is_forgotten_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    stalled = StalledUpdates()
    lacking = [(client, 0) for client in (1, 2, 3)]
    assert all(stalled.note_missing(ANN, each) for each in lacking)
    assert not stalled.note_missing(ANN, (2, 0))
    assert stalled.note_missing(ANN, (1, 0))
