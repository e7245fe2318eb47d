"""How a document is shared: its members, its links, the people who ask for access, and whether it is published.

These are the lists of one document, which the database keeps; what a token grants is in ``tokens``. ``policy`` puts the
two together.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from collab.access.roles import Role
from collab.ids import DocumentName, LinkId, UserId
from collab.record import record

MEMBERS_MAX = 1000
"""Members of one document."""

LINKS_MAX = 100
"""Links to one document, expired ones included until they are revoked."""

REQUESTS_MAX = 100
"""People who wait for access to one document."""


@record
class Member:
    """A user with a role on one document."""

    user: UserId
    role: Role
    since: datetime


@record
class Link:
    """A link to one document. Everybody who has its secret, and its password if it has one, gets its role."""

    id: LinkId
    document: DocumentName
    role: Role
    created_by: UserId
    created_at: datetime
    expires_at: datetime | None
    password_hash: str | None


@record
class AccessRequest:
    """A user who asks the owners for access."""

    user: UserId
    name: str
    message: str
    asked_at: datetime


@record
class Sharing:
    """The entries of a document's lists for the users and links that were asked for.

    ``version`` grows with every change of any of the lists.
    """

    version: int
    members: Mapping[UserId, Role]
    links: Mapping[LinkId, Role]
    is_published: bool


NOT_SHARED = Sharing(0, MappingProxyType({}), MappingProxyType({}), is_published=False)
"""The sharing of a document that does not exist."""
