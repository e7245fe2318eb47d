"""What waits to be written to one socket: bounded, so that a reader who does not read costs only itself."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from collab.errors import TooSlow


class Outbox:
    """Frames for one socket, in order. ``run`` is its writer task."""

    def __init__(self, *, bytes_max: int, keepalive_s: float) -> None:
        self._bytes_max = bytes_max
        self._keepalive_s = keepalive_s
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put(self, frame: bytes) -> None:
        """Queue a frame. Raises TooSlow when the peer has let too much pile up.

        One frame larger than the bound passes when nothing else waits: a document is as large as it is.
        """
        if self._bytes and self._bytes + len(frame) > self._bytes_max:
            raise TooSlow
        self._frames.append(frame)
        self._bytes += len(frame)
        self._emptied.clear()
        self._filled.set()

    async def flushed(self) -> None:
        """Return when everything queued was handed to the socket."""
        await self._emptied.wait()

    async def run(self, send: Callable[[bytes], Awaitable[None]], keepalive: Callable[[], bytes | None]) -> None:
        """Write for ever; after ``keepalive_s`` without a frame, write what ``keepalive`` gives.

        Every client drops a socket on which no message came for 30 s; WebSocket pings do not count for them.
        """
        while True:
            try:
                async with asyncio.timeout(self._keepalive_s):
                    await self._filled.wait()
            except TimeoutError:
                if (frame := keepalive()) is not None:
                    await send(frame)
                continue
            while self._frames:
                frame = self._frames[0]
                await send(frame)
                self._frames.popleft()
                self._bytes -= len(frame)
            self._filled.clear()
            self._emptied.set()
