"""How much of a request's body is read: JSON is small, and whoever sends more is told so before it is in memory.

It stands before the framework, which reads a whole body before it asks who sent it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.errors import TooLarge

JSON_BYTES_MAX = 64 * 1024

STREAMED = "/updates"
"""How the paths end whose routes read the body themselves, up to a bound of their own, once they know the sender."""


class BoundedBodies:
    """ASGI middleware: raises TooLarge to whoever reads more of a body than ``JSON_BYTES_MAX``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].endswith(STREAMED):
            await self._app(scope, receive, send)
            return
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > JSON_BYTES_MAX:
                raise TooLarge(f"A body may have {JSON_BYTES_MAX} bytes here.")
            return message

        await self._app(scope, bounded, send)
