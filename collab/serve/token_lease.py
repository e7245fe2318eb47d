"""By what right one session is here, and for how long: the end of its token, and asking for a fresh one in time.

It stands between the conversations, which ask ``is_over`` before every message that they hand to a room, and the
clock, which ends an idle session just as well. What a session may do while it lasts is ``Session.can_write``, which
the room asks on every message; a new token changes it in place.

Revocation, when there is one, plugs in here: whoever learns that a token, a membership or a share link was revoked
calls ``end`` on the standings that rest on it (or sets ``can_write``, where only the role changed), and
``Authenticator.may_write``, asked whenever a session begins or shows another token, says no from then on.
"""

from collections.abc import Callable

from collab.access.tokens import Principal
from collab.serve.timer_queue import Timer, TimerQueue

ASK_S_MIN = 1.0
"""With less time left than this a client is not asked any more: its answer could hardly come in time."""


class TokenLease:
    """Of one session. ``on_over``: end it now. ``on_wanted``: ask for a fresh token; None where nobody can be asked."""

    def __init__(
        self,
        timers: TimerQueue,
        *,
        lead_s: float,
        on_over: Callable[[], None],
        on_wanted: Callable[[], None] | None = None,
    ) -> None:
        self._timers = timers
        self._lead_s = lead_s
        self._on_over = on_over
        self._on_wanted = on_wanted
        self._ends_at_s: float | None = None
        self._has_ended = False
        self._ending: Timer | None = None
        self._asking: Timer | None = None

    @property
    def is_over(self) -> bool:
        """Whether the session may say nothing more. The clock itself is asked: a deadline may be late, this is not."""
        return self._has_ended or (self._ends_at_s is not None and self._timers.now_s() >= self._ends_at_s)

    def rest_on(self, principal: Principal) -> None:
        """From now on the session is here by this principal's token."""
        self.drop()
        self._has_ended = False
        self._ends_at_s = principal.expires_at
        if self._ends_at_s is not None:
            self._ending = self._timers.at(self._ends_at_s, self.end)
            self._ask_in_time(self._ends_at_s)

    def end(self) -> None:
        """The right is gone: end the session."""
        self.drop()
        self._has_ended = True  # a frame may be read before the connection has taken note
        self._on_over()

    def drop(self) -> None:
        """The session has ended, or rests on something else: no deadline is left behind."""
        for deadline in (self._ending, self._asking):
            if deadline is not None:
                deadline.cancel()
        self._ends_at_s = self._ending = self._asking = None

    def _ask_in_time(self, ends_at_s: float) -> None:
        """Ask ``lead_s`` before the end, or at half the time that is left when that is less; and so again.

        Applications keep a token until shortly before it ends, so the first answer may be the same token.
        """
        lead_s = min(self._lead_s, (ends_at_s - self._timers.now_s()) / 2)
        if self._on_wanted is not None and lead_s >= ASK_S_MIN:
            self._asking = self._timers.at(ends_at_s - lead_s, self._ask)

    def _ask(self) -> None:
        assert self._on_wanted is not None
        assert self._ends_at_s is not None
        self._on_wanted()
        self._ask_in_time(self._ends_at_s)
