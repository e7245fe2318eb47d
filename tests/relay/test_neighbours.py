"""The other replicas: heard, given time, and taken once when they fall silent."""

import pytest

from collab.ids import WriterId
from collab.relay import neighbours as module
from collab.relay.neighbours import Neighbours


def test_silent_replica_is_taken_once() -> None:
    others = Neighbours()
    others.hear(WriterId(1), 10.0)
    others.hear(WriterId(2), 12.0)
    assert others.take_silent(11.0) == [1]
    assert others.take_silent(11.0) == []
    assert len(others) == 1


def test_replica_that_is_heard_again_is_not_silent() -> None:
    others = Neighbours()
    others.hear(WriterId(1), 10.0)
    others.hear(WriterId(1), 12.0)
    assert others.take_silent(11.0) == []


def test_reconnecting_gives_all_the_usual_time() -> None:
    others = Neighbours()
    others.hear(WriterId(1), 10.0)
    others.give_time(20.0)
    assert others.take_silent(19.0) == []
    assert others.take_silent(21.0) == [1]


def test_forged_heartbeats_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLICAS_MAX", 2)
    others = Neighbours()
    for writer in (1, 2, 3):
        others.hear(WriterId(writer), 10.0)
    others.hear(WriterId(1), 20.0)
    assert others.take_silent(15.0) == [2]
    assert len(others) == 1
