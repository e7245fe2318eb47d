"""Timers for times of day, on one heap and in one task, however many sessions there are.

Times are wall-clock seconds since 1970, as tokens give them. The clock may be set meanwhile, so the task looks at it
at least once a second.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

LOOK_S = 1.0
CANCELLED_MAX = 1024
"""Times of cancelled calls that may stay on the heap. When there are more, at most as many stay as there are calls."""


class Timer:
    """A call at a time, until it was made or is cancelled. A subclass says in ``run`` what is done; it must not raise.

    Every session has one, so it is no more than its place on the heap.
    """

    __slots__ = ("_timers", "number")

    def __init__(self, timers: "TimerQueue") -> None:
        self._timers = timers
        self.number = 0
        """The number of the call that is to be made; 0 for none."""

    def run_at(self, at_s: float) -> None:
        """Run once it is ``at_s``, instead of at any other time."""
        self.stop()
        self.number = self._timers.add(at_s, self)

    def stop(self) -> None:
        """Cancel the call. Does nothing if it was made or cancelled already."""
        if self.number:
            self._timers.cancel(self.number)
            self.number = 0

    def run(self) -> None:
        """Do what the timer is for."""
        raise NotImplementedError


class TimerQueue:
    """All timers of a server; ``run`` is their task. ``wall_clock`` gives seconds since 1970.

    The heap has only numbers: a timer that is cancelled is let go at once, and with it the connection that it belongs
    to.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._heap: list[tuple[float, int]] = []
        self._calls: dict[int, Timer] = {}
        """The calls that are to be made, by their numbers."""
        self._numbers = count(1)
        self._new_first = asyncio.Event()

    def __len__(self) -> int:
        return len(self._calls)

    def now_s(self) -> float:
        """Return the time of day."""
        return self._wall_clock()

    def add(self, at_s: float, timer: Timer) -> int:
        """Have the timer run in the task of ``run`` once it is ``at_s``, and return the number of this call."""
        number = next(self._numbers)
        heapq.heappush(self._heap, (at_s, number))
        self._calls[number] = timer
        if self._heap[0][1] == number:
            self._new_first.set()
        return number

    def run_due(self) -> None:
        """Make every call that is due."""
        now_s = self._wall_clock()
        while self._heap and self._heap[0][0] <= now_s:
            _, number = heapq.heappop(self._heap)
            timer = self._calls.pop(number, None)
            if timer is not None:
                timer.number = 0
                timer.run()

    async def run(self) -> None:
        """Make each call when its time has come, for ever."""
        while True:
            self.run_due()
            self._new_first.clear()
            wait_s = min(LOOK_S, self._heap[0][0] - self._wall_clock()) if self._heap else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._new_first.wait()
            except TimeoutError:
                continue

    def cancel(self, number: int) -> None:
        """Do not make this call. Tokens may live for months, and connections for seconds."""
        del self._calls[number]
        cancelled = len(self._heap) - len(self._calls)
        if cancelled > CANCELLED_MAX and cancelled > len(self._calls):
            self._heap = [each for each in self._heap if each[1] in self._calls]
            heapq.heapify(self._heap)
