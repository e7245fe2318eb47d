"""``collab serve`` with a store that waits, dies or lies on command; all the rest of the server is the real one.

Run as a program (``ServerProcess(program=ORDERED_SERVER)``) it is the server; ``Orders`` is the test's side. The two
speak through files, since a test must be able to give an order before the first edit is typed and be sure that it was
heard.
"""

import asyncio
import os
import signal
from collections.abc import Sequence as Seq
from pathlib import Path

from fastapi import FastAPI

from collab import cli
from collab.api.app import create_app
from collab.ids import DocumentName, Sequence
from collab.protocol.rows import Row
from collab.relay.base import Relay
from collab.settings import Settings
from collab.store.base import Committed, Outcome, Store
from collab.store.sql import SqlStore

ORDERED_SERVER = "tests.ordered_server"
_DIRECTORY = "COLLAB_TEST_ORDERS_IN"

HOLD = "hold the commits back"
"""Until the order is another, or the end."""
BEFORE_COMMIT = "die before the commit"
"""The update is applied and shown to the other people; the log does not have it."""
AFTER_COMMIT = "die after the commit"
"""The log has it; nobody was told."""
LIE = "acknowledge before the commit"
"""What this project promises never to do: each batch is written only when the next one comes."""


class Orders:
    """Orders for the server that was started with ``environment``: each is for every append from now on."""

    def __init__(self, directory: Path) -> None:
        self._order = directory / "order"
        self._held = directory / "held"
        self.environment = {_DIRECTORY: str(directory)}

    @property
    def current(self) -> str:
        """The order that stands; empty when there is none."""
        return self._order.read_text() if self._order.exists() else ""

    @property
    def held_rows(self) -> int:
        """How many rows the server wanted to commit, when it last asked since it was told to hold, and may not."""
        return int(self._held.read_text()) if self._held.exists() else 0

    def give(self, order: str) -> None:
        """From now on this is what happens."""
        self._held.unlink(missing_ok=True)
        _write(self._order, order)

    def withdraw(self) -> None:
        """From now on nothing happens but what should."""
        self._order.unlink(missing_ok=True)

    def note_held(self, rows: int) -> None:
        """From the server: so many rows are held."""
        _write(self._held, str(rows))


def _write(file: Path, text: str) -> None:
    """So that nobody reads half of it."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


class OrderedStore(SqlStore):
    """The store that the settings name, which does what the orders say."""

    def __init__(self, url: str, orders: Orders) -> None:
        super().__init__(url)
        self._orders = orders
        self._withheld: list[Row] = []
        self._heads: dict[DocumentName, int] = {}

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """The real one, unless it was ordered otherwise."""
        while (order := self._orders.current) == HOLD:
            self._orders.note_held(len(rows))
            await asyncio.sleep(0.01)
        if order == LIE:
            return await self._lie(list(rows))
        if order == BEFORE_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        outcomes = await super().append(rows)
        if order == AFTER_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

    async def _lie(self, rows: list[Row]) -> list[Outcome]:
        if self._withheld:
            await super().append(self._withheld)
        self._withheld = rows
        outcomes: list[Outcome] = []
        for row in rows:
            head = self._heads.get(row.document)
            if head is None:
                head = (await self.load(row.document)).head
            self._heads[row.document] = head + 1
            outcomes.append(Committed(Sequence(head + 1)))
        return outcomes


def create_ordered_app(settings: Settings, *, store: Store | None = None, relay: Relay | None = None) -> FastAPI:
    """As ``create_app``, on a store under orders."""
    assert store is None, "the store is ours to choose"
    orders = Orders(Path(os.environ[_DIRECTORY]))
    return create_app(settings, store=OrderedStore(settings.database_url, orders), relay=relay)


if __name__ == "__main__":
    cli.create_app = create_ordered_app  # type: ignore[attr-defined]  # the very command, with another store
    cli.main()
