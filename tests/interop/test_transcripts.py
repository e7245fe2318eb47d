"""Whole conversations, byte for byte: the server answers the frames of real clients as the reference servers do.

A comment marks each line where it differs on purpose.
"""

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from collab.protocol.varint import Writer
from tests.deployment import ServerProcess, token

pytestmark = pytest.mark.node  # they need no Node.js, but run with the tests of the JavaScript clients

EDIT = "0c 010107000401017402686900"
"""Client 7 types "hi" into the root "t"."""


class Conversation:
    """One socket, with frames in hexadecimal."""

    def __init__(self, socket: ClientConnection, address: bytes = b"") -> None:
        self._socket = socket
        self._address = address

    async def say(self, *frames: str | bytes) -> None:
        for frame in frames:
            body = bytes.fromhex(frame) if isinstance(frame, str) else frame
            await self._socket.send(self._address + body)

    async def hears(self, *frames: str) -> None:
        for frame in frames:
            heard = await self._socket.recv()
            assert isinstance(heard, bytes)
            assert heard.hex(" ") == (self._address + bytes.fromhex(frame)).hex(" ")


@pytest.fixture
async def y_websocket(server: ServerProcess, document: str) -> AsyncIterator[Conversation]:
    async with connect(server.url(document, "ada"), compression=None) as socket:
        yield Conversation(socket)


async def test_y_websocket_conversation_matches_the_reference(y_websocket: Conversation) -> None:
    await y_websocket.say("00 00 01 00", "01 06 01 07 00 02 7b7d")
    await y_websocket.hears("00 00 01 00", "00 01 02 0000")  # the reference sends its SyncStep1 first
    await y_websocket.hears("01 06 01 07 00 02 7b7d")
    await y_websocket.say("00 01 02 0000")
    await y_websocket.say(f"00 02 {EDIT}")
    await y_websocket.hears(f"00 02 {EDIT}")  # sent once the edit is committed
    await y_websocket.say("01 0b 01 07 01 07 7b2275223a317d")
    await y_websocket.hears("01 0b 01 07 01 07 7b2275223a317d")
    await y_websocket.say("01 08 01 07 02 04 6e756c6c")
    await y_websocket.hears("01 08 01 07 02 04 6e756c6c")


def auth_frame() -> bytes:
    """Return an auth frame without its address: type 2, kind 0, a token and the version of the client."""
    writer = Writer()
    writer.raw(b"\2\0")
    writer.var_string(token("ada"))
    writer.var_string("4.8.0")
    return writer.to_bytes()


@pytest.fixture
async def hocuspocus(server: ServerProcess, document: str) -> AsyncIterator[Conversation]:
    writer = Writer()
    writer.var_string(document)
    async with connect(server.hocuspocus_url, compression=None) as socket:
        yield Conversation(socket, writer.to_bytes())


async def test_hocuspocus_conversation_matches_the_reference(hocuspocus: Conversation) -> None:
    await hocuspocus.say(auth_frame(), "00 00 01 00", "01 06 01 07 00 02 7b7d")
    await hocuspocus.hears("02 02 0a 726561642d7772697465")
    await hocuspocus.hears("00 00 01 00", "00 01 02 0000")  # the reference answers last
    await hocuspocus.hears("01 06 01 07 00 02 7b7d")
    await hocuspocus.say("00 01 02 0000")
    await hocuspocus.hears("08 01")
    await hocuspocus.say(f"00 02 {EDIT}")
    await hocuspocus.hears("08 01")  # sent once the edit is committed; the reference also echoes the edit, at once
    await hocuspocus.say("05 02 796f", auth_frame())
    await hocuspocus.hears("02 02 0a 726561642d7772697465")
    await hocuspocus.say("07")
    await hocuspocus.hears("07 12 70726f76696465725f696e69746961746564")
