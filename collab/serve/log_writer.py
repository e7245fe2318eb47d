"""The one writer of a process: whatever queued since the last commit is the next transaction.

It stands between the rooms, which form rows, and the store. A batch is frozen until its outcome is known and
offered again with the same keys for as long as the database does not answer; nothing is acknowledged meanwhile,
and when too much waits, the sockets are read no further (``writable``).
"""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

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


class RowSource(Protocol):
    """Who has rows to write: a host, for its room."""

    def next_row(self) -> Row | None:
        """The next row, or None when nothing waits."""

    def row_written(self, outcome: Outcome) -> None:
        """What became of the row."""

    def row_failed(self, error: CollabError) -> None:
        """The row can never be written."""


class LogWriter:
    """``run`` is the writer task; everything else may be called from any task of the loop."""

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
        self._dirty: dict[RowSource, None] = {}
        self._batch: list[tuple[RowSource, Row]] = []
        self._queued_bytes = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def queued_bytes(self) -> int:
        """Update bytes that are accepted and not committed."""
        return self._queued_bytes

    def submit(self, source: RowSource, size: int) -> None:
        """``size`` more bytes wait at ``source``."""
        self._queued_bytes += size
        self._dirty[source] = None
        self._work.set()
        self._idle.clear()
        if self._queued_bytes > self._queue_bytes_max:
            self._room.clear()

    def release(self, size: int) -> None:
        """``size`` of the bytes submitted are committed, or were dropped with their room."""
        self._queued_bytes -= size
        if self._queued_bytes <= self._queue_bytes_max:
            self._room.set()

    async def writable(self) -> None:
        """Return when there is room for more. A reader waits here, and TCP makes its client wait."""
        await self._room.wait()

    async def flush(self) -> None:
        """Return when everything submitted so far, and since, is committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever. Cancelling leaves the batch as it is: started again, it is offered again."""
        while True:
            await self._work.wait()
            began_s = self._clock()
            if not self._batch:
                self._batch = self._collect()
            if self._batch:
                await self._write_batch()
            if not self._dirty and not self._batch:
                self._work.clear()
                self._idle.set()
            # Under load, wait for company: one commit costs the same for one row and for a hundred.
            spent_s = self._clock() - began_s
            if self._dirty and spent_s < self._window_s:
                await asyncio.sleep(self._window_s - spent_s)

    def _collect(self) -> list[tuple[RowSource, Row]]:
        batch: list[tuple[RowSource, Row]] = []
        size = 0
        for source in list(self._dirty):
            if len(batch) >= BATCH_ROWS_MAX or size >= BATCH_BYTES_MAX:
                break
            row = source.next_row()
            if row is None:
                del self._dirty[source]
            else:
                batch.append((source, row))
                size += len(row.payload)
        return batch

    async def _write_batch(self) -> None:
        rows = [row for _, row in self._batch]
        try:
            outcomes = await self._append(rows)
        except Exception:
            # Not the database being away, which is waited for: something in the batch cannot be written.
            log.exception("batch_refused", rows=len(rows))
            await self._write_one_by_one()
            return
        batch, self._batch = self._batch, []
        for (source, _), outcome in zip(batch, outcomes, strict=True):
            source.row_written(outcome)

    async def _write_one_by_one(self) -> None:
        """One row that cannot be written must not hold back the others."""
        while self._batch:
            source, row = self._batch[0]
            try:
                (outcome,) = await self._append([row])
            except Exception:
                log.exception("row_refused", document=row.document, origin=row.writer, n=row.n)
                self._batch.pop(0)
                source.row_failed(StoreUnavailable("The edit could not be written; reconnect."))
                continue
            self._batch.pop(0)
            source.row_written(outcome)

    async def _append(self, rows: list[Row]) -> list[Outcome]:
        """Until the database answers. The rows are the same each time: an unknown outcome costs nothing."""
        delay_s = RETRY_S_MIN
        while True:
            began_s = self._clock()
            try:
                outcomes = await self._store.append(rows)
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error), rows=len(rows), retry_s=round(delay_s, 2))
            else:
                self._metrics.commit_s.observe(self._clock() - began_s)
                self._metrics.commit_rows.observe(len(rows))
                return outcomes
            await asyncio.sleep(random.uniform(delay_s / 2, delay_s))  # noqa: S311 - spreads replicas
            delay_s = min(delay_s * 2, RETRY_S_MAX)
