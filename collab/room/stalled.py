"""Updates that never completed: who was told to start over, and who goes on without something.

It stands between the gate, which lets an update wait for a while, and the client whose update it was. The first time
that client is made to start over, which brings everything there is. If the same is missing again, nobody has it
any more, and the client goes on without; once it has come after all, the client is asked again.
"""

from collections.abc import Mapping

from collab.crdt.update import Id
from collab.ids import SessionId, UserId

REMEMBERED_MAX = 1000
"""Of what was never completed and whose senders were told; the oldest are forgotten."""


class StalledUpdates:
    """Of one room."""

    def __init__(self) -> None:
        self._told: dict[tuple[UserId, Id], None] = {}
        self._without: dict[SessionId, Id] = {}

    def is_first_time(self, user: UserId, missing: Id) -> bool:
        """Whether this user has not been told yet that the same never came; from now on they have."""
        if (user, missing) in self._told:
            return False
        self._told[user, missing] = None
        if len(self._told) > REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        return True

    def goes_on(self, session: SessionId, missing: Id) -> None:
        """A session goes on without what builds on ``missing``."""
        self._without[session] = missing

    def come(self, state: Mapping[int, int]) -> list[SessionId]:
        """Who went on without something that can be completed now that the document has ``state``; told once."""
        come = [session for session, (client, clock) in self._without.items() if state.get(client, 0) > clock]
        for session in come:
            del self._without[session]
        return come

    def forget(self, session: SessionId) -> None:
        """The session has ended."""
        self._without.pop(session, None)
