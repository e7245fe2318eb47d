"""Lists are told of a title that has changed, and not of every key."""

from typing import Any

import pycrdt
import pytest

from collab.ids import SessionId
from collab.protocol.messages import Update
from collab.room.effects import Retitled
from tests.room.build import OTHER, SteppedRoom, YjsClient, a_room, a_row, a_session, commit

ANN = 1


class Author(YjsClient):
    """A client that writes the title."""

    def entitle(self, title: str) -> bytes:
        return self.change(lambda: self._meta.__setitem__("title", title))

    def take_title_back(self) -> bytes:
        return self.change(lambda: self._meta.__delitem__("title"))

    @property
    def _meta(self) -> Any:
        return self.doc.get("meta", type=pycrdt.Map)


@pytest.fixture
def author() -> Author:
    return Author(ANN)


def write(room: SteppedRoom, update: bytes) -> None:
    room.receive(SessionId(1), Update(update), 0.0)
    commit(room)


def told(room: SteppedRoom, ticks: int = 3) -> list[str]:
    return [each.title for _ in range(ticks) for each in room.tick(0.0) if isinstance(each, Retitled)]


def test_title_is_told_once_it_stands_for_two_looks(author: Author) -> None:
    room = a_room(sessions=[a_session(1)])
    write(room, author.entitle("M"))
    assert told(room, 1) == []
    assert not knows_title(room)
    write(room, author.entitle("Minutes"))
    assert told(room, 1) == []
    assert told(room, 1) == ["Minutes"]
    assert knows_title(room)
    assert told(room) == []


def knows_title(room: SteppedRoom) -> bool:
    return room.is_title_told


def test_document_without_a_title_is_not_told_of(author: Author) -> None:
    room = a_room(sessions=[a_session(1)])
    write(room, author.type(0, "text"))
    assert told(room) == []
    assert room.is_title_told


def test_room_tells_the_title_that_it_was_loaded_with(author: Author) -> None:
    assert told(a_room(author.entitle("Minutes"))) == ["Minutes"]


def test_title_that_was_taken_back_is_told_as_empty(author: Author) -> None:
    room = a_room(author.entitle("Minutes"), sessions=[a_session(1)])
    assert told(room) == ["Minutes"]
    write(room, author.take_title_back())
    assert told(room) == [""]
    write(room, author.entitle("Again"))
    assert told(room) == ["Again"]


def test_title_of_another_replica_is_told_here_too(author: Author) -> None:
    room = a_room(author.entitle("Ours"))
    assert told(room) == ["Ours"]
    row = a_row(1, author.entitle("Theirs"), writer=OTHER)
    room.receive_row(row, room.epoch)
    assert told(room) == ["Theirs"]
