"""What the framework's routes do not know of methods, each knowing its own alone: HEAD, and what else there is.

HEAD is answered wherever GET is, for monitors, link checkers and ``curl -I``.
"""

from fastapi import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: routes see a GET, and what they say is sent without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def allowed(request: Request) -> str:
    """For the ``Allow`` of a 405: every method with which this path would be answered."""
    known = ("GET", "POST", "PUT", "PATCH", "DELETE")
    found = [method for method in known if _is_answered(request, method)]
    return ", ".join([*found, "HEAD"] if "GET" in found else found)


def _is_answered(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
