"""The two WebSocket routes, and what the server sees of the web framework's socket.

``/ws/{document}`` speaks y-websocket, ``/ws`` speaks Hocuspocus. A close code can only be delivered on an accepted
socket, so everything but a page of a foreign origin is accepted first and refused in words.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from collab.access.origins import is_allowed
from collab.access.tokens import Principal
from collab.api import close_codes
from collab.api.close_codes import CloseCode
from collab.api.deps import handshake_token, running_server
from collab.api.transport import SLUG
from collab.errors import CollabError, Draining, TextFrame
from collab.ids import DocumentName, document_name
from collab.observe.logs import get_logger
from collab.serve.connection import SocketClosed
from collab.serve.connection_stats import Ending

log = get_logger("sockets")
router = APIRouter()

REASON_BYTES_MAX = 123
"""Bytes of reason that a close frame can hold."""
ORIGIN_CHARACTERS_LOGGED_MAX = 255
CLOSE_S_MAX = 2.0
"""How long a close frame may wait until the peer takes it."""

SUBPROTOCOL_CHARACTERS_MAX = 64
"""A longer one is assumed to be a token."""

_SUBPROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class StarletteSocket:
    """A ``serve.connection.Socket`` over the web framework's WebSocket."""

    cancelled = close_codes.CANCELLED

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        """Return the next binary frame."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise _closed(message)
        frame = message.get("bytes")
        if frame is None:
            raise TextFrame
        assert isinstance(frame, bytes)
        return frame

    async def send(self, frame: bytes) -> None:
        """Write a binary frame."""
        try:
            await self._websocket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError, OSError) as cause:
            # The framework says "already closed" with a RuntimeError of its own.
            raise SocketClosed(close_codes.LOST) from cause

    async def close(self, error: CollabError | None) -> Ending:
        """Close with the code of ``error``. Wait only shortly for a peer that does not take the close frame."""
        ending = close_codes.closed_for(error)
        reason = "" if error is None else shorten(error.reason)
        if self._websocket.application_state is not WebSocketState.DISCONNECTED:
            try:
                async with asyncio.timeout(CLOSE_S_MAX):
                    await self._websocket.close(ending.code, reason)
            except (WebSocketDisconnect, RuntimeError, OSError):
                log.debug("close_not_heard", code=ending.code)
        return ending


@router.websocket("/ws")
@router.websocket("/ws/")
async def hocuspocus(websocket: WebSocket) -> None:
    """Serve many documents on one socket, each with its own token."""
    server = running_server(websocket)
    if not await _accept(websocket):
        return
    principal: Principal | None = None
    if token := handshake_token(websocket):
        try:
            principal = await server.authenticator.principal(token)
        except CollabError as error:
            # The provider may still send a better token for each document.
            log.info("handshake_token_refused", reason=error.slug)
    await server.serve_hocuspocus(StarletteSocket(websocket), principal)


@router.websocket("/ws/{document:path}")
async def ywebsocket(websocket: WebSocket, document: str) -> None:
    """Serve the one document that the path names (percent-decoded; may hold slashes)."""
    server = running_server(websocket)
    if not await _accept(websocket):
        return
    socket = StarletteSocket(websocket)
    name: DocumentName | None = None
    try:
        name = document_name(document)
        principal = await server.authenticator.principal(handshake_token(websocket))
    except CollabError as error:
        await server.refuse_ywebsocket(socket, error, name)
        return
    await server.serve_ywebsocket(socket, name, principal)


async def _accept(websocket: WebSocket) -> bool:
    """Accept the handshake, unless a page of another site makes it. Return True if it was accepted."""
    origin = websocket.headers.get("origin")
    allowed = websocket.app.state.settings.allowed_origins
    if not is_allowed(origin, websocket.headers.get("host"), allowed):
        log.info("origin_refused", origin=(origin or "")[:ORIGIN_CHARACTERS_LOGGED_MAX])
        running_server(websocket).metrics.sockets_refused.labels("origin").inc()
        await websocket.close()  # before accept: the handshake is answered with 403
        return False
    await websocket.accept(subprotocol=_choose_subprotocol(websocket.scope.get("subprotocols", [])))
    return True


def _choose_subprotocol(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to answer with, or None if none is offered.

    The names mean nothing here, but a browser drops a connection on which none of those it offered comes back. Some
    applications put a token among them: it is only sent back where nothing else is offered.
    """
    legal = [each for each in offered if _SUBPROTOCOL.fullmatch(each)]
    short = [each for each in legal if len(each) <= SUBPROTOCOL_CHARACTERS_MAX]
    return next(iter(short or legal), None)


def _closed(message: Mapping[str, Any]) -> SocketClosed:
    """Return what the web server means: of a lost connection, too, it says the code of a close frame without one."""
    code = message.get("code", CloseCode.NO_CODE)
    if (slug := message.get(SLUG)) is not None:
        return SocketClosed(close_codes.ending(code, "server", slug))
    if "reason" in message:
        return SocketClosed(close_codes.closed_by_peer(code))
    is_draining = code == CloseCode.SERVICE_RESTART
    return SocketClosed(close_codes.closed_for(Draining()) if is_draining else close_codes.LOST)


def shorten(reason: str) -> str:
    """Cut the reason to what a close frame can hold."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
