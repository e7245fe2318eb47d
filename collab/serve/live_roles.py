"""The roles of live sessions, which change with the members and links of their documents.

A session knows its role, so that no message costs more than a comparison. The version of how its document is shared is
what is asked for from time to time: ``LogSync`` does so together with the log's head, and as soon as another replica
says that it has changed. Then the roles of the document's sessions are decided again, with one query.

A session that may write by its token alone is not among them: no list can take that away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from collab.access import policy
from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.ids import DocumentName
from collab.serve.permit import Permit
from collab.store.base import Store


class Follower(Protocol):
    """A session that follows its role."""

    def role_changed(self, role: Role | None) -> None:
        """Go on with this role; None: with none, so not at all."""


@dataclass(slots=True)
class _Followed:
    """One document: the version that every role here is at least as new as, and the sessions."""

    version: int
    sessions: dict[Follower, tuple[Principal, Role | None]] = field(default_factory=dict)


class LiveRoles:
    """The sessions of a replica whose roles depend on how their documents are shared."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._documents: dict[DocumentName, _Followed] = {}

    def versions(self) -> Mapping[DocumentName, int]:
        """Return for each document the version of its sharing that its sessions know."""
        return {name: followed.version for name, followed in self._documents.items()}

    def follow(self, follower: Follower, permit: Permit) -> None:
        """Have the session told when its role is another than in the permit, which replaces an earlier one."""
        if permit.version is None:
            self.forget(follower, permit.document)
            return
        followed = self._documents.setdefault(permit.document, _Followed(permit.version))
        # The permit may be older than what the others know. Then the next look at the version finds a difference.
        followed.version = min(followed.version, permit.version)
        followed.sessions[follower] = permit.principal, permit.role

    def forget(self, follower: Follower, document: DocumentName) -> None:
        """Tell the session of nothing more. Forgetting twice is normal."""
        followed = self._documents.get(document)
        if followed is not None:
            followed.sessions.pop(follower, None)
            if not followed.sessions:
                del self._documents[document]

    async def refresh(self, document: DocumentName) -> None:
        """Decide the roles of the document's sessions again. Raises StoreUnavailable."""
        followed = self._documents.get(document)
        if followed is None:
            return
        asked = {follower: principal for follower, (principal, _) in followed.sessions.items()}
        users = {each.user for each in asked.values() if each.link is None}
        links = {each.link for each in asked.values() if each.link is not None}
        sharing = await self._store.sharing(document, users, links)
        if all(followed.sessions[each][0] is asked.get(each) for each in followed.sessions):
            followed.version = sharing.version  # else one of them came meanwhile, perhaps with an older permit
        for follower, principal in asked.items():
            now = followed.sessions.get(follower)
            if now is None or now[0] is not principal:
                continue
            role = policy.role(principal, document, sharing)
            if role != now[1]:
                followed.sessions[follower] = principal, role
                follower.role_changed(role)
