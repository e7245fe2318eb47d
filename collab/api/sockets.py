"""The two WebSocket routes, and the one table from errors to close codes.

``/ws/{document}`` speaks y-websocket, ``/ws`` speaks Hocuspocus. A close code can only be delivered on an
accepted socket, so everything but a page of a foreign origin is accepted first and refused in words.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from collab import errors
from collab.access.origins import is_allowed
from collab.access.tokens import Principal
from collab.api.deps import handshake_token, running_server
from collab.api.transport import SLUG
from collab.errors import CollabError, ProtocolError
from collab.ids import DocumentName, document_name
from collab.observe.logs import get_logger
from collab.serve.connection import SocketClosed

log = get_logger("sockets")
router = APIRouter()

CLOSE_CODES: dict[type[CollabError], int] = {
    # 4400-4499 stop a y-websocket 3.1 client for good: only what stays wrong.
    errors.NotAuthenticated: 4401,
    errors.PermissionDenied: 4403,
    errors.InvalidName: 4404,
    errors.DocumentNotFound: 4404,
    errors.DocumentDeleted: 4410,
    errors.UpdateRefused: 4422,
    errors.ProtocolError: 4422,
    errors.PeerError: 4422,
    # Everything else passes, and the client comes back.
    errors.SessionExpired: 4501,
    errors.TooSlow: 1013,
    errors.Overloaded: 1013,
    errors.Draining: 1012,
    errors.RoomClosed: 1012,
    errors.StoreUnavailable: 4503,
    errors.RelayUnavailable: 4503,
    errors.TransientError: 1013,
}

UNSUPPORTED_DATA = 1003
REASON_BYTES_MAX = 123
ORIGIN_CHARACTERS_LOGGED_MAX = 255
CLOSE_S_MAX = 2.0
"""How long a close frame may wait to be taken."""


class TextFrame(ProtocolError):
    """This server speaks in binary frames only."""


def close_code(error: CollabError | None) -> int:
    """The close code of an error: its own class's, or the nearest above. 1000 when nothing is wrong."""
    if error is None:
        return 1000
    if isinstance(error, TextFrame):
        return UNSUPPORTED_DATA
    return next(CLOSE_CODES[kind] for kind in type(error).__mro__ if kind in CLOSE_CODES)


class StarletteSocket:
    """``serve.connection.Socket`` over the web framework's WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        """The next binary frame."""
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
            raise SocketClosed(1006) from cause

    async def close(self, error: CollabError | None) -> int:
        """Close with the code of ``error``. A peer that takes nothing any more is not waited for."""
        code = close_code(error)
        reason = "" if error is None else _shorten(error.reason)
        if self._websocket.application_state is not WebSocketState.DISCONNECTED:
            try:
                async with asyncio.timeout(CLOSE_S_MAX):
                    await self._websocket.close(code, reason)
            except (WebSocketDisconnect, RuntimeError, OSError):
                log.debug("close_not_heard", code=code)
        return code


@router.websocket("/ws")
@router.websocket("/ws/")
async def hocuspocus(websocket: WebSocket) -> None:
    """Many documents on one socket, each with its own token."""
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
    """One document, named by the path (percent-decoded; may hold slashes)."""
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
    """Accept the handshake, unless a page of another site makes it."""
    origin = websocket.headers.get("origin")
    allowed = websocket.app.state.settings.allowed_origins
    if not is_allowed(origin, websocket.headers.get("host"), allowed):
        log.info("origin_refused", origin=(origin or "")[:ORIGIN_CHARACTERS_LOGGED_MAX])
        running_server(websocket).metrics.sockets_refused.labels("origin").inc()
        await websocket.close()  # before accept: the handshake is answered with 403
        return False
    await websocket.accept()
    return True


def _closed(message: Mapping[str, Any]) -> SocketClosed:
    """What the web server means: it says 1005, the code of a close frame without one, of a lost connection as well."""
    code = message.get("code", 1005)
    if (slug := message.get(SLUG)) is not None:
        return SocketClosed(code, slug, by="server")
    if "reason" in message:
        return SocketClosed(code)
    return SocketClosed(1012, "draining", by="server") if code == 1012 else SocketClosed(1006)


def _shorten(reason: str) -> str:
    """A close frame holds 123 bytes of reason."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
