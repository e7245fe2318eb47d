"""Updates whose missing part never arrived: which users were told, and which sessions continue without it.

The first time the client is made to reconnect, which brings everything it has. If the same is missing again, no client
has it any more, and the session continues without it; it is asked again once the missing part has arrived after all.
"""

from collections.abc import Mapping

from collab.crdt.update import Id
from collab.ids import SessionId, UserId

REMEMBERED_MAX = 1000
"""Missing ids remembered with the users who were told; the oldest are forgotten."""


class StalledUpdates:
    """The updates of one room that were given up."""

    def __init__(self) -> None:
        self._told: dict[tuple[UserId, Id], None] = {}
        self._without: dict[SessionId, Id] = {}

    def is_first_time(self, user: UserId, missing: Id) -> bool:
        """Return True the first time that this user lacks ``missing``, and remember it."""
        if (user, missing) in self._told:
            return False
        self._told[user, missing] = None
        if len(self._told) > REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        return True

    def continue_without(self, session: SessionId, missing: Id) -> None:
        """Remember that a session continues without what builds on ``missing``."""
        self._without[session] = missing

    def take_completable(self, state: Mapping[int, int]) -> list[SessionId]:
        """Remove and return the sessions whose missing id is in a document that has ``state``."""
        sessions = [session for session, (client, clock) in self._without.items() if state.get(client, 0) > clock]
        for session in sessions:
            del self._without[session]
        return sessions

    def forget(self, session: SessionId) -> None:
        """Forget a session that has ended."""
        self._without.pop(session, None)
