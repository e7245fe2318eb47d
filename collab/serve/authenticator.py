"""Authentication: turns a token into a principal, and a principal into what a session may do.

``access`` decides both, but is pure: the time and the published keys come from here.
"""

from collections.abc import Callable

from collab.access.policy import require_read
from collab.access.token_cache import TokenCache
from collab.access.tokens import Principal, TokenVerifier
from collab.errors import TokenExpired, TokenKeyUnknown
from collab.ids import DocumentName
from collab.serve.jwks import JwksClient


class Authenticator:
    """Checks tokens and grants."""

    def __init__(
        self, verifier: TokenVerifier, *, wall_clock: Callable[[], float], published: JwksClient | None = None
    ) -> None:
        """``wall_clock`` gives seconds since 1970. ``published``: an issuer's keys, besides the verifier's own."""
        self._tokens = TokenCache(verifier)
        self._wall_clock = wall_clock
        self._published = published

    async def principal(self, token: str) -> Principal:
        """Return the principal of a token. Raises NotAuthenticated with the reason in words, KeysUnavailable.

        An unknown key may have been published just now, so the keys are read again before the token is rejected.
        """
        try:
            return self._verify(token)
        except TokenKeyUnknown:
            if self._published is None:
                raise
        await self._published.refresh()
        return self._verify(token)

    def may_write(self, principal: Principal, document: DocumentName) -> bool:
        """Return True if the principal may change the document now.

        Raises TokenExpired, and PermissionDenied if it may not even read the document.
        """
        if principal.is_expired(self._wall_clock()):
            raise TokenExpired
        return require_read(principal, document).can_write

    def _verify(self, token: str) -> Principal:
        if self._published is not None:
            self._tokens.trust(self._published.keys)
        return self._tokens.verify(token, self._wall_clock())
