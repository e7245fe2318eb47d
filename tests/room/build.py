"""Authors, rooms and rows for the tests of the room: what a client, a host and a store would bring."""

from collections.abc import Callable, Iterable
from typing import Any

import pycrdt

from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.statevector import decode_state_vector
from collab.crdt.update import InspectedUpdate
from collab.ids import DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.messages import FromServer
from collab.protocol.rows import CommittedRow, Entry, encode_entries
from collab.room.effects import Effect, End, Send
from collab.room.room import Room
from collab.room.session import Session

NAME = DocumentName("notes")
OURS, OTHER = WriterId(1), WriterId(77)


class Author:
    """Somebody with a document of their own; every change comes back as the update that their client would send."""

    def __init__(self, client: int, *heard: bytes) -> None:
        self.doc: Any = pycrdt.Doc(client_id=client)
        for update in heard:
            self.hear(update)

    def change(self, change: Callable[[], object]) -> bytes:
        """The update that ``change`` makes; the empty one when it changes nothing."""
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        with self.doc.transaction():
            change()
        self.doc.unobserve(subscription)
        return made[0] if made else b"\0\0"

    def type(self, at: int, what: str) -> bytes:
        """Text into the root ``content``; ``at`` counts bytes of UTF-8."""
        text = self.doc.get("content", type=pycrdt.Text)
        return self.change(lambda: text.insert(at, what))

    def delete(self, at: int, length: int) -> bytes:
        """Text out of the root ``content``."""
        text = self.doc.get("content", type=pycrdt.Text)

        def cut() -> None:
            del text[at : at + length]

        return self.change(cut)

    def hear(self, update: bytes) -> None:
        self.doc.apply_update(update)

    @property
    def text(self) -> str:
        return str(self.doc.get("content", type=pycrdt.Text))

    @property
    def everything(self) -> bytes:
        """What a SyncStep2 for an empty server holds."""
        update: bytes = self.doc.get_update()
        return update

    @property
    def state(self) -> dict[int, int]:
        return decode_state_vector(self.doc.get_state())


def inspected(*updates: bytes) -> list[InspectedUpdate]:
    return [inspect_update(update) for update in updates]


def document_of(*updates: bytes) -> Document:
    """The document that these updates make, in this order."""
    return Document.load(None, updates)


def a_session(number: int, user: str = "ann", *, can_write: bool = True, synced: bool = True) -> Session:
    session = Session(SessionId(number), UserId(user), user.capitalize(), can_write)
    session.synced = synced
    return session


def a_room(
    *updates: bytes, cursor: int = 0, origin: WriterId = OURS, sessions: Iterable[Session] = (), **parts: Any
) -> Room:
    """A room whose document these updates made, with ``sessions`` in it."""
    room = Room(NAME, document_of(*updates), epoch=Epoch(0), cursor=Sequence(cursor), origin=origin, **parts)
    for session in sessions:
        room.join(session)
    return room


def a_row(seq: int, *updates: bytes, origin: WriterId = OTHER, n: int | None = None) -> CommittedRow:
    """A row of another replica."""
    entries = encode_entries([Entry(UserId("bob"), update) for update in updates])
    return CommittedRow(Sequence(seq), origin, n or seq, entries)


def commit(room: Room, seq: int | None = None) -> list[Effect]:
    """What a room decides when its next row is committed, at the next place of the log or at ``seq``."""
    assert room.next_row() is not None
    return room.appended(Sequence(seq or room.cursor + 1))


def told(effects: Iterable[Effect], session: int) -> list[FromServer]:
    """What these effects say to one session, in order."""
    return [effect.message for effect in effects if isinstance(effect, Send) and session in effect.sessions]


def ends(effects: Iterable[Effect]) -> dict[int, type[Exception]]:
    """Which sessions these effects end, and why."""
    return {effect.session: type(effect.error) for effect in effects if isinstance(effect, End)}
