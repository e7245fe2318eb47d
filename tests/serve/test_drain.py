"""A drain reads no more messages, commits and acknowledges what was accepted, and only then ends the sessions."""

import asyncio

import pytest

from collab.crdt.stored import load_document
from collab.errors import Draining
from collab.ids import DocumentName
from collab.protocol.messages import Saved, SyncStep1, Update
from collab.serve.sink import EncodedMessage
from collab.store.base import Stored
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, SlowStore, make_server, ticks, writer
from tests.waiting import eventually

NOTES = DocumentName("notes")


class CountingSink(RecordingSink):
    """A sink that counts acknowledgements."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = 0

    def send(self, message: EncodedMessage) -> None:
        assert self.ended is None
        self.saved += isinstance(message.message, Saved)


async def test_drain_ends_although_a_client_types_without_pause(caplog: pytest.LogCaptureFixture) -> None:
    store, ada, author = MemoryStore(), CountingSink(), YjsClient(7)
    typed = 0

    async def type_on() -> None:
        nonlocal typed
        while ada.ended is None:
            host.hear(writer(101).id, Update(author.type(typed, "x")))
            typed += 1
            await asyncio.sleep(0)

    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, writer(101), ada)
        typing = asyncio.create_task(type_on())
        await eventually(lambda: ada.saved > 100)
        await server.drain()
        await typing
    assert isinstance(ada.ended, Draining)
    assert "drain_timed_out" not in caplog.text
    stored = load_document(None, (await store.load(NOTES)).tail).text()
    assert stored == "x" * ada.saved
    assert ada.saved < typed


async def test_second_drain_waits_for_the_first() -> None:
    store, ada, author = SlowStore(), CountingSink(), YjsClient(7)
    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, writer(101), ada)
        host.hear(writer(101).id, Update(author.type(0, "x")))
        first, second = (asyncio.create_task(server.drain()) for _ in range(2))
        await eventually(lambda: server.is_draining)
        first.cancel()  # the first caller may give up: the drain is not its own
        await asyncio.wait({first})
        assert not second.done()
        store.go_on.set()
        await second
        assert (ada.saved, isinstance(ada.ended, Draining)) == (1, True)


async def test_session_that_joins_during_a_drain_is_refused() -> None:
    store, ada, author = SlowStore(), CountingSink(), YjsClient(7)
    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, writer(101), ada)
        host.hear(writer(101).id, Update(author.type(0, "x")))
        draining = asyncio.create_task(server.drain())
        await eventually(lambda: server.is_draining)
        for name in (NOTES, DocumentName("other")):
            with pytest.raises(Draining):
                await server.rooms.join(name, writer(102), CountingSink())
        assert (ada.saved, ada.ended) == (0, None)
        store.go_on.set()
        await draining
    assert ada.saved == 1


async def test_message_during_a_drain_is_not_accepted() -> None:
    store, ada, author = SlowStore(), CountingSink(), YjsClient(7)
    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, writer(101), ada)
        host.hear(writer(101).id, Update(author.type(0, "x")))
        draining = asyncio.create_task(server.drain())
        await eventually(lambda: server.is_draining)
        await asyncio.sleep(0)
        host.hear(writer(101).id, Update(author.type(1, "y")))
        host.hear(writer(101).id, SyncStep1(b"\0"))
        store.go_on.set()
        await draining
    assert ada.saved == 1
    assert load_document(None, (await store.load(NOTES)).tail).text() == "x"


async def test_drain_gives_up_a_document_that_is_loading() -> None:
    class SlowLoad(MemoryStore):
        async def load(self, name: DocumentName) -> Stored:
            loading.set()
            await asyncio.Event().wait()
            return await super().load(name)

    loading = asyncio.Event()
    async with make_server(SlowLoad()) as server:
        joining = asyncio.create_task(server.rooms.join(NOTES, writer(101), RecordingSink()))
        await loading.wait()
        await server.drain()
        with pytest.raises(Draining):
            await joining


async def test_cancelled_shutdown_leaves_no_task() -> None:
    store = SlowStore()

    async def serve() -> None:
        async with make_server(store) as server:
            host = await server.rooms.join(NOTES, writer(101), CountingSink())
            host.hear(writer(101).id, Update(YjsClient(7).type(0, "x")))
            stopping.set()

    stopping = asyncio.Event()
    serving = asyncio.create_task(serve())
    await stopping.wait()
    await ticks(5)
    serving.cancel()
    await asyncio.wait({serving})
    assert serving.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
