"""Commits the rows of all rooms of this process, in groups: what queued during one commit is the next transaction.

Grouping is what makes a durable acknowledgement cheap: one commit costs the same for one row and for a hundred. The
rows of a batch do not change until its outcome is known; while the database does not answer they are offered again
with the same keys, so an unknown outcome costs nothing. Nothing is acknowledged meanwhile. When too much is queued,
the sockets are not read until there is space again (``call_when_writable``).
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from collab.backoff import Backoff
from collab.errors import CollabError, StoreUnavailable
from collab.limits import ServerLimits
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.protocol.rows import Row
from collab.store.base import Outcome, Store

log = get_logger("persister")

BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 16 << 20
RETRY_S_MIN = 0.05
RETRY_S_MAX = 5.0


class RowProducer(Protocol):
    """The host of a room, as the writer of its rows sees it."""

    def next_row(self) -> Row | None:
        """Return the next row to write, or None when nothing is queued."""

    def row_written(self, outcome: Outcome) -> None:
        """Take note of the outcome of the row returned last."""

    def row_failed(self, error: CollabError) -> None:
        """Take note that the row returned last can never be written."""


class LogWriter:
    """The writer of the log. One task runs ``run``; the other methods may be called from any task of the loop.

    Two of the limits are for it: ``flush_window_ms`` is the shortest time from the beginning of one commit to the next
    (a row after a pause is committed at once), and with more uncommitted bytes than ``persister_queue_bytes_max`` it is
    full.
    """

    def __init__(
        self,
        store: Store,
        limits: ServerLimits,
        *,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._window_s = limits.flush_window_ms / 1000
        self._queue_bytes_max = limits.persister_queue_bytes_max
        self._clock = clock
        self._metrics = metrics
        self._producers: dict[RowProducer, None] = {}
        """Those with rows queued, in the order in which they came."""
        self._batch: list[tuple[RowProducer, Row]] = []
        self._queued_bytes = 0
        self.is_full = False
        """True while nothing more should be accepted."""
        self._has_work = asyncio.Event()
        self._has_space = asyncio.Event()
        self._has_space.set()
        self._waiting: dict[Callable[[], None], None] = {}
        """What is called once there is space."""
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @property
    def queued_bytes(self) -> int:
        """Update bytes that are accepted and not committed."""
        return self._queued_bytes

    def submit(self, producer: RowProducer, size: int) -> None:
        """Take note that ``producer`` has ``size`` more bytes to write."""
        self._queued_bytes += size
        self._producers[producer] = None
        self._has_work.set()
        self._is_idle.clear()
        if self._queued_bytes > self._queue_bytes_max:
            self.is_full = True
            self._has_space.clear()

    def release(self, size: int) -> None:
        """Take note that ``size`` of the submitted bytes were committed, or dropped together with their room."""
        self._queued_bytes -= size
        if self.is_full and self._queued_bytes <= self._queue_bytes_max:
            self.is_full = False
            self._has_space.set()
            waiting, self._waiting = self._waiting, {}
            for call in waiting:
                call()

    async def writable(self) -> None:
        """Return when the queue has space."""
        await self._has_space.wait()

    def call_when_writable(self, call: Callable[[], None]) -> None:
        """Call ``call`` once when the queue has space. Until then its socket is not read: TCP makes the client wait."""
        self._waiting[call] = None

    def forget(self, call: Callable[[], None]) -> None:
        """Do not call ``call``: its socket is closed. The database may be away for hours, and sockets come and go."""
        self._waiting.pop(call, None)

    async def flush(self) -> None:
        """Return when everything submitted before or meanwhile is committed."""
        await self._is_idle.wait()

    async def run(self) -> None:
        """Write until cancelled. The batch stays, and is offered again when this is called again."""
        began_s = -math.inf
        while True:
            await self._has_work.wait()
            if (rest_s := began_s + self._window_s - self._clock()) > 0:
                await asyncio.sleep(rest_s)
            began_s = self._clock()
            if not self._batch:
                self._batch = self._collect()
            if self._batch:
                await self._write_batch()
            if not self._producers and not self._batch:
                self._has_work.clear()
                self._is_idle.set()

    def _collect(self) -> list[tuple[RowProducer, Row]]:
        batch: list[tuple[RowProducer, Row]] = []
        size = 0
        for producer in list(self._producers):
            if len(batch) >= BATCH_ROWS_MAX or size >= BATCH_BYTES_MAX:
                break
            row = producer.next_row()
            if row is None:
                del self._producers[producer]
            else:
                batch.append((producer, row))
                size += len(row.payload)
        return batch

    async def _write_batch(self) -> None:
        rows = [row for _, row in self._batch]
        try:
            outcomes = await self._append(rows)
        except Exception:
            # The database answers, so waiting would not help: something in the batch cannot be written.
            log.exception("batch_refused", rows=len(rows))
            await self._write_one_by_one()
            return
        batch, self._batch = self._batch, []
        for (producer, _), outcome in zip(batch, outcomes, strict=True):
            producer.row_written(outcome)

    async def _write_one_by_one(self) -> None:
        """Write the rows of the batch alone, so that one that cannot be written does not hold back the others."""
        while self._batch:
            producer, row = self._batch[0]
            try:
                (outcome,) = await self._append([row])
            except Exception:
                log.exception("row_refused", document=row.document, origin=row.writer, n=row.n)
                self._batch.pop(0)
                producer.row_failed(StoreUnavailable("The edit could not be saved. Reconnect."))
                continue
            self._batch.pop(0)
            producer.row_written(outcome)

    async def _append(self, rows: list[Row]) -> list[Outcome]:
        """Commit the rows, trying again for as long as the database does not answer."""
        backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        while True:
            began_s = self._clock()
            try:
                outcomes = await self._store.append(rows)
            except StoreUnavailable as error:
                retry_s = backoff.next_s()
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error), rows=len(rows), retry_s=round(retry_s, 2))
                await asyncio.sleep(retry_s)
            else:
                self._metrics.commit_s.observe(self._clock() - began_s)
                self._metrics.commit_rows.observe(len(rows))
                return outcomes
