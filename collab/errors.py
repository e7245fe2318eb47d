"""Every error the project raises on purpose: whose fault, what the peer is told, whether to retry.

::

    CollabError
    ├── PeerError               the peer's fault; the same thing again will fail again
    │   ├── ProtocolError           bytes that are no message
    │   ├── UpdateRefused           an update that is harmful or too large
    │   ├── InvalidName             a document name that breaks the rules of ``ids``
    │   ├── InvalidRequest          a REST or command line argument that makes no sense
    │   ├── NotAuthenticated        no token that is good; these tell how:
    │   │   ├── TokenMissing            there is none
    │   │   ├── TokenMalformed          it is no signed JWT, or one of its claims is missing or wrong
    │   │   ├── TokenSignatureInvalid             no key of ours has signed it
    │   │   ├── TokenKeyUnknown         it names a key that is not (yet) known here
    │   │   ├── TokenIssuerInvalid            it was issued by somebody else, under a key that is ours too
    │   │   ├── TokenAudienceInvalid          it is for another audience
    │   │   ├── TokenImmature              it is not valid yet
    │   │   └── TokenExpired            it was good, and its time is over
    │   ├── PermissionDenied        the role does not allow it
    │   ├── DocumentNotFound        no such document, and none may be created
    │   ├── DocumentExists          created twice
    │   ├── DocumentDeleted         in the bin
    │   ├── TooLarge                a body or a message beyond its bound
    │   ├── BodyTimeout             a body that does not come to its end
    │   ├── Conflict                builds on something that is not here (any more)
    │   └── TooSlow                 does not read what it is sent
    └── TransientError            ours, and it passes; the peer should try again
        ├── Draining                this replica shuts down
        ├── Overloaded              a bound was reached
        ├── SessionExpired             the token of a live connection expired; a fresh one is welcome
        ├── KeysUnavailable         the keys of those who issue tokens cannot be read
        ├── RoomClosed              the room must be loaded anew (poisoned, or the log moved on without it)
        ├── StoreUnavailable        the database does not answer
        └── RelayUnavailable        Redis does not answer

A broken invariant is an ``assert``: it closes the room it happened in, never the server. Two tables
map these classes outwards and are the only ones: ``api/sockets.py`` to close codes, ``api/problems.py``
to HTTP statuses.
"""


class CollabError(Exception):
    """Base of all. ``str(error)`` is one sentence that may be shown to the peer."""

    slug = "error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])

    @property
    def reason(self) -> str:
        """What a WebSocket client is told: ``slug: sentence``, for programs and for people."""
        return f"{self.slug}: {self}"


class PeerError(CollabError):
    """The request cannot be met as it stands."""

    slug = "refused"


class ProtocolError(PeerError):
    """The bytes are not a message of this protocol."""

    slug = "protocol-error"


class UpdateRefused(PeerError):
    """The update was refused as harmful or too large."""

    slug = "update-refused"


class InvalidName(PeerError):
    """The document name is not allowed."""

    slug = "invalid-name"


class InvalidRequest(PeerError):
    """The request makes no sense."""

    slug = "invalid-request"


class NotAuthenticated(PeerError):
    """The token is missing, bad or expired."""

    slug = "not-authenticated"


class TokenMissing(NotAuthenticated):
    """A token is needed."""

    slug = "token-missing"


class TokenMalformed(NotAuthenticated):
    """The token is no JSON Web Token."""

    slug = "token-malformed"


class TokenSignatureInvalid(NotAuthenticated):
    """The token's signature does not match."""

    slug = "token-forged"


class TokenKeyUnknown(NotAuthenticated):
    """The token is signed with a key that this server does not know."""

    slug = "token-key-unknown"


class TokenIssuerInvalid(NotAuthenticated):
    """The token was issued by somebody whose tokens do not count here."""

    slug = "token-issuer"


class TokenAudienceInvalid(NotAuthenticated):
    """The token is for another audience."""

    slug = "token-audience"


class TokenImmature(NotAuthenticated):
    """The token is not valid yet; compare the clocks of its issuer and of this server."""

    slug = "token-not-yet-valid"


class TokenExpired(NotAuthenticated):
    """The token has expired; sign in anew."""

    slug = "token-expired"


class PermissionDenied(PeerError):
    """Your role does not allow this."""

    slug = "permission-denied"


class DocumentNotFound(PeerError):
    """There is no such document."""

    slug = "document-not-found"


class DocumentExists(PeerError):
    """A document of this name exists already."""

    slug = "document-exists"


class DocumentDeleted(PeerError):
    """The document was deleted."""

    slug = "document-deleted"


class TooLarge(PeerError):
    """What was sent is too large."""

    slug = "too-large"


class BodyTimeout(PeerError):
    """The body did not come in time."""

    slug = "body-overdue"


class Conflict(PeerError):
    """The request builds on something that is not here."""

    slug = "conflict"


class TooSlow(PeerError):
    """The connection does not read what it is sent."""

    slug = "too-slow"


class TransientError(CollabError):
    """Something on our side does not work right now; try again."""

    slug = "unavailable"


class Draining(TransientError):
    """This replica is shutting down; reconnect."""

    slug = "draining"


class Overloaded(TransientError):
    """The server is overloaded; try again in a moment."""

    slug = "overloaded"


class SessionExpired(TransientError):
    """The token has expired; come back with a fresh one."""

    slug = TokenExpired.slug


class KeysUnavailable(TransientError):
    """The keys that tokens are checked with cannot be read; try again in a moment."""

    slug = "keys-unavailable"


class RoomClosed(TransientError):
    """The document is being loaded anew; reconnect."""

    slug = "room-closed"


class StoreUnavailable(TransientError):
    """The database does not answer."""

    slug = "store-unavailable"


class RelayUnavailable(TransientError):
    """The relay between replicas does not answer."""

    slug = "relay-unavailable"
