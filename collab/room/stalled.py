"""Updates whose missing part never arrived, and the users who were told of it.

The first time, the client is made to reconnect, which brings everything it has. If the same is missing again, no client
has it any more, and the session continues without it.
"""

from collab.crdt.update import Id
from collab.ids import UserId

REMEMBERED_MAX = 1000
"""Missing ids remembered with the users who were told; the oldest are forgotten."""


class StalledUpdates:
    """The missing ids of one room for which updates were given up."""

    def __init__(self) -> None:
        self._told: dict[tuple[UserId, Id], None] = {}

    def note_missing(self, user: UserId, missing: Id) -> bool:
        """Return True the first time that this user lacks ``missing``, and remember it."""
        if (user, missing) in self._told:
            return False
        self._told[user, missing] = None
        if len(self._told) > REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        return True
