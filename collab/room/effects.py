"""What a room wants done. The host performs a list of them in order, and nothing else.

Order is meaning: an acknowledgement stands behind what it acknowledges.
"""

from dataclasses import dataclass
from typing import TypeAlias

from collab.errors import CollabError
from collab.ids import SessionId
from collab.protocol.messages import FromServer
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow


@dataclass(frozen=True, slots=True)
class Send:
    """Say ``message`` to these sessions of this replica."""

    sessions: tuple[SessionId, ...]
    message: FromServer


@dataclass(frozen=True, slots=True)
class Append:
    """``size`` more bytes wait for the log: ask ``Room.next_row`` for them with the next transaction."""

    size: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the other replicas of a committed row."""

    row: CommittedRow


@dataclass(frozen=True, slots=True)
class PublishPresence:
    """Tell the other replicas who is here; with ``wanted``, ask them for their own people."""

    entries: tuple[PresenceEntry, ...]
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Rows behind the cursor are missing: read them from the store and hand them to ``Room.receive_rows``."""


@dataclass(frozen=True, slots=True)
class End:
    """End one session for this reason; the room has already forgotten it."""

    session: SessionId
    error: CollabError


@dataclass(frozen=True, slots=True)
class Fail:
    """The room cannot go on: end every session for this reason, drop what is not committed, forget the room."""

    error: CollabError


Effect: TypeAlias = Send | Append | Publish | PublishPresence | CatchUp | End | Fail
