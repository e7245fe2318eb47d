"""Our WebSocket class as uvicorn runs it, in this process, with a small application and receivers that tests watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.server import ServerState

from collab.api.asgi_socket import AsgiSocket
from collab.api.websocket import EXTENSION, WebSocketProtocol
from collab.protocol.websocket import Frame
from collab.serve.socket import Socket, SocketClosed
from tests.waiting import eventually

MESSAGE_BYTES_MAX = 1 << 20


class Recorder:
    """A receiver that notes what it is told."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.told: list[Any] = []
        """Messages as bytes, everything else as a word or a tuple, in order."""
        self.ends: list[SocketClosed] = []
        self.is_echoing = False

    @property
    def messages(self) -> list[bytes]:
        return [each for each in self.told if isinstance(each, bytes)]

    def received(self, message: bytes) -> None:
        self.told.append(message)
        if self.is_echoing:
            self.socket.write(Frame(message))

    def received_text(self) -> None:
        self.told.append("text")

    def received_oversized(self, head: bytes) -> None:
        self.told.append(("oversized", head))

    def congested(self) -> None:
        self.told.append("congested")

    def drained(self) -> None:
        self.told.append("drained")

    def closed(self, closed: SocketClosed) -> None:
        self.told.append("closed")
        self.ends.append(closed)

    async def end(self) -> tuple[int, str, str]:
        """Return how the connection ended, once it has: that is told once, and last."""
        await eventually(lambda: self.ends)
        await asyncio.sleep(0)
        assert self.told.count("closed") == 1
        assert self.told[-1] == "closed"
        ending = self.ends[0].ending
        return ending.code, ending.by, ending.reason


class Application:
    """Attaches a recorder to each WebSocket, or is plain, by the path of the request."""

    def __init__(self) -> None:
        self.recorders: asyncio.Queue[Recorder] = asyncio.Queue()
        self.scopes: list[Scope] = []
        self.heard: list[Any] = []
        """What a plain application has received."""
        self.attach = asyncio.Event()
        """Sockets are taken over once it is set."""
        self.attach.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        await getattr(self, f"_{scope['path'].strip('/')}")(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await self.attach.wait()
        native: Socket | None = scope["extensions"].get(EXTENSION)
        recorder = Recorder(native or AsgiSocket(websocket, MESSAGE_BYTES_MAX))
        recorder.socket.attach(recorder)
        self.recorders.put_nowait(recorder)
        await recorder.socket.run()

    async def _plain(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Echo."""
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message)
            await send({**message, "type": "websocket.send"})
        self.heard.append(message)

    async def _returns(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-more", b"1")]})

    async def _closes(self, _scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        self.heard.append(await receive())

    async def _refuses(self, _scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.close"})
        self.heard.append(await receive())

    async def _denies(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-tea", b"green")]})
        await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"coffee"})

    async def _silent(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def _fails(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise LookupError("before the answer")

    async def _fails_later(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._socket(scope, receive, send)
        raise LookupError("after the answer")


class Running:
    """A server and its one application."""

    def __init__(self, app: Application, state: ServerState, port: int) -> None:
        self.app = app
        self.state = state
        self.port = port

    def url(self, path: str = "/socket") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @property
    def connections(self) -> list[WebSocketProtocol]:
        found: list[Any] = list(self.state.connections)
        return [each for each in found if isinstance(each, WebSocketProtocol)]

    async def recorder(self) -> Recorder:
        """Return the recorder of the next connection."""
        return await self.app.recorders.get()


@asynccontextmanager
async def running(
    *, message_bytes_max: int = MESSAGE_BYTES_MAX, websockets: Any = WebSocketProtocol
) -> AsyncIterator[Running]:
    """Run uvicorn's own HTTP class with ours, or another, for WebSockets. Everything has ended afterwards."""
    application = Application()
    config = uvicorn.Config(
        application, http="h11", ws=websockets, ws_max_size=message_bytes_max, lifespan="off", log_config=None
    )
    config.load()
    state = ServerState()

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = config.http_protocol_class(config=config, server_state=state, app_state={"mark": 1})  # type: ignore[call-arg]
        return made

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield Running(application, state, server.sockets[0].getsockname()[1])
        await eventually(lambda: not state.connections and not state.tasks)
    finally:
        server.close()
