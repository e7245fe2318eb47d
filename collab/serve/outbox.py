"""A bounded send queue for one socket, so that a peer that does not read costs only itself."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from collab.errors import TooSlow


class Outbox:
    """Frames for one socket, in order. ``run`` is the task that writes them."""

    def __init__(self, *, bytes_max: int, keepalive_s: float) -> None:
        self._bytes_max = bytes_max
        self._keepalive_s = keepalive_s
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._largest = 0
        self.was_used = False
        """True if there was ever a frame for this socket."""
        self.frames_sent = self.bytes_sent = 0
        """What the socket has taken so far."""
        self._writable = asyncio.Event()
        self._writable.set()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put(self, frame: bytes) -> None:
        """Queue a frame. Raises TooSlow if too much waits already.

        The largest frame does not count: a document is as large as it is, and edits may follow it.
        """
        largest = max(self._largest, len(frame))
        if self._bytes + len(frame) - largest > self._bytes_max:
            raise TooSlow
        self.was_used = True
        self._frames.append(frame)
        self._bytes += len(frame)
        self._largest = largest
        if self._bytes > self._bytes_max:
            self._writable.clear()
        self._emptied.clear()
        self._filled.set()

    async def writable(self) -> None:
        """Return when what waits is within the bound.

        A peer's next message is taken only then. So the answers to a peer that asks and does not read cannot pile up,
        and one that opens many large documents gets them one after another.
        """
        await self._writable.wait()

    async def flushed(self) -> None:
        """Return when the socket has taken everything queued, or the writer has ended."""
        await self._emptied.wait()

    async def run(self, send: Callable[[bytes], Awaitable[None]], keepalive: Callable[[], bytes | None]) -> None:
        """Write for ever. After ``keepalive_s`` without a frame, write what ``keepalive`` returns.

        Every client drops a socket on which no message came for 30 s; WebSocket pings do not count for them.
        """
        try:
            await self._write(send, keepalive)
        finally:
            # Nothing is written any more, so nothing may wait for it.
            self._writable.set()
            self._emptied.set()

    async def _write(self, send: Callable[[bytes], Awaitable[None]], keepalive: Callable[[], bytes | None]) -> None:
        while True:
            try:
                async with asyncio.timeout(self._keepalive_s):
                    await self._filled.wait()
            except TimeoutError:
                if (frame := keepalive()) is not None:
                    await send(frame)
                    self._count(frame)
                continue
            while self._frames:
                frame = self._frames[0]
                await send(frame)
                self._count(frame)
                self._frames.popleft()
                self._bytes -= len(frame)
                if self._bytes <= self._bytes_max:
                    self._writable.set()
            self._largest = 0
            self._filled.clear()
            self._emptied.set()

    def _count(self, frame: bytes) -> None:
        self.frames_sent += 1
        self.bytes_sent += len(frame)
