"""Empties the bin: purges what has been in it for long, and removes the rows of what was purged.

Any number of replicas may do so. Each step is one short transaction, and goes on where any other has stopped, so
neither a replica that dies in the middle nor two at once do harm. A purge that an owner asks for is final at once; here
its rows follow.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from collab.errors import StoreUnavailable
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.store.base import Store

log = get_logger("purger")

INTERVAL_S = 600.0
"""How often the bin is looked through."""

DOCUMENTS_MAX = 100
"""Documents that one transaction purges."""

ROWS_MAX = 1000
"""Rows that one transaction removes."""

PAUSE_S = 0.02
"""Seconds between two transactions: edits are committed meanwhile."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Purger:
    """Keeps the bin from growing for ever; ``run`` is its task."""

    def __init__(
        self,
        store: Store,
        *,
        bin_days: float,
        metrics: Metrics,
        now: Callable[[], datetime] = _utc_now,
        interval_s: float = INTERVAL_S,
    ) -> None:
        """``bin_days``: how long documents stay in the bin."""
        self._store = store
        self._stay = timedelta(days=bin_days)
        self._metrics = metrics
        self._now = now
        self._interval_s = interval_s
        self._wake = asyncio.Event()

    def look_now(self) -> None:
        """Begin at the next chance: a document was purged."""
        self._wake.set()

    async def run(self) -> None:
        """Purge for ever."""
        while True:
            self._wake.clear()
            try:
                await self.purge_due()
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error))
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def purge_due(self) -> None:
        """Purge all that is due, and remove all rows of what was purged."""
        while names := await self._store.purge_older(self._now() - self._stay, DOCUMENTS_MAX):
            for name in names:
                log.info("document_purged", document=name)
            await asyncio.sleep(PAUSE_S)
        removed = ROWS_MAX
        while removed:
            removed = await self._store.clear_purged(ROWS_MAX)
            await asyncio.sleep(PAUSE_S)
