"""The causal gate: updates whose predecessors have not come yet wait here, never in the library.

It stands between a session's frames and the document. A held update is not acknowledged, not logged and not
shown; the session is asked once for what is missing (SyncStep1), and usually answers within a round trip.
What waits is bounded in bytes, number and time: an update that never completes must not become a leak. Nor a
burden: an update is read again only when the very id it waits for has come.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from collab.crdt.causality import first_missing
from collab.crdt.update import Id, InspectedUpdate
from collab.ids import SessionId, UserId

NOBODY = UserId("")
"""The author of what is read from the log while nobody is there to be told of it."""


@dataclass(slots=True)
class PendingUpdate:
    """An update that waits."""

    session: SessionId | None
    """Whose frame it was; None for an update of the log, which has nobody to answer to."""
    user: UserId
    update: InspectedUpdate
    counted: bool
    """Whether the client counts this frame and wants to hear of it."""
    since_s: float
    missing: Id
    """What must come before it, perhaps among others."""

    @classmethod
    def of_log(cls, update: InspectedUpdate, missing: Id, author: UserId = NOBODY) -> "PendingUpdate":
        """An update of a row of the log."""
        return cls(None, author, update, counted=False, since_s=0.0, missing=missing)


@dataclass(frozen=True, slots=True)
class PendingLimits:
    """How much of its clients' updates may wait in one room, and how long. Rows of the log are not counted."""

    bytes_max: int = 1 << 20
    updates_max: int = 256
    age_s_max: float = 5.0


class PendingUpdates:
    """The updates of one room that wait for their predecessors."""

    def __init__(self, limits: PendingLimits) -> None:
        self._limits = limits
        self._held: list[PendingUpdate] = []
        self._bytes = 0
        self._counted = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, held: PendingUpdate) -> bool:
        """Let an update wait. False, and it does not, when the gate is full."""
        if held.session is not None:
            size = len(held.update.payload)
            if self._bytes + size > self._limits.bytes_max or self._counted >= self._limits.updates_max:
                return False
            self._bytes += size
            self._counted += 1
        self._held.append(held)
        return True

    def owes(self, session: SessionId) -> bool:
        """Whether an update of this session waits whose frame its client counts."""
        return any(held.counted and held.session == session for held in self._held)

    def release(self, state: Mapping[int, int]) -> PendingUpdate | None:
        """Take out the oldest update that is ready for ``state``, if there is one."""
        for index, held in enumerate(self._held):
            client, clock = held.missing
            if state.get(client, 0) > clock:
                missing = first_missing(held.update, state)
                if missing is None:
                    return self._take(index)
                held.missing = missing
        return None

    def expire(self, now_s: float) -> PendingUpdate | None:
        """Take out the oldest update that has waited too long, if there is one."""
        for index, held in enumerate(self._held):
            if held.session is not None and now_s - held.since_s > self._limits.age_s_max:
                return self._take(index)
        return None

    def _take(self, index: int) -> PendingUpdate:
        held = self._held.pop(index)
        if held.session is not None:
            self._bytes -= len(held.update.payload)
            self._counted -= 1
        return held
