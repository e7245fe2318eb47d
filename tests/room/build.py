"""Clients, rooms and rows for the tests of the room, in place of a network, a host and a store."""

from collections.abc import Callable, Iterable
from typing import Any

import pycrdt

from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.merge import merge_updates
from collab.crdt.statevector import decode_state_vector
from collab.crdt.update import InspectedUpdate
from collab.ids import DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.messages import FromServer, Update
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow, Entry, encode_entries
from collab.room.effects import Again, Committed, Effect, End, Send
from collab.room.events import (
    Continued,
    Dismissed,
    Event,
    HeadRead,
    Joined,
    Left,
    PresenceRelayed,
    ReplicaLost,
    RoleChanged,
    RoomMessage,
    RowCommitted,
    RowRelayed,
    RowsRead,
    Said,
    Ticked,
    WindowEnded,
)
from collab.room.room import Room
from collab.room.session import Session, SessionState
from collab.room.updates import RoomLimits
from collab.room.window import WindowLengths

NAME = DocumentName("notes")
OURS, OTHER = WriterId(1), WriterId(77)


class YjsClient:
    """A client with a document of its own. Each change returns the update that the client would send."""

    def __init__(self, client: int, *updates: bytes) -> None:
        self.doc: Any = pycrdt.Doc(client_id=client)
        for update in updates:
            self.hear(update)

    def change(self, change: Callable[[], object]) -> bytes:
        """Return the update that ``change`` makes, or the empty update if it changes nothing."""
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        with self.doc.transaction():
            change()
        self.doc.unobserve(subscription)
        return made[0] if made else b"\0\0"

    def type(self, at: int, inserted: str) -> bytes:
        """Insert text into the root ``content``; ``at`` counts bytes of UTF-8."""
        text = self.doc.get("content", type=pycrdt.Text)
        return self.change(lambda: text.insert(at, inserted))

    def delete(self, at: int, length: int) -> bytes:
        """Delete text from the root ``content``; both numbers count bytes of UTF-8."""
        text = self.doc.get("content", type=pycrdt.Text)

        def cut() -> None:
            del text[at : at + length]

        return self.change(cut)

    def hear(self, update: bytes) -> None:
        """Apply an update of another client."""
        self.doc.apply_update(update)

    @property
    def text(self) -> str:
        return str(self.doc.get("content", type=pycrdt.Text))

    @property
    def everything(self) -> bytes:
        """The whole document as one update, as a SyncStep2 for an empty server has it."""
        update: bytes = self.doc.get_update()
        return update

    @property
    def state(self) -> dict[int, int]:
        return decode_state_vector(self.doc.get_state())


def inspected(*updates: bytes) -> list[InspectedUpdate]:
    return [inspect_update(update) for update in updates]


def merged(*updates: bytes) -> Update:
    """Return the one message in which a room sends these updates."""
    (update,) = merge_updates(inspected(*updates))
    return Update(update)


def document_of(*updates: bytes) -> Document:
    """Return the document that these updates make, in this order."""
    return Document.load(None, updates)


class SteppedRoom(Room):
    """A room with a method for each event, which keeps the tests short.

    Updates that take turns have them at once, unless ``takes_turns`` is set to False.
    """

    takes_turns = True

    def step(self, now_s: float, event: Event) -> list[Effect]:
        effects = super().step(now_s, event)
        while self.takes_turns and self.has_work:
            effects += super().step(now_s, Continued())
        return [effect for effect in effects if not self.takes_turns or not isinstance(effect, Again)]

    @property
    def sessions(self) -> tuple[SessionId, ...]:
        return tuple(session.id for session in self._sessions)

    @property
    def unsaved_bytes(self) -> int:
        return self._uncommitted.unsaved_bytes

    def join(self, session: Session, *, resumes: bool = False) -> list[Effect]:
        return self.step(0.0, Joined(session, resumes))

    def receive(self, session: SessionId, message: RoomMessage, now_s: float) -> list[Effect]:
        return self.step(now_s, Said(session, message))

    def leave(self, session: SessionId, now_s: float, *, clean: bool) -> list[Effect]:
        return self.step(now_s, Left(session, clean))

    def dismiss(self, session: SessionId, now_s: float, *, clean: bool) -> list[Effect]:
        return self.step(now_s, Dismissed(session, clean))

    def change(self, session: SessionId, *, can_write: bool, name: str) -> list[Effect]:
        return self.step(self._sessions.now_s, RoleChanged(session, can_write, name))

    def appended(self, seq: Sequence) -> list[Effect]:
        return [each for each in self.step(self._sessions.now_s, RowCommitted(seq)) if not isinstance(each, Committed)]

    def receive_row(self, row: CommittedRow, epoch: Epoch) -> list[Effect]:
        return self.step(self._sessions.now_s, RowRelayed(row, epoch))

    def receive_rows(self, rows: Iterable[CommittedRow], *, after: Sequence) -> list[Effect]:
        return self.step(self._sessions.now_s, RowsRead(rows, after))

    def receive_head(self, seq: Sequence, epoch: Epoch, *, deleted: bool, after: Sequence) -> list[Effect]:
        return self.step(self._sessions.now_s, HeadRead(seq, epoch, deleted, after))

    def receive_presence(
        self, replica: WriterId, entries: Iterable[PresenceEntry], now_s: float, *, is_query: bool
    ) -> list[Effect]:
        return self.step(now_s, PresenceRelayed(replica, tuple(entries), is_query))

    def replica_lost(self, replica: WriterId, now_s: float) -> list[Effect]:
        return self.step(now_s, ReplicaLost(replica))

    def end_window(self, now_s: float) -> list[Effect]:
        return self.step(now_s, WindowEnded())

    def tick(self, now_s: float) -> list[Effect]:
        return self.step(now_s, Ticked())


def with_window(length_s: float) -> RoomLimits:
    """Return the limits of a room in which windows have this length, however few sessions it has."""
    return RoomLimits(window=WindowLengths(length_s, sessions_min=1))


def a_session(number: int, user: str = "ann", *, can_write: bool = True, synced: bool = True) -> Session:
    session = Session(SessionId(number), UserId(user), user.capitalize(), can_write)
    if synced:
        session.become(SessionState.SYNCED)
    return session


def a_room(
    *updates: bytes, cursor: int = 0, writer: WriterId = OURS, sessions: Iterable[Session] = (), **parts: Any
) -> SteppedRoom:
    """Return a room with ``sessions``, and a document made of ``updates``."""
    room = SteppedRoom(NAME, document_of(*updates), epoch=Epoch(0), cursor=Sequence(cursor), writer=writer, **parts)
    for session in sessions:
        room.join(session)
    return room


def a_row(seq: int, *updates: bytes, writer: WriterId = OTHER, n: int | None = None) -> CommittedRow:
    """Return a row of another replica."""
    entries = encode_entries([Entry(UserId("bob"), update) for update in updates])
    return CommittedRow(Sequence(seq), writer, n or seq, entries)


def commit(room: SteppedRoom, seq: int | None = None) -> list[Effect]:
    """Commit the next row of a room, at ``seq`` or at the next place of the log, and return the effects."""
    assert room.next_row() is not None
    return room.appended(Sequence(seq or room.cursor + 1))


def told(effects: Iterable[Effect], session: int) -> list[FromServer]:
    """Return the messages that these effects send to one session, in order."""
    return [effect.message for effect in effects if isinstance(effect, Send) and session in effect.sessions]


def ends(effects: Iterable[Effect]) -> dict[int, type[Exception]]:
    """Return the sessions that these effects end with an error, and the types of the errors."""
    return {each.session: type(each.error) for each in effects if isinstance(each, End) and each.error is not None}
