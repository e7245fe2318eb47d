"""How much of a request's body is read, and how slowly: JSON is small, and no body is waited for without end.

It stands before the framework, which reads a whole body before it asks who sent it, and waits for it for ever.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.errors import BodyTimeout, TooLarge

JSON_BYTES_MAX = 64 * 1024

BYTES_PER_S_MIN = 1024
"""How slow a body may be on the whole: slower is nobody's network."""

STREAMED = "/updates"
"""How the paths end whose routes read the body themselves, up to a bound of their own, once they know the sender."""


class BoundedBodies:
    """ASGI middleware: raises TooLarge to whoever reads more of a body than ``JSON_BYTES_MAX``, and BodyTimeout.

    ``patience_s``: how long a body may take, and a second more for each ``BYTES_PER_S_MIN`` that came.
    """

    def __init__(self, app: ASGIApp, *, patience_s: float) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            bytes_max = None if scope["path"].endswith(STREAMED) else JSON_BYTES_MAX
            receive = _Body(receive, bytes_max=bytes_max, patience_s=self._patience_s)
        await self._app(scope, receive, send)


class _Body:
    """The messages of one request, in place of the server's own ``receive``."""

    def __init__(self, receive: Receive, *, bytes_max: int | None, patience_s: float) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._patience_s = patience_s
        self._began_s: float | None = None
        self._size = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:
            return await self._receive()  # which tells that the client has gone: that takes as long as it takes
        message = await self._receive_soon()
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._bytes_max is not None and self._size > self._bytes_max:
            raise TooLarge(f"A body may have {self._bytes_max} bytes here.")
        return message

    async def _receive_soon(self) -> Message:
        if self._began_s is None:
            self._began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._began_s + self._patience_s + self._size / BYTES_PER_S_MIN):
                return await self._receive()
        except TimeoutError:
            raise BodyTimeout from None
