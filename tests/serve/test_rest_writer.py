"""A REST write is saved, or fails in time."""

import asyncio

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.crdt.stored import load_document
from collab.errors import StoreUnavailable
from collab.ids import ClientId, DocumentName, UserId
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate
from collab.serve.rest_writer import write_update
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, SlowStore, make_server, ticks, writer
from tests.waiting import eventually

NOTES = DocumentName("notes")
ROBOT = Principal(UserId("robot"), "Robot", None, {"**": Role.EDITOR}, None)


async def test_slow_write_fails_and_may_be_sent_again() -> None:
    store, update = SlowStore(), YjsClient(7).type(0, "Hello.")
    async with make_server(store) as server:
        with pytest.raises(StoreUnavailable, match="Send it again"):
            await write_update(server.parts, NOTES, ROBOT, update, timeout_s=0.01)
        await eventually(lambda: all(host.sessions == 0 for host in server.rooms.hosts))
        store.go_on.set()
        await write_update(server.parts, NOTES, ROBOT, update)
    assert load_document(None, (await store.load(NOTES)).tail).text() == "Hello."


async def test_cancelled_write_leaves_no_session() -> None:
    store = SlowStore()
    async with make_server(store) as server:
        writing = asyncio.create_task(write_update(server.parts, NOTES, ROBOT, YjsClient(7).type(0, "Hello.")))
        await eventually(lambda: any(host.sessions for host in server.rooms.hosts))
        writing.cancel()
        await asyncio.wait({writing})
        assert [host.sessions for host in server.rooms.hosts] == [0]
        store.go_on.set()


async def test_presence_of_others_is_no_acknowledgement_of_a_write() -> None:
    store, ada = SlowStore(), writer(1000)
    async with make_server(store) as server:
        host = await server.rooms.join(NOTES, ada, RecordingSink())
        writing = asyncio.create_task(write_update(server.parts, NOTES, ROBOT, YjsClient(7).type(0, "Hello.")))
        await eventually(lambda: host.sessions == 2 and not host.is_all_committed)
        host.hear(ada.id, AwarenessUpdate((AwarenessEntry(ClientId(8), 1, b"{}"),)))
        await ticks(10)
        assert not writing.done()
        store.go_on.set()
        await writing
