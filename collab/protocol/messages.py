"""The messages about one document, independent of any framing.

The room speaks only these, so it never depends on the dialect of a client. The unions are closed: after a message is
added, the type checker lists every ``match`` that lacks it.
"""

from dataclasses import dataclass
from typing import TypeAlias

from collab.ids import ClientId


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """ "This is what I have": a state vector. Asks for a SyncStep2."""

    state_vector: bytes


@dataclass(frozen=True, slots=True)
class SyncStep2:
    """ "This is what you lack": an update, the answer to a SyncStep1."""

    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """An edit, as it happens: an update that answers no SyncStep1."""

    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's ephemeral state. ``state`` is raw JSON, kept byte for byte; ``b"null"`` removes the client."""

    client: ClientId
    clock: int
    state: bytes


@dataclass(frozen=True, slots=True)
class AwarenessUpdate:
    """The states of some clients. Without entries it is the keepalive, which every client accepts silently."""

    entries: tuple[AwarenessEntry, ...]


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for every known awareness state."""


@dataclass(frozen=True, slots=True)
class Stateless:
    """A message of the application, outside the document. Hocuspocus only."""

    payload: str


# --- only from a client ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authenticate:
    """A token for one document. Hocuspocus providers from 4.0 on set ``client_version``."""

    token: str
    client_version: str | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """The client leaves one document and keeps the socket. Hocuspocus only."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to an application-level ping. This server sends none, because older providers throw on it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed frame of a type that this server does not know. It is counted and ignored."""

    type: int


# --- only from the server -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The token was accepted, with this scope."""

    can_write: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """The token was rejected. The socket stays open."""

    reason: str


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """Asks the client to send its token again."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One frame of the client, and everything before it, is committed.

    ``update`` is the update of that frame. Hocuspocus says it as SyncStatus 1. y-websocket says it by the echo of the
    update, which newer clients understand as a confirmation, and says nothing if the update is empty.
    """

    update: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused:
    """One frame of the client was not accepted and will not be saved. Hocuspocus says it as SyncStatus 0."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server ends this document on this socket. Hocuspocus only; its providers do not reconnect after it."""

    reason: str


FromClient: TypeAlias = (
    SyncStep1
    | SyncStep2
    | Update
    | AwarenessUpdate
    | QueryAwareness
    | Stateless
    | Authenticate
    | Leave
    | Pong
    | Unknown
)

FromServer: TypeAlias = (
    SyncStep1
    | SyncStep2
    | Update
    | AwarenessUpdate
    | Stateless
    | Authenticated
    | Denied
    | TokenWanted
    | Saved
    | Refused
    | Closed
)

GONE = b"null"
KEEPALIVE = AwarenessUpdate(())
EMPTY_UPDATE = b"\x00\x00"
