"""Who comes in, and as what: a token becomes a principal, a principal becomes a session's rights.

It stands between the sockets and ``access``, which is pure and needs to be told the time.
"""

from collections.abc import Callable

from collab.access.policy import require_read
from collab.access.tokens import Principal, TokenVerifier
from collab.errors import NotAuthenticated
from collab.ids import DocumentName


class Admission:
    """Checks tokens and grants. ``wall_clock`` gives seconds since 1970: tokens say when they end."""

    def __init__(self, verifier: TokenVerifier, *, wall_clock: Callable[[], float]) -> None:
        self._verifier = verifier
        self._wall_clock = wall_clock

    def principal(self, token: str) -> Principal:
        """Whose token this is. Raises NotAuthenticated, with the reason in words."""
        if not token:
            raise NotAuthenticated("A token is needed.")
        return self._verifier.verify(token, self._wall_clock())

    def may_write(self, principal: Principal, document: DocumentName) -> bool:
        """Whether this person may change the document. Raises PermissionDenied when they may not even read."""
        return require_read(principal, document).can_write
