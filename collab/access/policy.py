"""The decision what a principal may do with a document, taken on every message and every request.

Nothing else compares roles or reads grants, so that share links or member lists, when they come, change one place.
"""

from collab.access.grants import matches, seek
from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName


def role(principal: Principal, document: DocumentName) -> Role | None:
    """Return the strongest role that any grant gives on ``document``, or None if no grant is for it.

    The time is not looked at: ``principal.is_expired`` says if the token has ended.
    """
    return max((granted for pattern, granted in principal.grants.items() if matches(pattern, document)), default=None)


def can_read(principal: Principal, document: DocumentName) -> bool:
    """Return True if some grant lets the principal read ``document``."""
    granted = role(principal, document)
    return granted is not None and granted.can_read


def seek_readable(principal: Principal, after: str) -> str | None:
    """Return a position at or behind ``after`` in a list of names that skips none the principal may read.

    None: there is nothing to read behind ``after``. A list that starts there does not even look at names that no grant
    speaks of, so its pages do not tell how many there are.
    """
    starts = (seek(pattern, after) for pattern, granted in principal.grants.items() if granted.can_read)
    return min((start for start in starts if start is not None), default=None)


def require_read(principal: Principal, document: DocumentName) -> Role:
    """Return the role. Raises PermissionDenied unless it may read.

    The text is the same for a document that does not exist: it must not tell which exist.
    """
    granted = role(principal, document)
    if granted is None or not granted.can_read:
        raise PermissionDenied("You have no access to this document.")
    return granted


def require_write(principal: Principal, document: DocumentName) -> Role:
    """Return the role. Raises PermissionDenied unless it may write."""
    granted = require_read(principal, document)
    if not granted.can_write:
        raise PermissionDenied(f"Your role is {granted.word}. Only editors can change this document.")
    return granted


def require_manage(principal: Principal, document: DocumentName) -> Role:
    """Return the role. Raises PermissionDenied unless it may delete, restore and share."""
    granted = require_read(principal, document)
    if not granted.can_manage:
        raise PermissionDenied(f"Your role is {granted.word}. Only owners can do this.")
    return granted
