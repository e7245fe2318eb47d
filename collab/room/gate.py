"""The causal gate: updates whose predecessors have not come yet wait here, never in the library.

It stands between a session's frames and the document. A held update is not acknowledged, not logged and not
shown; the session is asked once for what is missing (SyncStep1), and usually answers within a round trip.
What waits is bounded in bytes, number and time: an update that never completes must not become a leak.
"""

from collections.abc import Callable
from dataclasses import dataclass

from collab.errors import RoomClosed
from collab.ids import SessionId, UserId
from collab.protocol.update import InspectedUpdate


class NeverCompleted(RoomClosed):
    """Some of your edits build on others that never arrived; reconnect to send them all again."""


@dataclass(frozen=True, slots=True)
class Held:
    """An update that waits. ``session`` is None for a row of the log, which has nobody to answer to."""

    session: SessionId | None
    user: UserId
    update: InspectedUpdate
    acknowledged: bool
    """Whether the client counts this frame and wants to hear of it."""
    since_s: float


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How much may wait in one room, and how long. Rows of the log are not counted."""

    bytes_max: int = 1 << 20
    updates_max: int = 256
    age_s_max: float = 5.0


class Gate:
    """The updates of one room that wait for their predecessors."""

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._held: list[Held] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, held: Held) -> bool:
        """Let an update wait. False, and it does not, when the gate is full."""
        size = len(held.update.payload)
        full = self._bytes + size > self._limits.bytes_max or len(self._held) >= self._limits.updates_max
        if full and held.session is not None:
            return False
        self._held.append(held)
        self._bytes += size
        return True

    def release(self, is_ready: Callable[[InspectedUpdate], bool]) -> Held | None:
        """Take out the oldest update that is ready now, if there is one."""
        for index, held in enumerate(self._held):
            if is_ready(held.update):
                return self._take(index)
        return None

    def expire(self, now_s: float) -> list[Held]:
        """Take out every update that has waited too long."""
        late = [
            held for held in self._held if held.session is not None and now_s - held.since_s > self._limits.age_s_max
        ]
        for held in late:
            self._take(self._held.index(held))
        return late

    def _take(self, index: int) -> Held:
        held = self._held.pop(index)
        self._bytes -= len(held.update.payload)
        return held
