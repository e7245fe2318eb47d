"""Updates that wait for what they build on, as Yjs keeps them in ``pendingStructs``.

Of each update the room takes the part that is ready; the rest waits here and never reaches the engine. It is not
acknowledged, logged or shown. What waits is bounded in bytes, number and time. An update is examined again only when
something it waits for has arrived: each is filed under the clients it waits for. To examine one costs as much as it is
large, and a small frame can wake a large one, or two of which each brings what the other waits for next. So the work is
bounded too (``ExaminationBudget``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from collab.crdt.update import InspectedUpdate
from collab.ids import SessionId
from collab.room.session import Session

EXAMINED_PER_S = 100_000
"""Structs and deletions of pending updates that one room examines again in a second: about a quarter of a core."""


@dataclass(slots=True)
class PendingUpdate:
    """One update frame of a session, until it is answered.

    On arrival ``update`` is the whole of it; later it is the part that the room has not taken yet.
    """

    sender: Session
    """The session whose frame it is. It may have ended since; its role then stays what it was at its end."""
    update: InspectedUpdate
    frame: bytes
    """The whole update as the guard accepted it, repeated in the acknowledgement; empty if it is too large."""
    counted: bool
    """True if the client counts this frame and waits for an answer."""
    resync: bool
    """True if the frame was a SyncStep2: all that its client has, so asking again would bring the same bytes."""
    since_s: float
    waits_for: Mapping[int, int] = field(default_factory=dict)
    """Client id → the lowest clock of it that is missing."""

    @property
    def parts(self) -> int:
        """Structs and deletions in it: the cost of examining it."""
        return len(self.update.structs) + len(self.update.deletes)

    @property
    def size(self) -> int:
        """Bytes by which it counts against the bound. The frame and what is left of it may be two objects."""
        return max(len(self.update.payload), len(self.frame))


class ExaminationBudget:
    """How much more of the pending updates a room may examine now. It refills with time, to one second's worth."""

    def __init__(self) -> None:
        self._left = float(EXAMINED_PER_S)
        self._refilled_s = 0.0

    def has_left(self, now_s: float) -> bool:
        """Return True if another examination may begin, which may overdraw the budget."""
        self._left = min(self._left + (now_s - self._refilled_s) * EXAMINED_PER_S, EXAMINED_PER_S)
        self._refilled_s = now_s
        return self._left > 0

    def spend(self, parts: int) -> None:
        """Note that so many structs and deletions are examined."""
        self._left -= parts


@dataclass(frozen=True, slots=True)
class PendingLimits:
    """How much may wait in one room, and how long."""

    bytes_max: int = 1 << 20
    updates_max: int = 256
    age_s_max: float = 5.0


class PendingUpdates:
    """The updates of one room that wait."""

    def __init__(self, limits: PendingLimits) -> None:
        self._limits = limits
        self._updates: dict[int, PendingUpdate] = {}
        """By the number under which each was added; in the order of their arrival, but for those that wait again."""
        self._added = 0
        self._bytes = 0
        self._waiting_on: dict[int, list[tuple[int, int]]] = {}
        """Client id → heap of (clock, number): what waits for which clock. Numbers that are gone are skipped."""
        self._entries = self._live_entries = 0
        """Entries in those heaps, and how many of them are of updates that still wait."""

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def bytes_max(self) -> int:
        """Bytes that may wait, and so the largest frame that can be repeated in its acknowledgement."""
        return self._limits.bytes_max

    def add(self, pending: PendingUpdate) -> bool:
        """Keep an update until something it waits for arrives. Return False, and do not keep it, when full."""
        is_full = len(self._updates) >= self._limits.updates_max
        if is_full or self._bytes + pending.size > self._limits.bytes_max:
            return False
        self._added += 1
        self._updates[self._added] = pending
        self._bytes += pending.size
        for client, clock in pending.waits_for.items():
            heappush(self._waiting_on.setdefault(client, []), (clock, self._added))
        self._entries += len(pending.waits_for)
        self._live_entries += len(pending.waits_for)
        return True

    def has_unanswered(self, session: SessionId) -> bool:
        """Return True if an update of this session waits whose answer its client waits for."""
        return any(pending.counted and pending.sender.id == session for pending in self._updates.values())

    def take_ready(self, changed: Iterable[int], state: Mapping[int, int]) -> list[PendingUpdate]:
        """Remove and return the updates for which something has arrived, oldest first.

        ``changed``: the clients of which the document has gained something; ``state``: what it has now.
        """
        numbers: set[int] = set()
        for client in changed:
            waiting = self._waiting_on.get(client, [])
            while waiting and waiting[0][0] < state.get(client, 0):
                numbers.add(heappop(waiting)[1])
                self._entries -= 1
            if not waiting:
                self._waiting_on.pop(client, None)
        return [self._remove(number) for number in sorted(numbers) if number in self._updates]

    def take_overdue(self, now_s: float) -> PendingUpdate | None:
        """Remove and return the oldest update that has waited too long, if there is one."""
        number = next((number for number, each in self._updates.items() if self.is_overdue(each, now_s)), None)
        return None if number is None else self._remove(number)

    def is_overdue(self, pending: PendingUpdate, now_s: float) -> bool:
        """Return True if this update has waited as long as it may."""
        return now_s - pending.since_s > self._limits.age_s_max

    def _remove(self, number: int) -> PendingUpdate:
        pending = self._updates.pop(number)
        self._bytes -= pending.size
        self._live_entries -= len(pending.waits_for)
        if self._entries > 2 * self._live_entries:
            self._drop_stale_entries()
        return pending

    def _drop_stale_entries(self) -> None:
        """Forget what updates that are gone had waited for, before such entries outnumber the others."""
        self._entries = 0
        for client, waiting in list(self._waiting_on.items()):
            waiting[:] = [entry for entry in waiting if entry[1] in self._updates]
            heapify(waiting)
            self._entries += len(waiting)
            if not waiting:
                del self._waiting_on[client]
