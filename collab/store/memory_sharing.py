"""How one document in memory is shared: the lists that ``store.sharing`` keeps in tables."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from collab.access.roles import Role
from collab.access.sharing import (
    LINKS_MAX,
    MEMBERS_MAX,
    REQUESTS_MAX,
    AccessRequest,
    Link,
    Member,
    Sharing,
)
from collab.errors import LastOwner, LinkNotFound, MemberNotFound, SharingFull
from collab.ids import LinkId, UserId


@dataclass(slots=True)
class Lists:
    """The lists of one document. A change that is refused changes nothing."""

    version: int = 0
    is_published: bool = False
    members: dict[UserId, Member] = field(default_factory=dict)
    links: dict[LinkId, Link] = field(default_factory=dict)
    digests: dict[bytes, LinkId] = field(default_factory=dict)
    requests: dict[UserId, AccessRequest] = field(default_factory=dict)

    def sharing(self, users: Collection[UserId], links: Collection[LinkId]) -> Sharing:
        return Sharing(
            self.version,
            {user: self.members[user].role for user in users if user in self.members},
            {link: self.links[link].role for link in links if link in self.links},
            is_published=self.is_published,
        )

    def put_member(self, user: UserId, role: Role, now: datetime) -> Member:
        known = self.members.get(user)
        if known is None:
            _refuse_more(self.members, MEMBERS_MAX)
        else:
            self._keep_an_owner(known, role)
        self.members[user] = member = Member(user, role, now if known is None else known.since)
        self.requests.pop(user, None)
        self.version += 1
        return member

    def remove_member(self, user: UserId) -> None:
        if (known := self.members.get(user)) is None:
            raise MemberNotFound
        self._keep_an_owner(known, None)
        del self.members[user]
        self.version += 1

    def _keep_an_owner(self, known: Member, role: Role | None) -> None:
        owners = sum(member.role is Role.OWNER for member in self.members.values())
        if known.role is Role.OWNER and role is not Role.OWNER and owners == 1:
            raise LastOwner

    def add_link(self, link: Link, secret_digest: bytes) -> None:
        _refuse_more(self.links, LINKS_MAX)
        self.links[link.id] = link
        self.digests[secret_digest] = link.id
        self.version += 1

    def remove_link(self, link: LinkId) -> None:
        if self.links.pop(link, None) is None:
            raise LinkNotFound
        self.version += 1

    def find_link(self, secret_digest: bytes) -> Link | None:
        known = self.digests.get(secret_digest)
        return None if known is None else self.links.get(known)

    def newest_links(self) -> list[Link]:
        return sorted(self.links.values(), key=lambda link: (-link.created_at.timestamp(), link.id))

    def set_published(self, published: bool) -> None:
        self.is_published = published
        self.version += 1

    def add_request(self, request: AccessRequest) -> None:
        if request.user not in self.requests:
            _refuse_more(self.requests, REQUESTS_MAX)
        self.requests[request.user] = request
        self.version += 1

    def oldest_requests(self) -> list[AccessRequest]:
        return sorted(self.requests.values(), key=lambda request: (request.asked_at, request.user))


def _refuse_more(listed: Collection[object], most: int) -> None:
    if len(listed) >= most:
        raise SharingFull
