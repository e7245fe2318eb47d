"""The readiness check: can this replica save what it accepts?

Anybody may ask, as often as they like, so the store's answer is kept for a second.
"""

import asyncio
from collections.abc import Callable

from collab.errors import StoreUnavailable
from collab.store.base import Store

READY_S_MAX = 2.0
"""Seconds that the store may take to answer."""

HOLDS_S = 1.0
"""Seconds for which its answer is kept."""


class Readiness:
    """The readiness of one store. ``clock`` is any monotonic clock, in seconds."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._asking = asyncio.Lock()
        self._holds_until_s = float("-inf")
        self._can_save = False

    async def check(self) -> None:
        """Return if edits can be saved now. Raises StoreUnavailable if not."""
        async with self._asking:
            if self._clock() >= self._holds_until_s:
                self._can_save = await self._ask()
                self._holds_until_s = self._clock() + HOLDS_S
        if not self._can_save:
            raise StoreUnavailable

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(READY_S_MAX):
                await self._store.ping()
        except (TimeoutError, StoreUnavailable):
            return False
        return True
