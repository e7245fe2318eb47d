"""``collab serve`` with a store that waits, kills the process or lies on command. The rest of the server is real.

Run as a program (``ServerProcess(program=SCHEDULED_SERVER)``), this module is the server; a test uses ``Schedule``.
They communicate through files, so a command that a test gives before its first edit is certain to be in force.
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

SCHEDULED_SERVER = "tests.scheduled_server"
_DIRECTORY = "COLLAB_TEST_SCHEDULE_IN"

HOLD = "hold the commits back"
"""No append returns until this command is cleared or replaced."""
BEFORE_COMMIT = "die before the commit"
"""The update is applied and sent to the other clients, but the log does not have it."""
AFTER_COMMIT = "die after the commit"
"""The log has the update, but no client got an acknowledgement."""
LIE = "acknowledge before the commit"
"""Break the promise of this project: each batch is written only when the next one arrives."""


class Schedule:
    """What the store of the server started with ``environment`` does on every append: one command at a time."""

    def __init__(self, directory: Path) -> None:
        self._command = directory / "command"
        self._held = directory / "held"
        self.environment = {_DIRECTORY: str(directory)}

    @property
    def current(self) -> str:
        """The command in force, or an empty string."""
        return self._command.read_text() if self._command.exists() else ""

    @property
    def held_rows(self) -> int:
        """Number of rows in the append that the server is holding back; 0 if there is none."""
        return int(self._held.read_text()) if self._held.exists() else 0

    def set(self, command: str) -> None:
        """Apply ``command`` to every append from now on."""
        self._held.unlink(missing_ok=True)
        _write(self._command, command)

    def clear(self) -> None:
        """Let the store work normally from now on."""
        self._command.unlink(missing_ok=True)

    def note_held(self, rows: int) -> None:
        """Record, in the server, that an append of this many rows is held back."""
        _write(self._held, str(rows))


def _write(file: Path, text: str) -> None:
    """Replace the file at once, so that the other process never reads half of it."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


class ScheduledStore(SqlStore):
    """The store that the settings name, made to follow a schedule."""

    def __init__(self, url: str, schedule: Schedule) -> None:
        super().__init__(url)
        self._schedule = schedule
        self._withheld: list[Row] = []
        self._heads: dict[DocumentName, int] = {}

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """Append as the real store does, unless a command says otherwise."""
        while (command := self._schedule.current) == HOLD:
            self._schedule.note_held(len(rows))
            await asyncio.sleep(0.01)
        if command == LIE:
            return await self._lie(list(rows))
        if command == BEFORE_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)
        outcomes = await super().append(rows)
        if command == AFTER_COMMIT:
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


def create_scheduled_app(settings: Settings, *, store: Store | None = None, relay: Relay | None = None) -> FastAPI:
    """Return the app of ``create_app`` on a scheduled store."""
    assert store is None, "the scheduled server makes its own store"
    schedule = Schedule(Path(os.environ[_DIRECTORY]))
    return create_app(settings, store=ScheduledStore(settings.database_url, schedule), relay=relay)


if __name__ == "__main__":
    cli.create_app = create_scheduled_app  # type: ignore[attr-defined]  # the real command line, with another store
    cli.main()
