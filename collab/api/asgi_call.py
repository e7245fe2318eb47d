"""The call of the ASGI application for one WebSocket: it decides about the handshake, and ends soon after.

Our own routes take the socket out of ``scope["extensions"]`` and attach a receiver to it; nothing of the call is needed
then. For an application that does not know the extension the call itself receives, and passes messages on as ASGI has
them: one at a time, while the peer waits.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Scope

from collab.api import close_codes
from collab.api.close_codes import CloseCode
from collab.api.handshake import Handshake
from collab.protocol.websocket import Opcode
from collab.serve.socket import SocketClosed

server_log = logging.getLogger("uvicorn.error")  # where uvicorn tells of its WebSockets, and of applications that fail


class Disconnected(OSError):
    """What a plain application gets from ``send`` once the connection has ended."""


class Upgrade(Protocol):
    """A connection that is being opened: what the call needs of it."""

    def open(self, answer: bytes) -> None:
        """Write the answer that opens the WebSocket."""

    def refuse(self, answer: bytes) -> None:
        """Write an answer that does not, and hang up."""

    def receive_plainly(self) -> None:
        """Deliver the next messages to the call itself."""

    def pause(self) -> None:
        """Deliver no more messages for now."""

    def send_message(self, opcode: Opcode, payload: bytes) -> None:
        """Write a message."""

    def end(self, code: int, reason: str) -> None:
        """Close the WebSocket, whoever receives."""

    def is_received_by(self, call: "AsgiCall") -> bool:
        """True while nobody else has been attached, and the connection has not ended."""


class AsgiCall:
    """One call of the application, and the ``Receiver`` of a plain one."""

    def __init__(self, upgrade: Upgrade, handshake: Handshake, scope: Scope) -> None:
        self._upgrade = upgrade
        self._handshake = handshake
        self._scope = scope
        self._denial: Message | None = None
        self._is_answered = False
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._messages.put_nowait({"type": "websocket.connect"})
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended: Message | None = None

    async def run(self, app: ASGIApp) -> None:
        """Call the application. A socket that nobody has taken over ends with it."""
        code, reason = CloseCode.INTERNAL_ERROR, ""
        try:
            await app(self._scope, self._receive, self._send)
            code = CloseCode.NORMAL
        except Disconnected:
            pass
        except Exception:  # noqa: BLE001 - whatever the application raises
            server_log.exception("Exception in ASGI application\n")
        except asyncio.CancelledError:
            code = CloseCode.SERVICE_RESTART
            raise
        finally:
            self._clean_up(code, reason)

    def _clean_up(self, code: CloseCode, reason: str) -> None:
        if not self._is_answered:
            self._upgrade.refuse(self._handshake.refuse(HTTPStatus.INTERNAL_SERVER_ERROR))
        elif code != CloseCode.NORMAL or self._upgrade.is_received_by(self):
            self._upgrade.end(code, reason)

    # --- the application speaks ---------------------------------------------------------------------------

    async def _receive(self) -> Message:
        if self._messages.empty():
            if self._ended is not None:
                return self._ended
            if self._is_answered:
                self._upgrade.receive_plainly()
        return await self._messages.get()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        await self._writable.wait()
        if self._ended is not None:
            raise Disconnected
        if not self._is_answered:
            self._answer(kind, message)
        elif kind == "websocket.send":
            text = message.get("text")
            if text is None:
                self._upgrade.send_message(Opcode.BINARY, message["bytes"])
            else:
                self._upgrade.send_message(Opcode.TEXT, text.encode())
        elif kind == "websocket.close":
            self._upgrade.end(message.get("code", CloseCode.NORMAL), message.get("reason") or "")
        else:
            raise RuntimeError(f"{kind!r} cannot follow the answer to a handshake.")

    def _answer(self, kind: str, message: Message) -> None:
        if kind == "websocket.accept":
            self._is_answered = True
            self._upgrade.open(self._handshake.accept(message.get("subprotocol"), message.get("headers", ())))
            self._log("[accepted]")
        elif kind == "websocket.close":
            self._refuse(HTTPStatus.FORBIDDEN, (), b"")
        elif kind == "websocket.http.response.start":
            self._denial = {**message, "body": b""}
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += message.get("body", b"")
            if not message.get("more_body", False):
                self._refuse(self._denial["status"], self._denial.get("headers", ()), self._denial["body"])
        else:
            raise RuntimeError(f"{kind!r} is no answer to a handshake.")

    def _refuse(self, status: int, headers: Any, body: bytes) -> None:
        self._is_answered = True
        self._upgrade.refuse(self._handshake.refuse(status, headers, body))
        self._log(str(int(status)))

    def _log(self, answer: str) -> None:
        """Log the request as uvicorn does, but without its query: tokens may be in it."""
        client = self._scope["client"]
        server_log.info(
            '%s - "WebSocket %s" %s', "{}:{}".format(*client) if client else "", self._scope["path"], answer
        )

    # --- the peer speaks to a plain application -------------------------------------------------------------

    def received(self, message: bytes) -> None:
        """Queue it, and read no more until it is taken."""
        self._put({"type": "websocket.receive", "bytes": message})

    def received_string(self, text: str) -> None:
        """Queue a text message: a plain application may want it."""
        self._put({"type": "websocket.receive", "text": text})

    def received_text(self) -> None:
        """Do nothing: ``received_string`` is told instead."""

    def _put(self, message: Message) -> None:
        self._messages.put_nowait(message)
        self._upgrade.pause()

    def received_oversized(self, head: bytes) -> None:
        """Close, as web servers do."""
        self._upgrade.end(CloseCode.TOO_BIG, "")

    def congested(self) -> None:
        """Let ``send`` wait."""
        self._writable.clear()

    def drained(self) -> None:
        """Let it go on."""
        self._writable.set()

    def closed(self, closed: SocketClosed) -> None:
        """Tell the application, as web servers do: a lost connection has no reason."""
        self._ended = {"type": "websocket.disconnect", "code": closed.ending.code}
        if closed.ending != close_codes.LOST:
            self._ended["reason"] = ""
        self._messages.put_nowait(self._ended)
        self._writable.set()
