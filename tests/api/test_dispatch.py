"""The WebSockets of documents reach their endpoints first, and everything else goes the way it went."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from collab.api import sockets
from collab.api.app import create_app
from collab.settings import Settings
from collab.store.memory import MemoryStore
from tests.deployment import token
from tests.frames import STEP1, STEP2, FrameCodec, HocuspocusCodec, YWebsocketCodec


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings, store=MemoryStore())


@contextmanager
def below(app: FastAPI, outer: FastAPI) -> Iterator[TestClient]:
    """Run ``outer`` as a program that embeds ``app`` does."""
    outer.router.lifespan_context = app.router.lifespan_context
    with TestClient(outer) as client:
        yield client


def opens_a_document(client: TestClient, root: str = "") -> None:
    """Check that each address leads to the dialect that is spoken there."""
    opens(client, f"{root}/ws/notes/42?token={token('ada')}", YWebsocketCodec())
    for path in ("/ws", "/ws/"):
        opens(client, root + path, HocuspocusCodec("notes/42", token("ada")))


def opens(client: TestClient, path: str, codec: FrameCodec) -> None:
    with client.websocket_connect(path) as socket:
        for frame in [*codec.greeting(), codec.sync(STEP1, b"\x00")]:
            socket.send_bytes(frame)
        while codec.read(socket.receive_bytes()).sync != STEP2:
            pass


def test_document_socket_passes_no_route(app: FastAPI) -> None:
    app.router.routes.clear()
    with TestClient(app) as client:
        opens_a_document(client)


def test_routes_of_the_router_lead_to_the_same_endpoints(app: FastAPI) -> None:
    outer = FastAPI()
    outer.include_router(sockets.router)
    outer.state = app.state
    with below(app, outer) as client:
        opens_a_document(client)


def test_app_may_be_mounted_below_a_path(app: FastAPI) -> None:
    outer = FastAPI()
    outer.mount("/collab", app)
    with below(app, outer) as client:
        opens_a_document(client, "/collab")
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws/notes/42"):
            pass


@pytest.mark.parametrize("path", ["/wsx", "/x/ws", "/", "/api/v1/documents/ws"])
def test_other_sockets_are_routed_as_usual(app: FastAPI, path: str) -> None:
    @app.websocket(path)
    async def _own(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("own")

    with TestClient(app) as client, client.websocket_connect(path) as socket:
        assert socket.receive_text() == "own"


def test_middleware_that_a_program_adds_sees_document_sockets(app: FastAPI) -> None:
    seen: list[str] = []

    class Seeing:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope.get("path", ""))
            await self._app(scope, receive, send)

    app.add_middleware(Seeing)
    with TestClient(app) as client:
        opens_a_document(client)
    assert seen[-3:] == ["/ws/notes/42", "/ws", "/ws/"]
