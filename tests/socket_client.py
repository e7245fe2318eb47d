"""Small clients of both dialects that keep track of their edits and of the server's acknowledgements.

They replace the real JavaScript clients (``tests/interop``) where a test needs thousands of edits a second, or has to
know of every single edit whether it was acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pycrdt
from websockets.asyncio.client import ClientConnection, connect

from tests.deployment import ServerProcess, token
from tests.frames import STEP1, STEP2, UPDATE, DialectName, FrameCodec, HocuspocusCodec, YWebsocketCodec


class SocketClient:
    """A client on a real WebSocket, with a text of its own or the ``doc`` of an earlier connection."""

    def __init__(self, socket: ClientConnection, codec: FrameCodec, doc: Any = None) -> None:
        self._socket = socket
        self._codec = codec
        self.doc: Any = pycrdt.Doc() if doc is None else doc
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))
        self._sent: deque[tuple[bytes, str | None]] = deque()
        self._owes_step2 = False
        self.acknowledged: list[str] = []
        """The texts that the server has acknowledged, in that order."""
        self.synced = False

    @property
    def text(self) -> str:
        """The document as this client sees it."""
        return str(self.doc.get("content", type=pycrdt.Text))

    @property
    def waiting(self) -> int:
        """Number of frames that are not acknowledged yet."""
        return len(self._sent)

    async def sync(self) -> None:
        """Authenticate, ask for the document, and read until it has arrived."""
        for frame in self._codec.greeting():
            await self._socket.send(frame)
        self._owes_step2 = True
        await self._send(STEP1, self.doc.get_state())
        await self.hear_until(lambda: self.synced)

    async def type(self, text: str) -> None:
        """Append ``text``."""
        self._made.clear()
        shared = self.doc.get("content", type=pycrdt.Text)
        shared.insert(len(shared), text)
        (update,) = self._made
        self._sent.append((update, text))
        await self._send(UPDATE, update)

    async def hear(self) -> None:
        """Receive one frame."""
        frame = await self._socket.recv()
        assert isinstance(frame, bytes)
        heard = self._codec.read(frame)
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
        """Receive frames until ``condition()`` is true."""
        async with asyncio.timeout(20):
            while not condition():
                await self.hear()

    async def hear_answers(self) -> None:
        """Receive frames until everything that was typed is acknowledged."""
        await self.hear_until(lambda: not self._sent)

    async def _answer(self, state_vector: bytes) -> None:
        update = self.doc.get_update(state_vector)
        if self._owes_step2 and isinstance(self._codec, HocuspocusCodec):
            self._sent.append((update, None))  # the first SyncStep2 after our SyncStep1 gets a sync status
        self._owes_step2 = False
        await self._send(STEP2, update)

    def _acknowledge(self) -> None:
        _, text = self._sent.popleft()
        if text is not None:
            self.acknowledged.append(text)

    async def _send(self, kind: int, payload: bytes) -> None:
        await self._socket.send(self._codec.sync(kind, payload))


@asynccontextmanager
async def connect_client(
    server: ServerProcess, document: str, user: str, *, dialect: DialectName = "y-websocket", doc: Any = None
) -> AsyncIterator[SocketClient]:
    """Yield a client that has opened and received the document."""
    codec: FrameCodec = YWebsocketCodec()
    url = server.url(document, user)
    if dialect == "hocuspocus":
        url, codec = server.hocuspocus_url, HocuspocusCodec(document, token(user))
    async with connect(url, max_size=None, compression=None) as socket:
        client = SocketClient(socket, codec, doc)
        await client.sync()
        yield client
