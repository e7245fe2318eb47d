"""The conversation with a y-websocket client, frame by frame."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import Draining, PermissionDenied, ProtocolError, StoreUnavailable
from collab.ids import DocumentName, UserId
from collab.limits import ServerLimits
from collab.serve.connection import UNKNOWN_MAX
from collab.serve.server import Server
from collab.store.base import Stored
from collab.store.memory import MemoryStore
from tests.serve.parts import ScriptedSocket, make_server, serve_ywebsocket, ticks
from tests.waiting import eventually

NOTES = DocumentName("notes")
ADA = Principal(UserId("ada"), "Ada", None, {"**": Role.EDITOR}, None)
STEP1, UNKNOWN, TOKEN = bytes([0, 0, 1, 0]), bytes([99]), bytes([0, 9])


class FaultyStore(MemoryStore):
    """A store that is away when it should load."""

    is_away = False

    async def load(self, name: DocumentName) -> Stored:
        if self.is_away:
            raise StoreUnavailable
        return await super().load(name)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with make_server(FaultyStore(), limits=ServerLimits(denial_hold_s=0)) as server:
        yield server


async def test_step1_is_answered_with_step2_and_a_step1(server: Server) -> None:
    socket = ScriptedSocket(STEP1)
    serving = asyncio.create_task(serve_ywebsocket(server, socket, NOTES, ADA))
    await eventually(lambda: len(socket.sent) == 2)
    assert {frame[:2] for frame in socket.sent} == {b"\0\0", b"\0\1"}
    socket.hang_up()
    await serving
    assert [host.sessions for host in server.rooms.hosts] == [0]


async def test_malformed_frame_ends_the_connection(server: Server) -> None:
    socket = ScriptedSocket(TOKEN)
    await serve_ywebsocket(server, socket, NOTES, ADA)
    assert isinstance(socket.closed_for, ProtocolError)


async def test_a_few_messages_of_unknown_types_are_ignored(server: Server) -> None:
    socket = ScriptedSocket(*[UNKNOWN] * UNKNOWN_MAX, STEP1)
    serving = asyncio.create_task(serve_ywebsocket(server, socket, NOTES, ADA))
    await eventually(lambda: len(socket.sent) == 2)
    socket.say(UNKNOWN)
    await serving
    assert isinstance(socket.closed_for, ProtocolError)


async def test_a_client_without_a_role_is_told_so_before_the_close(server: Server) -> None:
    socket = ScriptedSocket()
    nobody = Principal(UserId("eve"), "Eve", None, {}, None)
    await serve_ywebsocket(server, socket, NOTES, nobody)
    assert b"permission-denied" in socket.sent[0]
    assert isinstance(socket.closed_for, PermissionDenied)


async def test_a_client_is_not_told_of_an_error_that_passes(server: Server) -> None:
    assert isinstance(server.store, FaultyStore)
    server.store.is_away = True
    socket = ScriptedSocket()
    await serve_ywebsocket(server, socket, NOTES, ADA)
    assert socket.sent == []
    assert isinstance(socket.closed_for, StoreUnavailable)


async def test_a_room_that_ends_its_sessions_ends_the_connection(server: Server) -> None:
    socket = ScriptedSocket(STEP1)
    serving = asyncio.create_task(serve_ywebsocket(server, socket, NOTES, ADA))
    await eventually(lambda: socket.sent)
    for host in server.rooms.hosts:
        host.fail(Draining())
    await serving
    assert isinstance(socket.closed_for, Draining)


async def test_a_denied_client_is_held_until_it_hangs_up() -> None:
    socket = ScriptedSocket()
    stranger = Principal(UserId("eve"), "Eve", None, {}, None)
    async with make_server(MemoryStore(), limits=ServerLimits(denial_hold_s=3600)) as server:
        serving = asyncio.create_task(serve_ywebsocket(server, socket, NOTES, stranger))
        await eventually(lambda: socket.sent)
        await ticks(50)
        assert not socket.is_closed
        socket.hang_up()
        await serving
