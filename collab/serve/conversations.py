"""The connections that are being served, so that a shutdown can end them all and wait for the last."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from collab.errors import CollabError


class Conversation(Protocol):
    """A connection that can be told to end."""

    def end(self, error: CollabError) -> None:
        """End for this reason, after sending what is queued."""


class OpenConversations:
    """The set of open connections. Iterating is safe while connections come and go."""

    def __init__(self) -> None:
        self._open: set[Conversation] = set()
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    def __iter__(self) -> Iterator[Conversation]:
        return iter(list(self._open))

    @contextmanager
    def track(self, conversation: Conversation) -> Iterator[None]:
        """Count `conversation` as open inside the block."""
        self._open.add(conversation)
        self._all_ended.clear()
        try:
            yield
        finally:
            self._open.discard(conversation)
            if not self._open:
                self._all_ended.set()

    async def all_ended(self) -> None:
        """Return once none is open."""
        await self._all_ended.wait()
