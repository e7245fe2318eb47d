"""``collab serve`` with a store that dies, or lies, on command: ``python -m tests.faults.crashing_server serve``.

Everything else is the real server. ``COLLAB_TEST_ORDER`` names a file; what is written into it happens at the next
append.
"""

import asyncio
import os
import signal
from collections.abc import Sequence as Seq
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from collab import cli
from collab.api.app import create_app
from collab.ids import DocumentName, Sequence
from collab.protocol.rows import Row
from collab.settings import Settings
from collab.store.base import Committed, Outcome, Store
from collab.store.sql import SqlStore

BEFORE_COMMIT = "die before the commit"
"""The update is applied and shown to the other people; the log does not have it."""
AFTER_COMMIT = "die after the commit"
"""The log has it; nobody was told."""
HOLD = "hold the commit back"
"""Until the order is another, or the end."""
LIE = "acknowledge before the commit"
"""What this project promises never to do: each batch is written only when the next one comes."""


class CrashingStore:
    """A store that does what the order says."""

    def __init__(self, store: Store, order: Path) -> None:
        self._store = store
        self._order = order
        self._withheld: list[Row] = []
        self._heads: dict[DocumentName, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """The real one, unless it was ordered otherwise."""
        while (order := self._read_order()) == HOLD:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        if order == LIE:
            return await self._lie(list(rows))
        if order == BEFORE_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        outcomes = await self._store.append(rows)
        if order == AFTER_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

    def _read_order(self) -> str:
        return self._order.read_text() if self._order.exists() else ""

    async def _lie(self, rows: list[Row]) -> list[Outcome]:
        if self._withheld:
            await self._store.append(self._withheld)
        self._withheld = rows
        outcomes: list[Outcome] = []
        for row in rows:
            head = self._heads.get(row.document)
            if head is None:
                head = (await self._store.load(row.document)).head
            self._heads[row.document] = head + 1
            outcomes.append(Committed(Sequence(head + 1)))
        return outcomes


def create_crashing_app(settings: Settings) -> FastAPI:
    """What ``collab serve`` runs here."""
    store: Any = CrashingStore(SqlStore(settings.database_url), Path(os.environ["COLLAB_TEST_ORDER"]))
    return create_app(settings, store=store)


if __name__ == "__main__":
    cli.create_app = create_crashing_app  # type: ignore[assignment, attr-defined]
    cli.main()
