"""How long a session may go on: until its token expires, unless the client sends a fresh one in time.

The gate of a session asks ``has_expired`` before every message, and a timer ends an idle session just as well. What a
session may do while it lasts is ``Session.can_write``, which the room asks on every message; a new token, or another
role (``live_roles``), changes it in place.
"""

from collections.abc import Callable

from collab.access.tokens import Principal
from collab.serve.timer_queue import Timer, TimerQueue

RENEWAL_S_MIN = 1.0
"""With less time left than this, a client is not asked for a fresh token: its answer could hardly come in time."""


class TokenLease(Timer):
    """The time that one session has.

    ``on_expired`` ends the session. ``on_renewal_due`` asks its client for a fresh token ``lead_s`` before the end;
    None where a client cannot be asked. The timer is for whichever comes first.
    """

    __slots__ = ("_expires_at_s", "_is_spent", "_lead_s", "_on_expired", "_on_renewal_due")

    def __init__(
        self,
        timers: TimerQueue,
        *,
        lead_s: float = 0,
        on_expired: Callable[[], None],
        on_renewal_due: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(timers)
        self._lead_s = lead_s
        self._on_expired = on_expired
        self._on_renewal_due = on_renewal_due
        self._expires_at_s: float | None = None
        self._is_spent = False

    @property
    def has_expired(self) -> bool:
        """True if the session may say nothing more. This asks the clock itself, since a timer may be late."""
        return self._is_spent or (self._expires_at_s is not None and self._timers.now_s() >= self._expires_at_s)

    def renew(self, principal: Principal) -> None:
        """Let the session rest on this principal's token from now on."""
        self.cancel()
        self._is_spent = False
        self._expires_at_s = principal.expires_at
        self._plan()

    def expire(self) -> None:
        """End the session. Expiring twice is normal: a frame may be read before the connection has ended."""
        self.cancel()
        if not self._is_spent:
            self._is_spent = True
            self._on_expired()

    def cancel(self) -> None:
        """Cancel the timer: the session has ended, or rests on another token."""
        self.stop()
        self._expires_at_s = None

    def run(self) -> None:
        """Ask for a fresh token, or end the session."""
        if self._on_renewal_due is None or self.has_expired:
            self.expire()
            return
        self._on_renewal_due()
        if not self.number:  # else it was renewed just now
            self._plan()

    def _plan(self) -> None:
        """Plan to ask ``lead_s`` before the end, or at half the time that is left if that is less; and so again.

        Applications keep a token until shortly before it expires, so the first answer may be the same token.
        """
        if self._expires_at_s is None:
            return
        lead_s = min(self._lead_s, (self._expires_at_s - self._timers.now_s()) / 2)
        is_asked = self._on_renewal_due is not None and lead_s >= RENEWAL_S_MIN
        self.run_at(self._expires_at_s - lead_s if is_asked else self._expires_at_s)
