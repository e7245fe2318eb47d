"""WebSocket clients of an app in this process: no port, no thread, and every message in order.

They speak ASGI to the app as a web server does, so what is tested begins at the routes. What the server says is
put into short words (``saved``, ``denied token-expired``), so that a table of outcomes can be read.
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import ASGIApp, Message

from collab.api.app import create_app
from collab.ids import ClientId
from collab.protocol.awareness import decode_awareness, encode_awareness
from collab.protocol.messages import AwarenessEntry
from collab.serve.server import Server
from collab.settings import Settings
from tests.deployment import SECRET
from tests.frames import (
    AUTH,
    AWARENESS,
    CLOSE,
    QUERY_AWARENESS,
    STATELESS,
    STEP1,
    STEP2,
    SYNC,
    TOKEN,
    UPDATE,
    DialectName,
    Frame,
    decode_frame,
    encode_frame,
)

PATIENCE_S = 10.0


def app_around(server: Server, directory: Path) -> FastAPI:
    """Return the app with the test's own server behind it, which the test starts and stops."""
    app = create_app(Settings(secret=SecretStr(SECRET), data_dir=directory), store=server.store, relay=server.relay)
    app.state.server = server
    return app


class AsgiClient:
    """``async with AsgiClient(…)``: one client with one document. ``heard``: all that the server said, in words.

    ``token`` goes into the URL. On Hocuspocus it is rather said, with ``show``.
    """

    def __init__(self, app: ASGIApp, dialect: DialectName, document: str, token: str = "") -> None:
        self._app = app
        self.dialect = dialect
        self._address = document if dialect == "hocuspocus" else ""
        path = "/ws" if dialect == "hocuspocus" else f"/ws/{document}"
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": f"token={token}".encode() if token else b"",
            "headers": [],
            "subprotocols": [],
        }
        self.heard: list[str] = []
        self.closed: int | None = None
        """The server's close code, once it has closed."""
        self.text_of_denial = ""
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.ensure_future(self._app(self._scope, self._to_app.get, self._from_app.put))
        accepted = await self._from_app.get()
        assert accepted["type"] == "websocket.accept", accepted
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._task

    # --- what it says -----------------------------------------------------------------------------------

    def show(self, token: str) -> None:
        """Send a token (Hocuspocus)."""
        self._send(AUTH, TOKEN, token.encode())

    def step1(self, state_vector: bytes = b"\0") -> None:
        """Send SyncStep1. By default the client has nothing."""
        self._send(SYNC, STEP1, state_vector)

    def step2(self, update: bytes) -> None:
        """Send SyncStep2: what the server lacks."""
        self._send(SYNC, STEP2, update)

    def update(self, update: bytes) -> None:
        """Send an edit."""
        self._send(SYNC, UPDATE, update)

    def presence(self, client: int, clock: int = 1) -> None:
        """Send an awareness state."""
        entry = AwarenessEntry(ClientId(client), clock, b'{"user":{"name":"?"}}')
        self._send(AWARENESS, None, encode_awareness((entry,)))

    def query(self) -> None:
        """Ask for every awareness state."""
        self._send(QUERY_AWARENESS)

    def stateless(self) -> None:
        """Send an application's own message. To y-websocket it is a message of an unknown type."""
        self._send(STATELESS, None, b"hello")

    def leave(self) -> None:
        """Close the document and keep the socket (Hocuspocus)."""
        self._send(CLOSE)

    def _send(self, type_: int, kind: int | None = None, payload: bytes | None = None) -> None:
        frame = encode_frame(type_, kind, payload, document=self._address)
        self._to_app.put_nowait({"type": "websocket.receive", "bytes": frame})

    # --- what it hears ----------------------------------------------------------------------------------

    async def hear(self, word: str) -> None:
        """Listen until the server says this word again, or closes."""
        seen = self.heard.count(word)
        async with asyncio.timeout(PATIENCE_S):
            while self.heard.count(word) == seen and self.closed is None:
                await self._hear_one()

    async def hear_close(self) -> int:
        """Listen until the server closes, and return the close code."""
        async with asyncio.timeout(PATIENCE_S):
            while self.closed is None:
                await self._hear_one()
        return self.closed

    async def catch_up(self) -> list[str]:
        """Ask one more question, and return all that the server has said up to its answer."""
        self.query()
        await self.hear("presence")
        return self.heard

    async def _hear_one(self) -> None:
        event = await self._from_app.get()
        if event["type"] == "websocket.close":
            self.closed = event["code"]
            self.text_of_denial = event["reason"] or self.text_of_denial
            return
        self.heard.append(self._word(decode_frame(event["bytes"], document=self._address)))

    def _word(self, frame: Frame) -> str:
        match frame.type, frame.kind:
            case 0, int(kind):
                return ("step1", "step2", "update")[kind]
            case 1, _:
                decode_awareness(frame.payload)
                return "presence"
            case 2, 0 if self.dialect == "hocuspocus":
                return "token wanted"
            case 2, 0 | 1:
                return self._denied(frame.payload.decode())
            case 2, _:
                return frame.payload.decode()
            case 8, accepted:
                return "saved" if accepted else "refused"
        return f"type {frame.type}"

    def _denied(self, reason: str) -> str:
        self.text_of_denial = reason
        return f"denied {reason.partition(':')[0]}"
