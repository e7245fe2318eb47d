"""Brings the WebSocket of a document to its endpoint, past everything that is there for requests.

After an outage everybody comes back at once, and each handshake would pass the middleware, the table of routes and the
dependencies of REST, which have nothing to do for it. The routes in ``sockets`` are for apps that include its router
without this middleware; they lead to the same endpoints.
"""

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from collab.api.middleware import decoded, sent_path
from collab.api.sockets import hocuspocus, ywebsocket

PREFIX = "/ws"


class SocketDispatch:
    """Middleware, outside all that is for HTTP."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope) if scope["type"] == "websocket" else ""
        if path in (PREFIX, f"{PREFIX}/"):
            await hocuspocus(WebSocket(scope, receive, send))
        elif path.startswith(f"{PREFIX}/"):
            await ywebsocket(WebSocket(scope, receive, send), path.removeprefix(f"{PREFIX}/"))
        else:
            await self._app(scope, receive, send)


def _path(scope: Scope) -> str:
    """Return the decoded path below the place where the app is mounted."""
    return decoded(sent_path(scope)).removeprefix(scope.get("root_path", ""))
