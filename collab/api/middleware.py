"""What happens to a request before a route sees it: its path, its method and its body are put in order.

The framework routes by the decoded path, in which ``notes%2F42`` and ``notes/42`` are the same; it answers HEAD only
where a route says so; and it reads a whole body, however large or slow, before it asks for a token. Each class here
is an ASGI middleware that corrects one of these, and nothing in this module knows a route.
"""

import asyncio
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.errors import BodyTimeout, TooLarge

# --- document names in paths ----------------------------------------------------------------------------

DOCUMENTS_PREFIX = "/api/v1/documents/"


class EncodedNames:
    """Middleware that routes REST paths of documents as they were sent, so that a name with slashes is one segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and DOCUMENTS_PREFIX in scope["path"]:
            scope = {**scope, "path": sent_path(scope)}
        await self._app(scope, receive, send)


def sent_path(scope: Scope) -> str:
    """Return the path as it was sent, percent-encoded."""
    raw = scope.get("raw_path")
    return raw.decode("ascii") if raw else quote(scope["path"])


def decoded(path: str) -> str:
    """Return the percent-decoded text, with a lone surrogate for each byte that is not UTF-8.

    The web server replaces such bytes with U+FFFD, and that would name another document. No document name may hold a
    lone surrogate.
    """
    return unquote(path, errors="surrogateescape")


# --- methods --------------------------------------------------------------------------------------------


class HeadAsGet:
    """Middleware that answers HEAD wherever GET is answered, for monitors, link checkers and ``curl -I``."""

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
    """Return the ``Allow`` header of a 405: every method that some route answers on this path."""
    known = ("GET", "POST", "PUT", "PATCH", "DELETE")
    found = [method for method in known if _is_answered(request, method)]
    return ", ".join([*found, "HEAD"] if "GET" in found else found)


def _is_answered(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)


# --- bodies ---------------------------------------------------------------------------------------------

JSON_BYTES_MAX = 64 * 1024

BYTES_PER_S_MIN = 1024
"""The average speed below which a body is too slow."""

STREAMED = "/updates"
"""The end of paths whose routes read the body themselves, up to a bound of their own, once the token is checked."""


class BoundedBodies:
    """Middleware that bounds how much of a body is read and how long it may take.

    A route that reads more than ``JSON_BYTES_MAX`` gets TooLarge. One whose body takes longer than ``patience_s``, and
    a second more for each ``BYTES_PER_S_MIN`` bytes received, gets BodyTimeout.
    """

    def __init__(self, app: ASGIApp, *, patience_s: float) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            bytes_max = None if scope["path"].endswith(STREAMED) else JSON_BYTES_MAX
            receive = _BoundedBody(receive, bytes_max=bytes_max, patience_s=self._patience_s)
        await self._app(scope, receive, send)


class _BoundedBody:
    """The ``receive`` of one request, with the bounds applied."""

    def __init__(self, receive: Receive, *, bytes_max: int | None, patience_s: float) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._patience_s = patience_s
        self._began_s: float | None = None
        self._size = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:
            return await self._receive()  # the client's disconnect, which may come at any time
        message = await self._receive_in_time()
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._bytes_max is not None and self._size > self._bytes_max:
            raise TooLarge(f"The body is larger than {self._bytes_max} bytes, the limit for this request.")
        return message

    async def _receive_in_time(self) -> Message:
        if self._began_s is None:
            self._began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._began_s + self._patience_s + self._size / BYTES_PER_S_MIN):
                return await self._receive()
        except TimeoutError:
            raise BodyTimeout from None
