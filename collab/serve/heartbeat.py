"""One timer for all connections: each is visited once a period, a few of them at a time.

A timer of its own for every connection, set anew with every frame, would cost more than the frames.
"""

import asyncio
from collections import deque
from typing import Protocol

PARTS = 16
"""Parts of a period. The connections are spread over them as they come."""


class Beating(Protocol):
    """Something that is visited once a period."""

    def beat(self) -> bool:
        """Do what is due. Return False to be visited no more."""


class Heartbeat:
    """All that is visited; ``run`` is its task. ``period_s``: seconds from one visit to the next."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._parts: deque[list[Beating]] = deque([] for _ in range(PARTS))
        """What is visited together. The first part is visited next."""
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def add(self, beating: Beating) -> None:
        """Visit it from now on, for the first time when nearly a period has passed."""
        self._parts[-1].append(beating)
        self._filled.set()

    def beat(self) -> None:
        """Visit the next part."""
        visited = self._parts[0]
        visited[:] = [each for each in visited if each.beat()]
        self._parts.rotate(-1)

    async def run(self) -> None:
        """Visit part after part for ever, and sleep while there is none."""
        while True:
            self._filled.clear()
            if not len(self):
                await self._filled.wait()
            await asyncio.sleep(self.period_s / PARTS)
            self.beat()
