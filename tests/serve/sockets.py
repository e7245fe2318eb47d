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
from collab.protocol.awareness import decode_awareness
from collab.protocol.varint import Reader, Writer
from collab.serve.server import Server
from collab.settings import Settings
from tests.deployment import SECRET
from tests.socket_client import DialectName

PATIENCE_S = 10.0


def app_around(server: Server, directory: Path) -> FastAPI:
    """Return the app with the test's own server behind it, which the test starts and stops."""
    app = create_app(Settings(secret=SecretStr(SECRET), data_dir=directory), store=server.store, relay=server.relay)
    app.state.server = server
    return app


class Client:
    """``async with Client(…)``: one client with one document. ``heard``: all that the server said, in words.

    ``token`` goes into the URL. On Hocuspocus it is rather said, with ``show``.
    """

    def __init__(self, app: ASGIApp, dialect: DialectName, document: str, token: str = "") -> None:
        self._app = app
        self._prefix = b""
        self.dialect = dialect
        path = "/ws"
        if dialect == "hocuspocus":
            writer = Writer()
            writer.var_string(document)
            self._prefix = writer.to_bytes()
        else:
            path += f"/{document}"
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
        self._say(2, 0, token.encode())

    def step1(self, state_vector: bytes = b"\0") -> None:
        """Send SyncStep1. By default the client has nothing."""
        self._say(0, 0, state_vector)

    def step2(self, update: bytes) -> None:
        """Send SyncStep2: what the server lacks."""
        self._say(0, 1, update)

    def update(self, update: bytes) -> None:
        """Send an edit."""
        self._say(0, 2, update)

    def presence(self, client: int, clock: int = 1) -> None:
        """Send an awareness state."""
        state = b'{"user":{"name":"?"}}'
        entry = Writer()
        for number in (1, client, clock):
            entry.var_uint(number)
        entry.var_bytes(state)
        self._say(1, None, entry.to_bytes())

    def query(self) -> None:
        """Ask for every awareness state."""
        self._say(3, None, None)

    def stateless(self) -> None:
        """Send an application's own message. To y-websocket it is a message of an unknown type."""
        self._say(5, None, b"hello")

    def leave(self) -> None:
        """Close the document and keep the socket (Hocuspocus)."""
        self._say(7, None, None)

    def _say(self, type_: int, kind: int | None, payload: bytes | None) -> None:
        writer = Writer()
        writer.var_uint(type_)
        if kind is not None:
            writer.var_uint(kind)
        if payload is not None:
            writer.var_bytes(payload)
        self._to_app.put_nowait({"type": "websocket.receive", "bytes": self._prefix + writer.to_bytes()})

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
        frame = event["bytes"]
        assert frame.startswith(self._prefix)
        self.heard.append(self._word(Reader(frame[len(self._prefix) :])))

    def _word(self, reader: Reader) -> str:
        type_ = reader.var_uint()
        match type_:
            case 0:
                return ("step1", "step2", "update")[reader.var_uint()]
            case 1:
                decode_awareness(reader.var_bytes())
                return "presence"
            case 2 if self.dialect == "y-websocket":
                reader.var_uint()
                return self._denied(reader.var_string())
            case 2:
                return self._auth(reader)
            case 8:
                return "saved" if reader.var_uint() == 1 else "refused"
        return f"type {type_}"

    def _auth(self, reader: Reader) -> str:
        match reader.var_uint():
            case 0:
                return "token wanted"
            case 1:
                return self._denied(reader.var_string())
        return reader.var_string()

    def _denied(self, reason: str) -> str:
        self.text_of_denial = reason
        return f"denied {reason.partition(':')[0]}"
