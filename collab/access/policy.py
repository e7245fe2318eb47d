"""The decision what a principal may do with a document, taken on every message and every request.

Nothing else compares roles or reads grants, members and links.
"""

from collab.access.grants import matches
from collab.access.roles import Role
from collab.access.sharing import NOT_SHARED, Sharing
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName


def role(principal: Principal, document: DocumentName, sharing: Sharing = NOT_SHARED) -> Role | None:
    """Return the strongest role that a grant, a membership or a link gives on ``document``, or None.

    ``sharing``: what the lists of this document say. A guest has the role of the link, whatever the members' list says.
    The time is not looked at: ``principal.is_expired`` says if the token or the link has ended.
    """
    return max((each for each in _roles(principal, document, sharing).values() if each is not None), default=None)


def reasons(principal: Principal, document: DocumentName, sharing: Sharing) -> list[str]:
    """Return what gives the role that ``role`` returns: ``token``, ``member`` or ``link``, or two of them."""
    strongest = role(principal, document, sharing)
    each = _roles(principal, document, sharing).items()
    return [reason for reason, given in each if given is not None and given == strongest]


def _roles(principal: Principal, document: DocumentName, sharing: Sharing) -> dict[str, Role | None]:
    matching = (granted for pattern, granted in principal.grants.items() if matches(pattern, document))
    token = max(matching, default=None)
    if principal.link is not None:
        return {"token": token, "link": sharing.links.get(principal.link)}
    return {"token": token, "member": sharing.members.get(principal.user)}


def can_read(principal: Principal, document: DocumentName) -> bool:
    """Return True if some grant lets the principal read ``document``."""
    granted = role(principal, document)
    return granted is not None and granted.can_read


def patterns(principal: Principal, at_least: Role) -> frozenset[str]:
    """Return the patterns of the grants that give this role or a stronger one: what a list may show."""
    return frozenset(pattern for pattern, granted in principal.grants.items() if granted >= at_least)


def require(held: Role | None, needed: Role) -> Role:
    """Return the role that is ``held``. Raises PermissionDenied if it allows less than ``needed``.

    The text is the same for a document that does not exist: it must not tell which exist.
    """
    if held is None:
        raise PermissionDenied("You have no access to this document.")
    if held < needed:
        raise PermissionDenied(f"Your role is {held.word}. {_NEEDED[needed]}")
    return held


_NEEDED = {
    Role.COMMENTER: "Only commenters can do this.",
    Role.EDITOR: "Only editors can change this document.",
    Role.OWNER: "Only owners can do this.",
}
