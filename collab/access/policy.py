"""The one function that decides, on every message and every request, and the two ways of insisting.

Nothing else compares roles or reads grants: whoever wants to know what somebody may do asks here, so a
share link or a member list that comes later changes one place.
"""

from collab.access.grants import matches, seek
from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName


def role(principal: Principal, document: DocumentName) -> Role | None:
    """The strongest role that any grant gives on ``document``; None when none speaks of it.

    Says nothing about time: whether the principal's token still holds is ``principal.is_expired``.
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
    """The role, which may read. Raises PermissionDenied.

    The sentence is the same whether the document exists or not: it must not tell.
    """
    granted = role(principal, document)
    if granted is None or not granted.can_read:
        raise PermissionDenied("You have no access to this document.")
    return granted


def require_write(principal: Principal, document: DocumentName) -> Role:
    """The role, which may write. Raises PermissionDenied."""
    granted = require_read(principal, document)
    if not granted.can_write:
        raise PermissionDenied(f"You are {granted.word} of this document; changing it takes an editor.")
    return granted


def require_manage(principal: Principal, document: DocumentName) -> Role:
    """The role, which may delete, restore and share. Raises PermissionDenied."""
    granted = require_read(principal, document)
    if not granted.can_manage:
        raise PermissionDenied(f"You are {granted.word} of this document; this takes its owner.")
    return granted
