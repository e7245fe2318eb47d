"""The messages about one document, independent of any framing.

The room speaks only these, so it never depends on the dialect of a client. The unions are closed: after a message is
added, the type checker lists every ``match`` that lacks it.
"""

from typing import TypeAlias

from collab.ids import ClientId
from collab.record import record


@record
class SyncStep1:
    """ "This is what I have": a state vector. Asks for a SyncStep2."""

    state_vector: bytes


@record
class SyncStep2:
    """ "This is what you lack": an update, the answer to a SyncStep1."""

    update: bytes


@record
class Update:
    """An edit, as it happens: an update that answers no SyncStep1."""

    update: bytes


@record
class AwarenessEntry:
    """One client's ephemeral state. ``state`` is raw JSON, kept byte for byte; ``b"null"`` removes the client."""

    client: ClientId
    clock: int
    state: bytes


@record
class AwarenessUpdate:
    """The states of some clients. Without entries it is the keepalive, which every client accepts silently."""

    entries: tuple[AwarenessEntry, ...]


@record
class QueryAwareness:
    """Asks for every known awareness state."""


@record
class Stateless:
    """A message of the application, outside the document. Hocuspocus only."""

    payload: str


# --- only from a client ---------------------------------------------------------------------------


@record
class Authenticate:
    """A token for one document. Hocuspocus providers from 4.0 on set ``client_version``."""

    token: str
    client_version: str | None = None


@record
class Leave:
    """The client leaves one document and keeps the socket. Hocuspocus only."""


@record
class Pong:
    """The answer to an application-level ping. This server sends none, because older providers throw on it."""


@record
class Unknown:
    """A well-formed frame of a type that this server does not know. It is counted and ignored."""

    type: int


# --- only from the server -------------------------------------------------------------------------


@record
class Authenticated:
    """The token was accepted, with this scope."""

    can_write: bool


@record
class Denied:
    """The token was rejected. The socket stays open."""

    reason: str


@record
class TokenWanted:
    """Asks the client to send its token again."""


@record
class Saved:
    """One frame of the client, and everything before it, is committed.

    ``update`` is the update of that frame. Hocuspocus says it as SyncStatus 1. y-websocket says it by the echo of the
    update, which newer clients understand as a confirmation, and says nothing if the update is empty.
    """

    update: bytes = b""


@record
class Refused:
    """One frame of the client was not accepted and will not be saved. Hocuspocus says it as SyncStatus 0."""


@record
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
