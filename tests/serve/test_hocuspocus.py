"""The conversation with a Hocuspocus provider: many documents on one socket, frame by frame."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import CollabError, NotAuthenticated, Overloaded, ProtocolError, StoreUnavailable
from collab.ids import DocumentName, UserId
from collab.limits import ServerLimits
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import KEEPALIVE, Authenticated, Refused
from collab.serve.hocuspocus import CLOSE_FRAME, STRANGER_MESSAGE_BYTES_MAX
from collab.serve.server import Server
from collab.store.base import Stored
from collab.store.memory import MemoryStore
from tests.deployment import token
from tests.frames import AUTH, CLOSE, STEP1, SYNC, TOKEN, UPDATE, encode_frame
from tests.serve.parts import ScriptedSocket, make_server, serve_hocuspocus, ticks
from tests.waiting import eventually

ADA = Principal(UserId("ada"), "Ada", None, {"**": Role.EDITOR}, None)


class FaultyStore(MemoryStore):
    """A store that cannot load one document, and never answers for another."""

    async def load(self, name: DocumentName) -> Stored:
        if name == "broken":
            raise StoreUnavailable
        if name == "slow":
            await asyncio.Event().wait()
        return await super().load(name)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    limits = ServerLimits(preauth_documents_max=2, documents_per_socket_max=3, preauth_s=0.05)
    async with make_server(FaultyStore(), limits=limits) as server:
        yield server


def auth(document: str, shown: str | None = None) -> bytes:
    return encode_frame(AUTH, TOKEN, (token("ada") if shown is None else shown).encode(), document=document)


def step1(document: str) -> bytes:
    return encode_frame(SYNC, STEP1, b"\0", document=document)


def leave(document: str) -> bytes:
    return encode_frame(CLOSE, document=document)


def addressed(socket: ScriptedSocket, document: str) -> list[bytes]:
    """Return what was sent for a document."""
    prefix = encode_frame(SYNC, document=document)[:-1]
    return [each for each in socket.sent if each.startswith(prefix)]


async def ended_for(server: Server, socket: ScriptedSocket, principal: Principal | None = None) -> CollabError | None:
    """Serve the socket until the server ends it, and return why."""
    async with asyncio.timeout(10):
        await serve_hocuspocus(server, socket, principal)
    return socket.closed_for


async def test_a_document_that_loads_slowly_holds_up_no_other(server: Server) -> None:
    socket = ScriptedSocket(auth("slow"), step1("slow"), auth("quick"), step1("quick"))
    serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
    await eventually(lambda: len(addressed(socket, "quick")) == 3)
    assert len(addressed(socket, "slow")) == 1
    socket.hang_up()
    await serving


async def test_a_denied_document_leaves_the_socket_to_the_others(server: Server) -> None:
    socket = ScriptedSocket(auth("one", "worthless"), auth("two"), step1("two"))
    serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
    await eventually(lambda: len(addressed(socket, "two")) == 3)
    assert b"token-malformed" in b"".join(addressed(socket, "one"))
    assert not socket.is_closed
    socket.hang_up()
    await serving


async def test_a_document_that_cannot_be_loaded_ends_the_socket(server: Server) -> None:
    assert isinstance(await ended_for(server, ScriptedSocket(auth("broken"))), StoreUnavailable)


async def test_silent_client_gets_a_frame_and_is_closed(server: Server) -> None:
    socket = ScriptedSocket()
    assert isinstance(await ended_for(server, socket), NotAuthenticated)
    assert socket.sent == [CLOSE_FRAME]


async def test_documents_without_a_token_are_bounded(server: Server) -> None:
    socket = ScriptedSocket(*(step1(str(number)) for number in range(3)))
    assert isinstance(await ended_for(server, socket), Overloaded)


async def test_documents_on_one_socket_are_bounded(server: Server) -> None:
    socket = ScriptedSocket(*(auth(str(number)) for number in range(4)))
    assert isinstance(await ended_for(server, socket), Overloaded)


async def test_a_document_that_was_left_makes_room_for_another(server: Server) -> None:
    socket = ScriptedSocket()
    serving = asyncio.create_task(serve_hocuspocus(server, socket, ADA))
    for number in range(6):
        socket.say(step1(str(number)))
        await eventually(lambda number=number: len(addressed(socket, str(number))) == 3)  # type: ignore[misc]
        socket.say(leave(str(number)))
    socket.hang_up()
    await serving
    assert socket.closed_for is None


async def test_leaving_a_document_that_is_not_open_means_nothing(server: Server) -> None:
    socket = ScriptedSocket(leave("notes"), step1("notes"))
    serving = asyncio.create_task(serve_hocuspocus(server, socket, ADA))
    await eventually(lambda: len(addressed(socket, "notes")) == 3)
    socket.hang_up()
    await serving


async def test_a_frame_that_is_no_message_ends_the_socket(server: Server) -> None:
    assert isinstance(await ended_for(server, ScriptedSocket(b"\xff")), ProtocolError)


async def test_a_client_that_goes_leaves_no_session_behind(server: Server) -> None:
    socket = ScriptedSocket(*(each for name in ("one", "two") for each in (auth(name), step1(name))))
    serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
    await eventually(lambda: [host.sessions for host in server.rooms.hosts] == [1, 1])
    socket.hang_up()
    await serving
    assert [host.sessions for host in server.rooms.hosts] == [0, 0]


async def test_a_keepalive_is_addressed_to_a_document_that_was_joined() -> None:
    async with make_server(MemoryStore(), limits=ServerLimits(keepalive_s=0.01)) as server:
        socket = ScriptedSocket(step1("one"), auth("two"))
        serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
        await eventually(lambda: Hocuspocus().encode(KEEPALIVE, "two") in socket.sent)
        assert Hocuspocus().encode(KEEPALIVE, "one") not in socket.sent
        socket.hang_up()
        await serving


# --- strangers, and messages that are too large ---------------------------------------------------------


def strict(*, stranger_s: float = 0.1) -> Server:
    return make_server(MemoryStore(), limits=ServerLimits(preauth_s=0.05, stranger_s=stranger_s))


@pytest.mark.parametrize("frames", [[step1("one")], [auth("one", "worthless")], [step1("one"), leave("one")]])
async def test_stranger_that_opened_a_document_is_closed_in_the_end(frames: list[bytes]) -> None:
    async with strict() as server:
        assert isinstance(await ended_for(server, ScriptedSocket(*frames)), NotAuthenticated)


async def test_nothing_that_a_stranger_sends_gives_it_more_time() -> None:
    async with strict() as server:
        socket = ScriptedSocket(step1("one"))
        ending = asyncio.create_task(ended_for(server, socket))
        while not ending.done():
            socket.say(auth("one", "worthless"))
            await asyncio.sleep(0)
        assert isinstance(ending.result(), NotAuthenticated)


async def test_client_with_one_good_token_stays_although_another_document_is_denied() -> None:
    async with strict(stranger_s=0.05) as server:
        socket = ScriptedSocket(auth("one"), step1("one"), auth("two", "worthless"), step1("three"))
        serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
        await eventually(lambda: b"token-missing" in b"".join(addressed(socket, "three")))
        assert not socket.is_closed
        socket.say(leave("one"))
        await serving
        assert isinstance(socket.closed_for, NotAuthenticated)


async def test_client_that_left_every_document_stays_if_it_had_a_good_token() -> None:
    async with strict(stranger_s=0.05) as server:
        socket = ScriptedSocket(auth("one"), step1("one"))
        serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
        await eventually(lambda: len(addressed(socket, "one")) == 3)
        socket.say(leave("one"))
        socket.say(auth("two", "worthless"))
        await eventually(lambda: addressed(socket, "two"))
        socket.say(leave("two"))
        socket.say(auth("three"))
        await eventually(lambda: addressed(socket, "three"))
        assert not socket.is_closed
        socket.hang_up()
        await serving


async def test_large_messages_are_taken_only_after_a_good_token() -> None:
    async with make_server(MemoryStore()) as server:
        socket = ScriptedSocket()
        serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
        await eventually(lambda: socket.message_bytes_max == STRANGER_MESSAGE_BYTES_MAX)
        socket.say(auth("one", "worthless"))
        await eventually(lambda: addressed(socket, "one"))
        assert socket.message_bytes_max == STRANGER_MESSAGE_BYTES_MAX
        socket.say(auth("one"))
        await eventually(lambda: socket.message_bytes_max == server.limits.frame_bytes_max)
        socket.hang_up()
        await serving


async def test_oversized_message_is_refused_in_its_document_and_the_socket_stays(server: Server) -> None:
    socket = ScriptedSocket(auth("one"), step1("one"), auth("two"), step1("two"))
    serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
    await eventually(lambda: len(addressed(socket, "one")) == len(addressed(socket, "two")) == 3)
    socket.receiver.received_oversized(encode_frame(SYNC, UPDATE, b"the beginning", document="one"))
    refused, denied = addressed(socket, "one")[3:]
    assert refused == Hocuspocus().encode(Refused(), "one")
    assert b"too-large" in denied
    assert not socket.is_closed
    assert len(addressed(socket, "two")) == 3
    assert sorted(host.sessions for host in server.rooms.hosts) == [0, 1]
    socket.hang_up()
    await serving


async def test_oversized_message_of_a_stranger_ends_the_socket_retryably(server: Server) -> None:
    socket = ScriptedSocket()
    ending = asyncio.create_task(ended_for(server, socket))
    await ticks(3)
    socket.receiver.received_oversized(encode_frame(SYNC, UPDATE, b"the beginning", document="one"))
    assert isinstance(await ending, Overloaded)


async def test_nothing_is_read_while_a_fresh_token_is_checked() -> None:
    async with make_server(MemoryStore()) as server:
        socket = ScriptedSocket(auth("one"), step1("one"))
        serving = asyncio.create_task(serve_hocuspocus(server, socket, None))
        await eventually(lambda: len(addressed(socket, "one")) == 3)
        for frame in (auth("one"), step1("one"), step1("one")):
            socket.say(frame)
        await eventually(lambda: len(addressed(socket, "one")) == 3 + 1 + 2)
        assert addressed(socket, "one")[3] == Hocuspocus().encode(Authenticated(can_write=True), "one")
        socket.hang_up()
        await serving
