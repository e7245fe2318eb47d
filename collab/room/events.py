"""What can happen to a room: the closed set of events that ``Room.step`` takes.

Adding an event makes the type checker list every ``match`` that must know it.
"""

from collections.abc import Iterable
from typing import TypeAlias

from collab.ids import Epoch, Sequence, SessionId, WriterId
from collab.protocol.messages import AwarenessUpdate, QueryAwareness, Stateless, SyncStep1, SyncStep2, Update
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow
from collab.record import record
from collab.room.session import Session

RoomMessage: TypeAlias = SyncStep1 | SyncStep2 | Update | AwarenessUpdate | QueryAwareness | Stateless
"""A message for a room. The rest of the protocol is between the socket and its connection."""


@record
class Joined:
    """A session begins.

    With ``resumes`` it continues an earlier one on the same socket, whose client will not send another SyncStep1: it
    is sent the whole document and asked for its own.
    """

    session: Session
    resumes: bool = False


@record
class Said:
    """A session sends a message."""

    session: SessionId
    message: RoomMessage


@record
class Left:
    """A session ends. ``clean`` if its client said so; then its presence goes at once."""

    session: SessionId
    clean: bool


@record
class Dismissed:
    """The server ends a session and keeps its socket, so the session still gets the answers it waits for."""

    session: SessionId
    clean: bool


@record
class RoleChanged:
    """A session continues with another role or under another name, which also count for its pending updates."""

    session: SessionId
    can_write: bool
    name: str


@record
class RowCommitted:
    """The row handed out last is committed as row ``seq`` of the log."""

    seq: Sequence


@record
class RowRelayed:
    """Another replica says that it has committed a row."""

    row: CommittedRow
    epoch: Epoch


@record
class RowsRead:
    """Rows were read from the store, asked for while the cursor was at ``after``."""

    rows: Iterable[CommittedRow]
    after: Sequence


@record
class HeadRead:
    """The store says where the log ends, asked while the cursor was at ``after``."""

    seq: Sequence
    epoch: Epoch
    deleted: bool
    after: Sequence


@record
class PresenceRelayed:
    """Another replica tells of the clients connected to it. With ``is_query`` it asks for ours as well."""

    replica: WriterId
    entries: tuple[PresenceEntry, ...]
    is_query: bool = False


@record
class ReplicaLost:
    """Another replica is gone, and with it the clients connected to it."""

    replica: WriterId


@record
class Congested:
    """A session's client does not take what it is sent, so that it begins to wait in memory."""

    session: SessionId


@record
class FellBehind:
    """Of what a session was sent, more waits in memory than may: ``waiting_bytes``. It may be told repeatedly."""

    session: SessionId
    waiting_bytes: int


@record
class Drained:
    """A session's client has taken what it was sent."""

    session: SessionId


@record
class WindowEnded:
    """The time that the room asked for with ``EndWindowAt`` has come."""


@record
class Continued:
    """Others have been served: it is the turn of the updates for which the room asked with ``Again``."""


@record
class Ticked:
    """Time has passed."""


Event: TypeAlias = (
    Joined
    | Said
    | Left
    | Dismissed
    | RoleChanged
    | RowCommitted
    | RowRelayed
    | RowsRead
    | HeadRead
    | PresenceRelayed
    | ReplicaLost
    | Congested
    | FellBehind
    | Drained
    | WindowEnded
    | Continued
    | Ticked
)
