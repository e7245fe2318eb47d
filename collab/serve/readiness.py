"""Whether this replica can save what it takes, for whoever sends people to it.

It stands between the route that anybody may ask, as often as they like, and the store, which others need.
"""

import asyncio
from collections.abc import Callable

from collab.errors import StoreUnavailable
from collab.store.base import Store

READY_S_MAX = 2.0
"""How long the store may take to answer."""

HOLDS_S = 1.0
"""How long its answer holds."""


class Readiness:
    """Of one store. ``clock`` is any steady one, in seconds."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._asking = asyncio.Lock()
        self._holds_until_s = float("-inf")
        self._can_save = False

    async def check(self) -> None:
        """Raises StoreUnavailable when nothing can be saved now."""
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
