"""What can happen to a room: the closed set of events that ``Room.step`` takes.

Adding an event makes the type checker list every ``match`` that must know it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from collab.ids import Epoch, Sequence, SessionId, WriterId
from collab.protocol.messages import AwarenessUpdate, QueryAwareness, Stateless, SyncStep1, SyncStep2, Update
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow
from collab.room.session import Session

RoomMessage: TypeAlias = SyncStep1 | SyncStep2 | Update | AwarenessUpdate | QueryAwareness | Stateless
"""A message for a room. The rest of the protocol is between the socket and its connection."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A session begins.

    With ``resumes`` it continues an earlier one on the same socket, whose client will not send another SyncStep1: it
    is sent the whole document and asked for its own.
    """

    session: Session
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A session sends a message."""

    session: SessionId
    message: RoomMessage


@dataclass(frozen=True, slots=True)
class Left:
    """A session ends. ``clean`` if its client said so; then its presence goes at once."""

    session: SessionId
    clean: bool


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The server ends a session and keeps its socket, so the session still gets the answers it waits for."""

    session: SessionId
    clean: bool


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """A session continues with another role or under another name, which also count for its pending updates."""

    session: SessionId
    can_write: bool
    name: str


@dataclass(frozen=True, slots=True)
class RowWanted:
    """The log is ready for the room's next row."""


@dataclass(frozen=True, slots=True)
class RowCommitted:
    """The row handed out last is committed as row ``seq`` of the log."""

    seq: Sequence


@dataclass(frozen=True, slots=True)
class RowRelayed:
    """Another replica says that it has committed a row."""

    row: CommittedRow
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows were read from the store, asked for while the cursor was at ``after``."""

    rows: Iterable[CommittedRow]
    after: Sequence


@dataclass(frozen=True, slots=True)
class HeadRead:
    """The store says where the log ends, asked while the cursor was at ``after``."""

    seq: Sequence
    epoch: Epoch
    deleted: bool
    after: Sequence


@dataclass(frozen=True, slots=True)
class PresenceRelayed:
    """Another replica tells of the clients connected to it. With ``is_query`` it asks for ours as well."""

    replica: WriterId
    entries: tuple[PresenceEntry, ...]
    is_query: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaLost:
    """Another replica is gone, and with it the clients connected to it."""

    replica: WriterId


@dataclass(frozen=True, slots=True)
class WindowEnded:
    """The time that the room asked for with ``EndWindowAt`` has come."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Others have been served: it is the turn of the updates for which the room asked with ``Again``."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


Event: TypeAlias = (
    Joined
    | Said
    | Left
    | Dismissed
    | RoleChanged
    | RowWanted
    | RowCommitted
    | RowRelayed
    | RowsRead
    | HeadRead
    | PresenceRelayed
    | ReplicaLost
    | WindowEnded
    | Continued
    | Ticked
)
