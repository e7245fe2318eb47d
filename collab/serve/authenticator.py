"""Authentication and authorisation: from a token, or a link's secret, to a principal, and from there to a role.

``access`` decides both, but is pure: the time, the published keys and the document's lists come from here.
"""

from collections.abc import Callable

from collab.access import links, policy
from collab.access.links import LinkKey
from collab.access.roles import Role
from collab.access.sharing import Sharing
from collab.access.token_cache import TokenCache
from collab.access.tokens import Principal, TokenVerifier
from collab.errors import LinkExpired, LinkInvalid, TokenExpired, TokenKeyUnknown, TokenMissing
from collab.ids import DocumentName
from collab.serve.jwks import JwksClient
from collab.serve.link_passwords import LinkPasswords
from collab.serve.permit import Permit
from collab.store.base import Store


class Authenticator:
    """Checks tokens, links and roles."""

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        store: Store,
        wall_clock: Callable[[], float],
        published: JwksClient | None = None,
    ) -> None:
        """``wall_clock`` gives seconds since 1970. ``published``: an issuer's keys, besides the verifier's own."""
        self._tokens = TokenCache(verifier)
        self._store = store
        self._wall_clock = wall_clock
        self._published = published
        self._passwords = LinkPasswords(wall_clock)

    async def principal(self, credential: str) -> Principal:
        """Return the principal of a token or of a link's secret.

        Raises NotAuthenticated with the reason in words, KeysUnavailable, StoreUnavailable.
        """
        if links.is_link(credential):
            return await self._guest(links.parse(credential))
        try:
            return self._verify(credential)
        except TokenKeyUnknown:  # it may have been published just now
            if self._published is None:
                raise
        await self._published.refresh()
        return self._verify(credential)

    async def _guest(self, key: LinkKey) -> Principal:
        link = await self._store.find_link(links.digest(key.secret))
        if link is None:
            raise LinkInvalid
        guest = links.guest(link, key.name)
        if guest.is_expired(self._wall_clock()):
            raise LinkExpired
        await self._passwords.check(link, key.password)
        return guest

    def require_current(self, principal: Principal) -> None:
        """Raise TokenExpired or LinkExpired if the token or the link has ended."""
        if principal.is_expired(self._wall_clock()):
            raise TokenExpired if principal.link is None else LinkExpired

    async def permit(self, principal: Principal, document: DocumentName, needed: Role = Role.VIEWER) -> Permit:
        """Return what the principal may do with the document, for a session.

        Raises TokenExpired, LinkExpired, PermissionDenied if that is less than ``needed``, StoreUnavailable.
        """
        self.require_current(principal)
        granted = policy.role(principal, document)
        if granted is not None and granted.can_write:
            return Permit(principal, document, policy.require(granted, needed))
        sharing = await self.sharing(principal, document)
        role = policy.require(policy.role(principal, document, sharing), needed)
        return Permit(principal, document, role, sharing.version)

    async def require(self, principal: Principal, document: DocumentName, needed: Role) -> None:
        """Raise PermissionDenied unless the principal has this role on the document, or a stronger one.

        The document's lists are only asked if the token alone does not suffice. Raises StoreUnavailable.
        """
        granted = policy.role(principal, document)
        if granted is None or granted < needed:
            granted = policy.role(principal, document, await self.sharing(principal, document))
        policy.require(granted, needed)

    async def role(self, principal: Principal, document: DocumentName) -> Role | None:
        """Return the role that the token, the members' list or the link gives. Raises StoreUnavailable."""
        granted = policy.role(principal, document)
        if granted is Role.OWNER:
            return granted
        return policy.role(principal, document, await self.sharing(principal, document))

    async def require_content(self, principal: Principal | None, document: DocumentName) -> None:
        """Raise PermissionDenied unless the principal may read the document, or everybody may.

        Raises TokenMissing if it is not published and there is no principal, StoreUnavailable.
        """
        if principal is not None and policy.can_read(principal, document):
            return
        sharing = await (
            self._store.sharing(document, (), ()) if principal is None else self.sharing(principal, document)
        )
        if sharing.is_published:
            return
        if principal is None:
            raise TokenMissing
        policy.require(policy.role(principal, document, sharing), Role.VIEWER)

    async def sharing(self, principal: Principal, document: DocumentName) -> Sharing:
        """Return what the document's lists say of this principal."""
        users, via = ([principal.user], []) if principal.link is None else ([], [principal.link])
        return await self._store.sharing(document, users, via)

    def _verify(self, token: str) -> Principal:
        if self._published is not None:
            self._tokens.trust(self._published.keys)
        return self._tokens.verify(token, self._wall_clock())
