"""How long a session may go on: until its token expires, unless the client sends a fresh one in time.

The gate of a session asks ``has_expired`` before every message, and a timer ends an idle session just as well. What a
session may do while it lasts is ``Session.can_write``, which the room asks on every message; a new token changes it
in place.

Revocation, when there is one, belongs here: it calls ``expire`` on the leases that rest on the revoked token,
membership or share link (or sets ``can_write`` where only the role has changed), and ``Authenticator.may_write``,
which is asked whenever a session begins or shows another token, says no from then on.
"""

from collections.abc import Callable

from collab.access.tokens import Principal
from collab.serve.timer_queue import Timer, TimerQueue

RENEWAL_S_MIN = 1.0
"""With less time left than this, a client is not asked for a fresh token: its answer could hardly come in time."""


class TokenLease:
    """The time that one session has.

    ``on_expired`` ends the session. ``on_renewal_due`` asks its client for a fresh token ``lead_s`` before the end;
    None where a client cannot be asked.
    """

    def __init__(
        self,
        timers: TimerQueue,
        *,
        lead_s: float = 0,
        on_expired: Callable[[], None],
        on_renewal_due: Callable[[], None] | None = None,
    ) -> None:
        self._timers = timers
        self._lead_s = lead_s
        self._on_expired = on_expired
        self._on_renewal_due = on_renewal_due
        self._expires_at_s: float | None = None
        self._is_spent = False
        self._expiry: Timer | None = None
        self._renewal: Timer | None = None

    @property
    def has_expired(self) -> bool:
        """True if the session may say nothing more. This asks the clock itself, since a timer may be late."""
        return self._is_spent or (self._expires_at_s is not None and self._timers.now_s() >= self._expires_at_s)

    def renew(self, principal: Principal) -> None:
        """Let the session rest on this principal's token from now on."""
        self.cancel()
        self._is_spent = False
        self._expires_at_s = principal.expires_at
        if self._expires_at_s is not None:
            self._expiry = self._timers.call_at(self._expires_at_s, self.expire)
            self._plan_renewal(self._expires_at_s)

    def expire(self) -> None:
        """End the session. Expiring twice is normal: a frame may be read before the connection has ended."""
        self.cancel()
        if not self._is_spent:
            self._is_spent = True
            self._on_expired()

    def cancel(self) -> None:
        """Cancel the timers: the session has ended, or rests on another token."""
        for timer in (self._expiry, self._renewal):
            if timer is not None:
                timer.cancel()
        self._expires_at_s = self._expiry = self._renewal = None

    def _plan_renewal(self, expires_at_s: float) -> None:
        """Plan to ask ``lead_s`` before the end, or at half the time that is left if that is less; and so again.

        Applications keep a token until shortly before it expires, so the first answer may be the same token.
        """
        lead_s = min(self._lead_s, (expires_at_s - self._timers.now_s()) / 2)
        if self._on_renewal_due is not None and lead_s >= RENEWAL_S_MIN:
            self._renewal = self._timers.call_at(expires_at_s - lead_s, self._ask)

    def _ask(self) -> None:
        assert self._on_renewal_due is not None
        assert self._expires_at_s is not None
        self._on_renewal_due()
        self._plan_renewal(self._expires_at_s)
