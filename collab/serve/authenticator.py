"""Who comes in, and as what: a token becomes a principal, a principal becomes a session's rights.

It stands between the sockets and ``access``, which is pure and needs to be told the time and the keys.
"""

from collections.abc import Callable

from collab.access.policy import require_read
from collab.access.tokens import Principal, TokenVerifier
from collab.errors import TokenExpired, TokenKeyUnknown
from collab.ids import DocumentName
from collab.serve.jwks import JwksClient


class Authenticator:
    """Checks tokens and grants. ``wall_clock`` gives seconds since 1970: tokens say when they end.

    ``published``: keys that count besides the verifier's own, if somebody publishes some.
    """

    def __init__(
        self, verifier: TokenVerifier, *, wall_clock: Callable[[], float], published: JwksClient | None = None
    ) -> None:
        self._verifier = verifier
        self._wall_clock = wall_clock
        self._published = published

    async def principal(self, token: str) -> Principal:
        """Whose token this is. Raises NotAuthenticated, with the reason in words; KeysUnavailable.

        A key that is not known may have been published just now, so the keys are read again before saying no.
        """
        try:
            return self._verify(token)
        except TokenKeyUnknown:
            if self._published is None:
                raise
        await self._published.refresh()
        return self._verify(token)

    def may_write(self, principal: Principal, document: DocumentName) -> bool:
        """Whether this person may change the document, now. Raises TokenExpired; PermissionDenied without reading."""
        if principal.is_expired(self._wall_clock()):
            raise TokenExpired
        return require_read(principal, document).can_write

    def _verify(self, token: str) -> Principal:
        verifier = self._verifier if self._published is None else self._verifier.trusting(self._published.keys)
        return verifier.verify(token, self._wall_clock())
