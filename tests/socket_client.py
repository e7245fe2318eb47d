"""Small clients of both dialects that keep the books: what they wrote, and what the server said is committed.

They stand in for the real JavaScript clients (``tests/interop``) where a test needs thousands of edits a second, or
must know of every single one whether it was acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pycrdt
from websockets.asyncio.client import ClientConnection, connect

from collab.protocol.varint import Reader, Writer
from tests.deployment import ServerProcess, token

STEP1, STEP2, UPDATE = 0, 1, 2
SYNC, AUTH, SYNC_STATUS = 0, 2, 8

DialectName = Literal["y-websocket", "hocuspocus"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame of the server, as far as a client understands it."""

    sync: int | None = None
    """STEP1, STEP2 or UPDATE, with its ``payload``."""
    payload: bytes = b""
    saved: bool | None = None
    """The server's word on one update: committed, or refused."""


class Wire(Protocol):
    """How one dialect frames things, and how it acknowledges."""

    def greeting(self) -> list[bytes]:
        """What is said before anything else."""

    def sync(self, kind: int, payload: bytes) -> bytes:
        """A sync message, framed."""

    def read(self, frame: bytes) -> Heard:
        """What a frame says. AssertionError when it says no."""


class YWebsocketWire:
    """A frame is a message; an update that comes back to its author is committed."""

    def greeting(self) -> list[bytes]:
        """Nothing: the token is in the URL."""
        return []

    def sync(self, kind: int, payload: bytes) -> bytes:
        """A sync message, framed."""
        return _write(SYNC, kind, payload)

    def read(self, frame: bytes) -> Heard:
        """What a frame says."""
        reader = Reader(frame)
        type_ = reader.var_uint()
        assert type_ != AUTH, f"denied: {frame!r}"
        return Heard(reader.var_uint(), reader.var_bytes()) if type_ == SYNC else Heard()


class HocuspocusWire:
    """A frame begins with its document's name; one SyncStatus answers each update."""

    def __init__(self, document: str, token: str) -> None:
        self._document = document
        self._token = token

    def greeting(self) -> list[bytes]:
        """The token."""
        return [_write(AUTH, 0, self._token.encode(), document=self._document)]

    def sync(self, kind: int, payload: bytes) -> bytes:
        """A sync message, framed."""
        return _write(SYNC, kind, payload, document=self._document)

    def read(self, frame: bytes) -> Heard:
        """What a frame says."""
        reader = Reader(frame)
        assert reader.var_string() == self._document
        match reader.var_uint():
            case 0:
                return Heard(reader.var_uint(), reader.var_bytes())
            case 2:
                assert reader.var_uint() == 2, f"denied: {frame!r}"
                return Heard()
            case 8:
                return Heard(saved=reader.var_uint() == 1)
        return Heard()


class SocketClient:
    """One client with a text of its own; ``doc`` is what it brings along from an earlier connection."""

    def __init__(self, socket: ClientConnection, wire: Wire, doc: Any = None) -> None:
        self._socket = socket
        self._wire = wire
        self.doc: Any = pycrdt.Doc() if doc is None else doc
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))
        self._sent: deque[tuple[bytes, str | None]] = deque()
        self._owes_step2 = False
        self.acknowledged: list[str] = []
        """Texts that the server said are committed, in the order in which it did."""
        self.synced = False

    @property
    def text(self) -> str:
        """The document as this client sees it."""
        return str(self.doc.get("content", type=pycrdt.Text))

    @property
    def waiting(self) -> int:
        """How many frames have no answer yet."""
        return len(self._sent)

    async def hello(self) -> None:
        """Say who this is, ask for the document, and read until it came."""
        for frame in self._wire.greeting():
            await self._socket.send(frame)
        self._owes_step2 = True
        await self._say(STEP1, self.doc.get_state())
        await self.hear_until(lambda: self.synced)

    async def type(self, text: str) -> None:
        """Append ``text``."""
        self._made.clear()
        shared = self.doc.get("content", type=pycrdt.Text)
        shared.insert(len(shared), text)
        (update,) = self._made
        self._sent.append((update, text))
        await self._say(UPDATE, update)

    async def hear(self) -> None:
        """Take one frame."""
        frame = await self._socket.recv()
        assert isinstance(frame, bytes)
        heard = self._wire.read(frame)
        assert heard.saved is not False, "the server refused an update"
        if heard.saved:
            self._acknowledge()
        elif heard.sync == STEP1:
            await self._answer(heard.payload)
        elif heard.sync == UPDATE and self._sent and heard.payload == self._sent[0][0]:
            self._acknowledge()
        elif heard.sync is not None:
            self.doc.apply_update(heard.payload)
            self.synced = self.synced or heard.sync == STEP2

    async def hear_until(self, condition: Callable[[], object]) -> None:
        """Take frames until ``condition()``."""
        async with asyncio.timeout(20):
            while not condition():
                await self.hear()

    async def hear_answers(self) -> None:
        """Take frames until everything that was typed is acknowledged."""
        await self.hear_until(lambda: not self._sent)

    async def _answer(self, state_vector: bytes) -> None:
        update = self.doc.get_update(state_vector)
        if self._owes_step2 and isinstance(self._wire, HocuspocusWire):
            self._sent.append((update, None))  # the first one after our Step1 gets a SyncStatus
        self._owes_step2 = False
        await self._say(STEP2, update)

    def _acknowledge(self) -> None:
        _, text = self._sent.popleft()
        if text is not None:
            self.acknowledged.append(text)

    async def _say(self, kind: int, payload: bytes) -> None:
        await self._socket.send(self._wire.sync(kind, payload))


@asynccontextmanager
async def connect_client(
    server: ServerProcess, document: str, user: str, *, dialect: DialectName = "y-websocket", doc: Any = None
) -> AsyncIterator[SocketClient]:
    """a client with the document before it."""
    wire: Wire = YWebsocketWire()
    url = server.url(document, user)
    if dialect == "hocuspocus":
        url, wire = server.hocuspocus_url, HocuspocusWire(document, token(user))
    async with connect(url, max_size=None, compression=None) as socket:
        client = SocketClient(socket, wire, doc)
        await client.hello()
        yield client


def _write(type_: int, kind: int, payload: bytes, *, document: str | None = None) -> bytes:
    writer = Writer()
    if document is not None:
        writer.var_string(document)
    writer.var_uint(type_)
    writer.var_uint(kind)
    writer.var_bytes(payload)
    return writer.to_bytes()
