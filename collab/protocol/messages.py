"""The closed set of things that can be said about one document, free of any framing.

It stands between the dialects (bytes of y-websocket, bytes of Hocuspocus) and the room, which so never
learns what kind of client it talks to. Adding a message makes the type checker list every ``match`` that
must know it.
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
    """An update that nobody asked for: an edit."""

    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's ephemeral state. ``state`` is raw JSON, kept byte for byte; ``b"null"`` means gone."""

    client: ClientId
    clock: int
    state: bytes


@dataclass(frozen=True, slots=True)
class AwarenessUpdate:
    """States of some clients. With no entries it is the keepalive that every client accepts silently."""

    entries: tuple[AwarenessEntry, ...]


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for every awareness state known."""


@dataclass(frozen=True, slots=True)
class Stateless:
    """An application's own message beside the document. Hocuspocus only."""

    payload: str


# --- only from a client ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authenticate:
    """A token for one document. ``client_version`` is set by Hocuspocus providers from 4.0 on."""

    token: str
    client_version: str | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """The client detaches from one document and keeps the socket. Hocuspocus only."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping that we do not send to clients that would not know it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-framed message of a type this server does not know; ignored and counted."""

    type: int


# --- only from the server -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The token was good; ``can_write`` tells the scope."""

    can_write: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """The token was not good enough; the socket stays open."""

    reason: str


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """Asks the client to send its token again."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One frame of the client, and everything before it, is committed.

    ``update``: the frame's own bytes. Hocuspocus says it as SyncStatus 1; y-websocket as the echo of the
    update (newer clients take their own content coming back as confirmation), and not at all when empty.
    """

    update: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused:
    """One frame of the client was not accepted and will not be saved. Hocuspocus: SyncStatus 0."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server ends this document on this socket. Hocuspocus only; its providers do not come back."""

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
EMPTY_STATE_VECTOR = b"\x00"
