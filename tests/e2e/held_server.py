"""``collab serve`` whose commits a test can hold back: the server is the real one, only its database waits.

Run as a program (``ServerProcess(program=HELD_SERVER)``) it is the server; ``Hold`` is the test's side. The two speak
through files, since a test must be able to say "hold" before the first edit is typed and be sure that it was heard.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI

from collab import cli
from collab.api.app import create_app
from collab.protocol.rows import Row
from collab.relay.base import Relay
from collab.settings import Settings
from collab.store.base import Outcome, Store
from collab.store.sql import SqlStore

HELD_SERVER = "tests.e2e.held_server"
_DIRECTORY = "HOLD_COMMITS_IN"


class Hold:
    """Holds the commits of the server that was started with ``environment``."""

    def __init__(self, directory: Path) -> None:
        self._wanted = directory / "hold"
        self._rows = directory / "held"
        self.environment = {_DIRECTORY: str(directory)}

    @property
    def is_wanted(self) -> bool:
        return self._wanted.exists()

    @property
    def rows(self) -> int:
        """How many rows the server wanted to commit, when it last asked since the hold began, and may not."""
        return int(self._rows.read_text()) if self._rows.exists() else 0

    def begin(self) -> None:
        """From now on no commit begins."""
        self._rows.unlink(missing_ok=True)
        self._wanted.touch()

    def end(self) -> None:
        """Let them go on."""
        self._wanted.unlink()

    def note(self, rows: int) -> None:
        """From the server: so many rows are held."""
        draft = self._rows.with_suffix(".draft")
        draft.write_text(str(rows))
        draft.replace(self._rows)


class HeldStore(SqlStore):
    """The store that the settings name, with a gate before every commit."""

    def __init__(self, url: str, hold: Hold) -> None:
        super().__init__(url)
        self._hold = hold

    async def append(self, rows: Sequence[Row]) -> list[Outcome]:
        """As the store's, once nobody holds it."""
        while self._hold.is_wanted:
            self._hold.note(len(rows))
            await asyncio.sleep(0.01)
        return await super().append(rows)


def create_held_app(settings: Settings, *, store: Store | None = None, relay: Relay | None = None) -> FastAPI:
    """As ``create_app``, on a held store."""
    assert store is None, "the store is ours to choose"
    hold = Hold(Path(os.environ[_DIRECTORY]))
    return create_app(settings, store=HeldStore(settings.database_url, hold), relay=relay)


if __name__ == "__main__":
    cli.create_app = create_held_app  # type: ignore[attr-defined]  # the very command, with another store
    cli.main()
