"""Renewal of the tokens with which people are signed in, so that whoever uses a page stays signed in.

Only a token that says when its person signed in is renewed. Those are the sign-in links, and what this server signs
after another way of signing in. The tokens that an application signs for its users are not: else one that is meant for
five minutes would last as long as its holder likes. A new token has the same user and the same grants.
"""

from dataclasses import dataclass

from collab.access.tokens import Principal, SharedSecret, sign
from collab.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class TokenRenewal:
    """Renews tokens that ``key`` has signed.

    A renewed token lasts ``idle_s`` seconds, and ends ``s_max`` seconds after the person signed in at the latest.
    """

    key: SharedSecret
    audience: str | None
    idle_s: float
    s_max: float

    def renew(self, principal: Principal, now_s: float) -> str:
        """Return a token for the same person that ends no earlier. Raises PermissionDenied if there can be none."""
        if principal.signed_in_at is None or principal.expires_at is None:
            raise PermissionDenied("This token cannot be renewed: it was not made for signing in.")
        latest = principal.signed_in_at + self.s_max
        if latest <= principal.expires_at:
            raise PermissionDenied("This sign-in cannot last any longer. Sign in again.")
        return sign(
            self.key,
            user=principal.user,
            name=principal.name,
            color=principal.color,
            grants=principal.grants,
            now_s=now_s,
            ttl_s=min(max(now_s + self.idle_s, principal.expires_at), latest) - now_s,
            audience=self.audience,
            signed_in_at=principal.signed_in_at,
        )
