"""Every error that the project raises on purpose: whose fault it is, what the peer is told, what it ends.

::

    CollabError
    ├── PeerError                     the peer's fault; the same request fails again
    │   ├── ProtocolError
    │   │   └── TextFrame
    │   ├── UpdateRefused
    │   │   └── DocumentFull
    │   ├── InvalidName
    │   ├── InvalidRequest
    │   ├── NotAuthenticated          named as PyJWT names them
    │   │   ├── TokenMissing
    │   │   ├── TokenMalformed
    │   │   ├── TokenSignatureInvalid
    │   │   ├── TokenKeyUnknown
    │   │   ├── TokenIssuerInvalid
    │   │   ├── TokenAudienceInvalid
    │   │   ├── TokenImmature
    │   │   ├── TokenExpired
    │   │   ├── LinkInvalid
    │   │   ├── LinkExpired
    │   │   └── LinkPasswordWrong
    │   ├── SignInFailed
    │   ├── PermissionDenied
    │   ├── DocumentNotFound
    │   ├── MemberNotFound
    │   ├── LinkNotFound
    │   ├── DocumentExists
    │   ├── DocumentDeleted           ends the room
    │   │   └── DocumentInBin
    │   ├── TooLarge
    │   ├── BodyTimeout
    │   ├── Conflict
    │   │   ├── LastOwner
    │   │   ├── SharingFull
    │   │   └── HasAccess
    │   └── TooSlow                   may come back
    └── TransientError                not the peer's fault; it passes, and the peer should try again
        ├── Draining                  ends the room
        ├── Overloaded
        ├── SessionExpired
        ├── KeysUnavailable
        ├── ProviderUnavailable
        ├── MissingDependencies
        ├── RoomClosed                ends the room
        │   └── DocumentPoisoned
        ├── StoreUnavailable
        └── RelayUnavailable

The class attributes answer what the server has to decide, so that it never asks for the class itself. Slugs are public:
clients compare them, so they stay. A broken invariant is an ``assert``: it closes the room it happened in, never the
server. Two tables map these classes to the outside: ``api/close_codes.py`` to close codes, ``api/problems.py`` to HTTP
statuses.
"""

from enum import Enum
from typing import ClassVar


class Fault(Enum):
    """The side that has to change something."""

    PEER = "peer"
    SERVER = "server"


class CollabError(Exception):
    """The base of all errors. ``str(error)`` is a text that may be shown to the peer."""

    slug: ClassVar[str] = "error"
    """The stable name, for programs."""
    sentence: ClassVar[str] = "Something went wrong."
    """The text for people, where the error is raised without one of its own."""
    fault: ClassVar[Fault] = Fault.SERVER
    retryable: ClassVar[bool] = False
    """True if the same request may succeed later, so that the peer should come back."""
    ends_room: ClassVar[bool] = False
    """True if no session of the document can go on, not only the one in which it happened."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.sentence)

    @property
    def reason(self) -> str:
        """The reason in a close frame or a denial: ``slug: sentence``, for programs and for people."""
        return f"{self.slug}: {self}"


# --- the peer's fault -------------------------------------------------------------------------------


class PeerError(CollabError):
    """A request that cannot be met as it stands."""

    slug = "refused"
    sentence = "The server cannot do what was asked."
    fault = Fault.PEER


class ProtocolError(PeerError):
    """Bytes that are not a message."""

    slug = "protocol-error"
    sentence = "This is not a valid message of the protocol."


class TextFrame(ProtocolError):
    """A WebSocket text frame: every message is binary."""

    sentence = "This server accepts only binary WebSocket messages."


class UpdateRefused(PeerError):
    """An update that is harmful or too large."""

    slug = "update-refused"
    sentence = "The update was refused as harmful or too large."


class DocumentFull(UpdateRefused):
    """An update that would make a document larger than it may be."""

    slug = "document-full"
    sentence = "The document has reached its size limit. Copy what you wrote last, reload, and delete something."


class InvalidName(PeerError):
    """A document name that breaks the rules of ``ids``."""

    slug = "invalid-name"
    sentence = "The document name is not allowed."


class InvalidRequest(PeerError):
    """A wrong argument: of a REST call, on the command line or in the settings."""

    slug = "invalid-request"
    sentence = "The request is not valid."


class NotAuthenticated(PeerError):
    """No good token. The subclasses say why."""

    slug = "not-authenticated"
    sentence = "The token is missing, invalid or expired."


class TokenMissing(NotAuthenticated):
    """No token at all."""

    slug = "token-missing"
    sentence = "A token is required."


class TokenMalformed(NotAuthenticated):
    """A token that is not a signed JWT, or one with a missing or wrong claim."""

    slug = "token-malformed"
    sentence = "The token is not a valid JSON Web Token."


class TokenSignatureInvalid(NotAuthenticated):
    """A token that no accepted key has signed."""

    slug = "token-forged"
    sentence = "The token's signature does not match."


class TokenKeyUnknown(NotAuthenticated):
    """A token that names a key that is not known here, or not yet."""

    slug = "token-key-unknown"
    sentence = "The token is signed with a key that this server does not know."


class TokenIssuerInvalid(NotAuthenticated):
    """A token of an issuer that is not accepted, signed with a key that is."""

    slug = "token-issuer"
    sentence = "The token comes from an issuer that this server does not accept."


class TokenAudienceInvalid(NotAuthenticated):
    """A token for another audience."""

    slug = "token-audience"
    sentence = "The token is for another audience."


class TokenImmature(NotAuthenticated):
    """A token that becomes valid in the future."""

    slug = "token-not-yet-valid"
    sentence = "The token is not valid yet. Compare the clocks of its issuer and of this server."


class TokenExpired(NotAuthenticated):
    """A token that was good and has ended."""

    slug = "token-expired"
    sentence = "The token has expired. Sign in again."


class LinkInvalid(NotAuthenticated):
    """A secret of no link: it was revoked, or never existed."""

    slug = "link-invalid"
    sentence = "This link does not exist or was revoked. Ask for a new one."


class LinkExpired(NotAuthenticated):
    """A link that was good and has ended."""

    slug = "link-expired"
    sentence = "This link has expired. Ask for a new one."


class LinkPasswordWrong(NotAuthenticated):
    """A link with a password that was not given, or not rightly."""

    slug = "link-password"
    sentence = "This link needs a password, and this is not it."


class SignInFailed(PeerError):
    """A sign-in at an OpenID provider that came back without an identity that we can trust."""

    slug = "sign-in-failed"
    sentence = "The sign-in did not work. Start it again."


class PermissionDenied(PeerError):
    """A request that the role on the document does not allow."""

    slug = "permission-denied"
    sentence = "Your role does not allow this."


class DocumentNotFound(PeerError):
    """A document that does not exist and that the request does not create."""

    slug = "document-not-found"
    sentence = "This document does not exist."


class MemberNotFound(PeerError):
    """A user who is not a member of the document."""

    slug = "member-not-found"
    sentence = "This user is not a member of the document."


class LinkNotFound(PeerError):
    """A link that the document does not have."""

    slug = "link-not-found"
    sentence = "The document has no such link."


class DocumentExists(PeerError):
    """A document that was created before under the same name."""

    slug = "document-exists"
    sentence = "A document with this name already exists."


class DocumentDeleted(PeerError):
    """A document in the bin, or one that was purged."""

    slug = "document-deleted"
    sentence = "The document was deleted."
    ends_room = True


class DocumentInBin(DocumentDeleted):
    """A document in the bin, for a caller who may see it there."""

    sentence = "The document is in the bin. Its owner can restore it, or delete it for good."


class TooLarge(PeerError):
    """A body or a message that is larger than its bound."""

    slug = "too-large"
    sentence = "This is larger than the server accepts."


class BodyTimeout(PeerError):
    """A request body that does not end in time."""

    slug = "body-overdue"
    sentence = "The request body did not arrive in time."


class Conflict(PeerError):
    """A request that depends on something that is not here, or no longer."""

    slug = "conflict"
    sentence = "The request depends on something that this server does not have."


class LastOwner(Conflict):
    """A change that would leave a document without an owner among its members."""

    slug = "last-owner"
    sentence = "This is the last owner of the document. Make another member an owner first."


class SharingFull(Conflict):
    """A document with as many members, links or requests as it may have."""

    slug = "sharing-full"
    sentence = "The document has as many of these as it may have. Remove one first."


class HasAccess(Conflict):
    """A request for access to a document that the user may read already."""

    slug = "has-access"
    sentence = "You have access to this document already."


class TooSlow(PeerError):
    """A client that does not read what it is sent."""

    slug = "too-slow"
    sentence = "This client reads too slowly. Reconnect."
    retryable = True


# --- not the peer's fault ---------------------------------------------------------------------------


class TransientError(CollabError):
    """A failure that passes."""

    slug = "unavailable"
    sentence = "The server cannot do this right now. Try again in a moment."
    retryable = True


class Draining(TransientError):
    """The end of this replica."""

    slug = "draining"
    sentence = "This server is shutting down. Reconnect."
    ends_room = True


class Overloaded(TransientError):
    """A bound that was reached."""

    slug = "overloaded"
    sentence = "The server is overloaded. Try again in a moment."


class SessionExpired(TransientError):
    """A live session whose token has ended. A fresh token is welcome, so this passes where TokenExpired does not."""

    slug = TokenExpired.slug
    sentence = "The token has expired. Reconnect with a new one."


class KeysUnavailable(TransientError):
    """Published keys that cannot be read, so that a token can be neither accepted nor refused."""

    slug = "keys-unavailable"
    sentence = "The keys that verify tokens cannot be read right now. Try again in a moment."


class ProviderUnavailable(TransientError):
    """An OpenID provider that does not answer, so that people cannot sign in there."""

    slug = "provider-unavailable"
    sentence = "The sign-in service does not answer. Try again in a moment."


class RoomClosed(TransientError):
    """A room that must be loaded again: it failed, or the log went on without it."""

    slug = "room-closed"
    sentence = "The document is being loaded again. Reconnect."
    ends_room = True


class DocumentPoisoned(RoomClosed):
    """A document whose content in memory, or in the database, cannot be trusted any more."""


class MissingDependencies(TransientError):
    """Edits that waited too long for the edits they depend on. The client has to send all that it has."""

    slug = RoomClosed.slug
    sentence = "Some of your edits depend on others that never arrived. Reconnect to send them all again."


class StoreUnavailable(TransientError):
    """A database that does not answer."""

    slug = "store-unavailable"
    sentence = "The database does not answer. Try again in a moment."


class RelayUnavailable(TransientError):
    """A Redis that does not answer."""

    slug = "relay-unavailable"
    sentence = "The relay between replicas does not answer. Try again in a moment."
