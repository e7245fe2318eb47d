"""Writes the titles of documents into the catalogue, where lists find them.

The title itself is part of the document. Rooms tell when it has changed, and what they told since the last write is
written with one statement. A server that died may have taken a title with it that was committed and not told of, so
the documents that were edited last are opened again at the start.
"""

import asyncio
from datetime import timedelta

from collab.errors import CollabError, StoreUnavailable
from collab.ids import DocumentName
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.serve.rooms import Rooms
from collab.store.base import Store

log = get_logger("title_writer")

RETRY_S = 1.0
"""Seconds until the next try while the store is away."""

LOOK_BACK = timedelta(seconds=10)
"""How long before the last edit in the store a title may have been typed that no room has told of."""

LOOK_BACK_DOCUMENTS_MAX = 100


class TitleWriter:
    """The writer of titles; ``run`` is its task."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._due: dict[DocumentName, str] = {}
        """At most one title for each room. While the store is away no more rooms are opened."""
        self._has_work = asyncio.Event()

    def note(self, name: DocumentName, title: str) -> None:
        """Have a title written."""
        self._due[name] = title
        self._has_work.set()

    async def run(self) -> None:
        """Write titles for ever."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            due, self._due = self._due, {}
            try:
                await self._store.set_titles(due)
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error), titles=len(due))
                self._due = due | self._due
                self._has_work.set()
                await asyncio.sleep(RETRY_S)

    async def look_back(self, rooms: Rooms) -> None:
        """Open the documents that were edited just before the last edit in the store. Their rooms tell the titles."""
        try:
            latest = await self._store.latest(LOOK_BACK_DOCUMENTS_MAX)
        except StoreUnavailable as error:
            log.warning("store_unavailable", error=str(error))
            return
        for info in latest:
            if info.updated_at < latest[0].updated_at - LOOK_BACK:
                return
            try:
                await rooms.open(info.name)
            except CollabError as error:
                log.warning("title_not_read", document=info.name, reason=error.slug)
