"""Lets rooms go on with large updates without keeping the event loop from everything else.

A room does such work in small steps and asks for each. Of all rooms on this replica one works at a time, for at most
``TURN_S``; then the loop is free for as long as that took, at least, before the next turn. So this work never takes
more than half of the loop, and what comes meanwhile waits for one turn at most.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

TURN_S = 0.004
"""Seconds after which a turn ends. The step that is under way then may take a few more milliseconds."""


class Worker(Protocol):
    """A room with work to do."""

    def go_on(self) -> bool:
        """Take one step. Return True if there is more to do."""


class LoopTurns:
    """The rooms that wait for their turn."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[Worker, None] = {}
        """In the order of their turns."""
        self._is_scheduled = False

    def ask(self, worker: Worker) -> None:
        """Give a room a turn, soon."""
        self._waiting[worker] = None
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        worker = next(iter(self._waiting))
        began_s = self._clock()
        spent_s = 0.0
        has_more = True
        try:
            while has_more and spent_s < TURN_S:
                has_more = worker.go_on()
                spent_s = self._clock() - began_s
        finally:  # or a bug in one room would keep every other from its turn
            del self._waiting[worker]  # only now: a room asks for its next turn while it has this one
            if has_more:
                self._waiting[worker] = None
            self._is_scheduled = bool(self._waiting)
            if self._is_scheduled:
                asyncio.get_running_loop().call_later(spent_s, self._take_turn)
