"""The catalogue follows the titles in the documents, also after a crash."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pycrdt
import pytest

from collab.errors import StoreUnavailable
from collab.ids import DocumentName, Epoch, UserId, WriterId
from collab.observe.metrics import Metrics
from collab.protocol.messages import Update
from collab.protocol.rows import Entry, Row, encode_entries
from collab.room.events import Said
from collab.serve import server as module
from collab.serve import title_writer
from collab.serve.title_writer import TitleWriter
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, make_server, writer
from tests.waiting import eventually

NOTES = DocumentName("notes")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    monkeypatch.setattr(title_writer, "RETRY_S", 0.01)


def entitled(title: str) -> bytes:
    client = YjsClient(1)
    meta: Any = client.doc.get("meta", type=pycrdt.Map)
    return client.change(lambda: meta.__setitem__("title", title))


async def is_listed(store: MemoryStore, title: str) -> None:
    async def listed() -> bool:
        return title in [each.title for each in await store.latest(9)]

    await eventually(listed)


async def test_title_that_somebody_typed_is_listed() -> None:
    store = MemoryStore()
    async with make_server(store) as server:
        session = writer(1)
        host = await server.rooms.join(NOTES, session, RecordingSink())
        host.tell(Said(session.id, Update(entitled("Minutes"))))
        await is_listed(store, "Minutes")


async def test_title_that_a_crash_kept_from_the_list_is_listed_after_the_start() -> None:
    store = MemoryStore()
    entries = encode_entries([Entry(UserId("ann"), entitled("Minutes"))])
    await store.append([Row(NOTES, Epoch(0), WriterId(7), 1, entries)])
    assert (await store.find(NOTES)).title == ""
    async with make_server(store):
        await is_listed(store, "Minutes")


async def test_title_is_written_once_the_store_answers_again() -> None:
    store = AbsentStore()
    await store.create(NOTES, "")
    titles = TitleWriter(store, Metrics())
    titles.note(NOTES, "Old")
    running = asyncio.create_task(titles.run())
    await eventually(lambda: store.tries > 1)
    titles.note(NOTES, "New")
    store.is_away = False
    await is_listed(store, "New")
    running.cancel()


class AbsentStore(MemoryStore):
    """A store that does not answer while it is away."""

    is_away = True
    tries = 0

    async def set_titles(self, titles: Mapping[DocumentName, str]) -> None:
        self.tries += 1
        if self.is_away:
            raise StoreUnavailable
        await super().set_titles(titles)
