"""The two WebSocket routes.

``/ws/{document}`` speaks y-websocket, ``/ws`` speaks Hocuspocus. A close code can only be delivered on an accepted
socket, so everything but a page of a foreign origin is accepted first and refused in words.
"""

import re
from collections.abc import Sequence

from fastapi import APIRouter, WebSocket

from collab.access.origins import is_allowed
from collab.access.tokens import Principal
from collab.api.asgi_socket import AsgiSocket
from collab.api.deps import handshake_token, running_server
from collab.api.websocket import EXTENSION
from collab.errors import CollabError
from collab.ids import DocumentName, document_name
from collab.observe.logs import get_logger
from collab.serve.socket import Socket

log = get_logger("sockets")
router = APIRouter()

SUBPROTOCOL_CHARACTERS_MAX = 64
"""A longer one is assumed to be a token."""

_SUBPROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@router.websocket("/ws")
@router.websocket("/ws/")
async def hocuspocus(websocket: WebSocket) -> None:
    """Serve many documents on one socket, each with its own token."""
    server = running_server(websocket)
    if not await _accept(websocket):
        return
    principal: Principal | None = None
    if token := _token(websocket):
        try:
            principal = await server.authenticator.principal(token)
        except CollabError as error:
            # The provider may still send a better token for each document.
            log.info("handshake_token_refused", reason=error.slug)
    socket = _socket(websocket)
    server.serve_hocuspocus(socket, principal)
    await socket.run()


@router.websocket("/ws/{document:path}")
async def ywebsocket(websocket: WebSocket, document: str) -> None:
    """Serve the one document that the path names (percent-decoded; may hold slashes)."""
    server = running_server(websocket)
    if not await _accept(websocket):
        return
    socket = _socket(websocket)
    name: DocumentName | None = None
    try:
        name = document_name(document)
        principal = await server.authenticator.principal(_token(websocket))
    except CollabError as error:
        server.refuse_ywebsocket(socket, error, name)
    else:
        await server.serve_ywebsocket(socket, name, principal)
    await socket.run()


def _token(websocket: WebSocket) -> str:
    return handshake_token(websocket, websocket.app.state.settings.token_param)


def _socket(websocket: WebSocket) -> Socket:
    """Return the accepted socket: the transport's own, or, on another web server, one that speaks ASGI."""
    native: Socket | None = websocket.scope.get("extensions", {}).get(EXTENSION)
    return native or AsgiSocket(websocket, websocket.app.state.settings.frame_bytes_max)


async def _accept(websocket: WebSocket) -> bool:
    """Accept the handshake, unless a page of another site makes it. Return True if it was accepted."""
    origin = websocket.headers.get("origin")
    allowed = websocket.app.state.settings.allowed_origins
    if not is_allowed(origin, websocket.headers.get("host"), allowed):
        websocket.app.state.refused_origins.report(origin or "")
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
