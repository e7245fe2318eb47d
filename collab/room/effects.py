"""What a room wants done. ``serve/host.py`` performs a list of effects in order, and nothing else.

The order matters: an acknowledgement comes after what it acknowledges.
"""

from typing import TypeAlias

from collab.errors import CollabError
from collab.ids import SessionId
from collab.protocol.messages import FromServer
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow
from collab.record import record


@record
class Send:
    """Send ``message`` to these sessions of this replica."""

    sessions: tuple[SessionId, ...]
    message: FromServer


@record
class EndWindowAt:
    """Tell the room ``WindowEnded`` at this time. It asks once for each window in which something waits."""

    at_s: float


@record
class Queued:
    """One more update waits for the log; it occupies ``size`` bytes of memory until it is committed."""

    size: int


@record
class Committed:
    """Updates that occupied ``size`` bytes are committed."""

    size: int


@record
class Publish:
    """Tell the other replicas of a committed row."""

    row: CommittedRow


@record
class PublishPresence:
    """Tell the other replicas about clients connected to this one."""

    entries: tuple[PresenceEntry, ...]


@record
class Retitled:
    """The document has this title now, and lists should show it."""

    title: str


@record
class CatchUp:
    """Rows after the cursor are missing: read them from the store."""


@record
class Again:
    """Updates wait for their turn: tell the room ``Continued`` once others have been served."""


@record
class End:
    """A session is over and the room has forgotten it. With an ``error`` the room ended it, for this reason."""

    session: SessionId
    error: CollabError | None = None


@record
class Fail:
    """The room cannot continue: end every session for this reason, drop what is not committed, forget the room."""

    error: CollabError


Effect: TypeAlias = (
    Send | EndWindowAt | Queued | Committed | Publish | PublishPresence | Retitled | CatchUp | Again | End | Fail
)
