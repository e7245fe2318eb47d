"""The one table of WebSocket close codes: from an error to its code, and from a peer's code to its meaning.

y-websocket 3.1 never comes back after a code from 4400 to 4499, so these are for what stays wrong. Every other code
means: come back.
"""

from enum import IntEnum
from typing import Literal

from collab import errors
from collab.errors import CollabError
from collab.serve.connection_stats import Ending


class CloseCode(IntEnum):
    """The codes that have a meaning here. Their numbers are labels of the metrics, so none is ever reused."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_CODE = 1005
    """Never sent: a close frame without a code, which is what ``close()`` sends in a browser."""
    NO_CLOSE_FRAME = 1006
    """Never sent: the connection was lost."""
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013

    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    DELETED = 4410
    REFUSED = 4422

    SESSION_EXPIRED = 4501
    STORE_UNAVAILABLE = 4503
    QUARANTINED = 4523
    """Reserved: nothing is quarantined yet."""
    RATE_LIMITED = 4529
    """Reserved: no rate is limited yet."""


BY_ERROR: dict[type[CollabError], CloseCode] = {
    errors.NotAuthenticated: CloseCode.NOT_AUTHENTICATED,
    errors.PermissionDenied: CloseCode.FORBIDDEN,
    errors.InvalidName: CloseCode.NOT_FOUND,
    errors.DocumentNotFound: CloseCode.NOT_FOUND,
    errors.DocumentDeleted: CloseCode.DELETED,
    errors.UpdateRefused: CloseCode.REFUSED,
    errors.PeerError: CloseCode.REFUSED,
    errors.TextFrame: CloseCode.UNSUPPORTED_DATA,
    errors.TooSlow: CloseCode.TRY_AGAIN_LATER,
    errors.SessionExpired: CloseCode.SESSION_EXPIRED,
    errors.Draining: CloseCode.SERVICE_RESTART,
    errors.RoomClosed: CloseCode.SERVICE_RESTART,
    errors.MissingDependencies: CloseCode.SERVICE_RESTART,
    errors.StoreUnavailable: CloseCode.STORE_UNAVAILABLE,
    errors.RelayUnavailable: CloseCode.STORE_UNAVAILABLE,
    errors.TransientError: CloseCode.TRY_AGAIN_LATER,
}

_LEFT = frozenset({CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_CODE})
_KNOWN = frozenset(CloseCode)


def close_code(error: CollabError | None) -> CloseCode:
    """Return the code of the error's own class, or else of the nearest class above. NORMAL for no error."""
    if error is None:
        return CloseCode.NORMAL
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def close_code_label(code: int) -> str:
    """Return the code as a label of the metrics. All codes that a client may make up are one label, "other"."""
    return str(int(code)) if code in _KNOWN else "other"


def ending(code: int, by: Literal["peer", "server"], reason: str) -> Ending:
    """Return the end of a connection as the log and the metrics tell it."""
    return Ending(int(code), close_code_label(code), by, reason)


def closed_for(error: CollabError | None) -> Ending:
    """Return the end of a connection that the server closes for ``error``."""
    return ending(close_code(error), "server", "" if error is None else error.slug)


def closed_by_peer(code: int) -> Ending:
    """Return the end of a connection that the peer closed with ``code``, or lost."""
    if code in _LEFT:
        return ending(code, "peer", "left")
    return ending(code, "peer", "lost" if code == CloseCode.NO_CLOSE_FRAME else "closed")


LOST = closed_by_peer(CloseCode.NO_CLOSE_FRAME)
CANCELLED = ending(CloseCode.NO_CLOSE_FRAME, "server", "cancelled")
