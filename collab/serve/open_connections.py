"""The connections that are being served, so that a shutdown can end them all and wait for the last."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from collab.errors import CollabError


class Endable(Protocol):
    """A connection that can be told to end."""

    def end(self, error: CollabError) -> None:
        """End for this reason, after sending what is queued."""


class OpenConnections:
    """The set of open connections. Iterating is safe while connections come and go."""

    def __init__(self) -> None:
        self._open: set[Endable] = set()
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    def __iter__(self) -> Iterator[Endable]:
        return iter(list(self._open))

    def add(self, connection: Endable) -> None:
        """Count a connection as open."""
        self._open.add(connection)
        self._all_ended.clear()

    def discard(self, connection: Endable) -> None:
        """Count a connection as ended."""
        self._open.discard(connection)
        if not self._open:
            self._all_ended.set()

    async def all_ended(self) -> None:
        """Return once none is open."""
        await self._all_ended.wait()
