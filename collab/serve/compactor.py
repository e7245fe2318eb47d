"""Writes snapshots, so that opening a document costs its content and not its history.

No edit waits for it, and any number of compactors may run. One reads the store, compacts the tail into the snapshot
outside any transaction, checks the result, and puts it in place only if no other one did meanwhile. No row is ever
deleted.
"""

import asyncio
import time
from collections.abc import Callable

from collab.crdt.stored import checked_state, load_in_steps, read_in_slices
from collab.errors import CollabError, StoreUnavailable
from collab.ids import DocumentName
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.room.compaction import ROW_COST_BYTES, TAIL_BYTES_MIN, is_due
from collab.serve.stepwise import slow_s, take_steps
from collab.store.base import Snapshot, Store, Tail

log = get_logger("compactor")

CANDIDATES_MAX = 50

COSTLY_S = 1.0
"""Seconds that the slow slices of a state may take together. A snapshot is read in one go, and keeps everybody waiting.
A document that somebody made costly on purpose stays in its log, which is read in slices."""


class Compactor:
    """Compacts the documents whose log has grown enough; ``run`` is its task."""

    def __init__(
        self,
        store: Store,
        *,
        interval_s: float,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._store = store
        self._interval_s = interval_s
        self._metrics = metrics or Metrics()
        self._left: dict[DocumentName, None] = {}
        self._wake = asyncio.Event()
        self._refused: set[DocumentName] = set()
        """Documents whose compaction failed its check. This process does not try them again."""

    def left(self, name: DocumentName) -> None:
        """Note that the last session has left the document on this replica."""
        self._left[name] = None
        self._wake.set()

    async def run(self) -> None:
        """Compact for ever."""
        while True:
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.compact_due()
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error))

    async def compact_due(self) -> int:
        """Compact every document that is due now, and return their number."""
        left, self._left = self._left, {}
        due = [tail.document for tail in await self._heaviest()]
        for name in left:
            tail = await self._store.tail(name)
            if tail is not None and is_due(
                rows=tail.rows, row_bytes=tail.row_bytes, snapshot_bytes=tail.snapshot_bytes, people_left=True
            ):
                due.append(name)
        done = 0
        for name in dict.fromkeys(due):
            if name not in self._refused:
                done += await self.compact(name)
        return done

    async def _heaviest(self) -> list[Tail]:
        """Return the heaviest tails, which are due even while people are in the document."""
        limit = CANDIDATES_MAX + len(self._refused)  # refused ones must not crowd out the others
        return await self._store.tails(row_cost=ROW_COST_BYTES, cost_min=TAIL_BYTES_MIN, limit=limit)

    async def compact(self, name: DocumentName) -> bool:
        """Compact one document. Return False if another compactor was quicker, or if it cannot be compacted."""
        try:
            stored = await self._store.load(name)
            if stored.deleted or not stored.tail:
                return False
            before = stored.snapshot
            document = await take_steps(load_in_steps(None if before is None else before.state, stored.tail))
            if await slow_s(read_in_slices(document.encode()), self._clock) > COSTLY_S:
                log.warning("fold_too_costly", document=name)
                self._refused.add(name)
                return False
            state = await take_steps(checked_state(document))
        except StoreUnavailable:
            raise
        except CollabError:
            log.exception("fold_refused", document=name)
            self._refused.add(name)
            return False
        snapshot = Snapshot(stored.head, state, 0 if before is None else before.version)
        written = await self._store.put_snapshot(name, stored.epoch, snapshot)
        if written:
            self._metrics.snapshots.inc()
            self._metrics.snapshot_bytes.inc(len(state))
            log.info("snapshot_written", document=name, seq=stored.head, bytes=len(state))
        return written
