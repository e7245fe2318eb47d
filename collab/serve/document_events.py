"""What can happen to one document on a Hocuspocus socket, and what can be done about it.

``DocumentSession`` takes these events and returns these actions; ``HocuspocusDocument`` performs them.
"""

from dataclasses import dataclass
from typing import TypeAlias

from collab.errors import CollabError, PeerError, PermissionDenied
from collab.protocol.messages import Authenticate, FromServer, Leave
from collab.room.events import RoomMessage
from collab.serve.permit import Permit

DocumentMessage: TypeAlias = RoomMessage | Authenticate | Leave
"""What a client says about one document."""

# --- events ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Received:
    """The client has sent a message in a frame of ``size`` bytes."""

    message: DocumentMessage
    size: int


@dataclass(frozen=True, slots=True)
class TokenAccepted:
    """The token that was checked is good for this document."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class TokenRejected:
    """The token that was checked does not open this document, or the document cannot be opened."""

    error: PeerError


@dataclass(frozen=True, slots=True)
class KeysAway:
    """The token could not be checked: the issuer's keys cannot be read now."""


@dataclass(frozen=True, slots=True)
class RoomJoined:
    """The client's session has begun."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The room has taken the message, or, if not ``heard``, the session was over before it could."""

    heard: bool


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """The token of the session has expired, and no fresh one came in time."""


@dataclass(frozen=True, slots=True)
class AccessRevoked:
    """The user of the session has no role on the document any more."""

    error: PermissionDenied


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The room has ended the session, and trying again would not help."""

    error: CollabError


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time of ``WaitForToken`` or ``WaitForKeys`` is over."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is closed. ``clean``: the client meant to close it."""

    clean: bool


Event: TypeAlias = (
    Received
    | TokenAccepted
    | TokenRejected
    | KeysAway
    | RoomJoined
    | Delivered
    | LeaseExpired
    | AccessRevoked
    | RoomEnded
    | TimedOut
    | Disconnected
)

# --- actions --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Work: find out what the token is good for. An empty one stands for the token of the handshake."""

    token: str


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Work: open the document and begin a session in it."""

    grant: TokenAccepted


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the message to the room, and step ``Delivered``."""

    message: RoomMessage


@dataclass(frozen=True, slots=True)
class WaitForKeys:
    """Work: step ``TimedOut`` when it is time to check the token again."""


Work: TypeAlias = CheckToken | JoinRoom | WaitForKeys
"""What takes a while."""


@dataclass(frozen=True, slots=True)
class WaitForToken:
    """Step ``TimedOut`` when a client without a token has had long enough to send one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Send the client a message."""

    message: FromServer


@dataclass(frozen=True, slots=True)
class Deny:
    """Tell the client why it has no session (any more)."""

    error: CollabError


@dataclass(frozen=True, slots=True)
class Renew:
    """The session now rests on this permit, and its principal's token."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """Let the session go on with another role. ``name``: the user's new name, or None to keep it."""

    can_write: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Dismiss:
    """End the session, but let the answers to its frames through. ``clean``: its user is gone from the document."""

    clean: bool


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """End the session."""

    clean: bool


Action: TypeAlias = Work | Deliver | WaitForToken | Reply | Deny | Renew | ChangeRole | Dismiss | LeaveRoom
