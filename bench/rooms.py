"""A room with sessions for the benches, and the one place where a bench talks to it.

The benches of an update measure different things on the same path, so they share how a room is built, how a session
says something, and the updates that are said.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pycrdt

from collab.crdt.document import Document
from collab.crdt.statevector import encode_state_vector
from collab.ids import DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.messages import SyncStep1
from collab.protocol.rows import Row
from collab.room.events import Joined, RoomMessage, Said
from collab.room.room import Room
from collab.room.session import Session
from collab.room.updates import RoomLimits
from collab.room.window import WindowLengths

NAME = DocumentName("bench")
WRITER, READER = SessionId(1), SessionId(2)
HELLO = SyncStep1(encode_state_vector({}))
"""A client's first message, after which it is sent every update."""


def make_room(*updates: bytes, listeners: int = 1) -> Room:
    """Return a room whose document ``updates`` made, with a writer and ``listeners`` readers who are in sync."""
    room = make_empty_room(*updates)
    for session in make_sessions(listeners):
        room.step(0.0, Joined(session))
        say(room, HELLO, session.id)
    return room


def make_empty_room(*updates: bytes, window_s: float = 0.0) -> Room:
    """Return a room without a session, whose document ``updates`` made."""
    document = Document.load(None, updates)
    limits = RoomLimits(window=WindowLengths(window_s, sessions_min=1))
    return Room(NAME, document, epoch=Epoch(0), cursor=Sequence(0), writer=WriterId(1), limits=limits)


def make_sessions(listeners: int) -> Iterable[Session]:
    """Yield the writer's session, then those of the readers."""
    yield Session(WRITER, UserId("ada"), "Ada", can_write=True)
    for number in range(listeners):
        yield Session(SessionId(number + 2), UserId("bob"), "Bob", can_write=False)


def say(room: Room, message: RoomMessage, session: SessionId = WRITER) -> None:
    """Have a session say ``message`` to the room."""
    room.step(0.0, Said(session, message))


def next_row(room: Room) -> Row | None:
    """Return the row that the room has for the log."""
    return room.next_row()


class YjsClient:
    """A client with a document of its own, whose every change is an update."""

    def __init__(self, client: int = 7, *, seed: int = 0) -> None:
        self.doc: Any = pycrdt.Doc(client_id=client)
        self.text = self.doc.get("content", type=pycrdt.Text)
        self._random = random.Random(seed)

    def change(self, change: Callable[[], object]) -> bytes:
        """Return the update that ``change`` makes."""
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        with self.doc.transaction():
            change()
        self.doc.unobserve(subscription)
        return made[0]

    def hear(self, update: bytes) -> None:
        """Apply the update of another client."""
        self.doc.apply_update(update)

    def type(self, text: str, at: int | None = None) -> bytes:
        """Return the update that inserts ``text``, at the end unless ``at`` says where (in bytes of UTF-8)."""
        return self.change(lambda: self.text.insert(len(self.text) if at is None else at, text))

    def delete(self, at: int, length: int) -> bytes:
        """Return the update that deletes ``length`` bytes at ``at``."""

        def cut() -> None:
            del self.text[at : at + length]

        return self.change(cut)

    @property
    def everything(self) -> bytes:
        """The whole document as one update."""
        update: bytes = self.doc.get_update()
        return update

    def scatter(self, characters: int) -> bytes:
        """Return one update of ``characters`` insertions at random places, each a struct of its own."""
        before = self.doc.get_state()
        for _ in range(characters):
            self.type(self._random.choice("abcdefgh"), self._random.randrange(len(self.text) + 1))
        update: bytes = self.doc.get_update(before)
        return update
