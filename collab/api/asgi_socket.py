"""A ``serve.socket.Socket`` over plain ASGI: for web servers other than ours, and for FastAPI's ``TestClient``.

ASGI is awaited, so this socket needs what ``api.websocket`` does without: the task of the route, one that reads and one
that writes. How large a message may become in memory, and how a peer that is gone is found, is up to the web server.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from collab.api import close_codes
from collab.api.close_codes import CloseCode
from collab.errors import CollabError, Draining
from collab.protocol.websocket import HEAD_BYTES_MAX, Frame, shorten
from collab.serve import tasks
from collab.serve.connection_stats import Ending
from collab.serve.socket import Receiver, SocketClosed

CONGESTED_BYTES, DRAINED_BYTES = 64 << 10, 16 << 10
"""Bytes that wait to be written when the receiver is told so, and when it is told that they have gone."""

MESSAGES_A_TURN = 32
"""Messages of one socket that are passed on before it is the others' turn."""

FLUSH_S_MAX = 2.0
"""Seconds for the last messages in either direction, once the socket closes."""

_FAILURES = (WebSocketDisconnect, RuntimeError, OSError)
"""What ``send`` raises on a lost socket. The framework says "already closed" with a RuntimeError of its own."""


class AsgiSocket:
    """A socket whose route stays in ``run`` until it has closed."""

    cancelled = close_codes.CANCELLED

    def __init__(self, websocket: WebSocket, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        self._websocket = websocket
        self._receiver: Receiver | None = None
        self._readable = asyncio.Event()
        """Set while messages are passed on."""
        self._outgoing: deque[bytes] = deque()
        """Bounded by the receiver, who is told when it is ``congested`` and sees ``buffered_bytes``."""
        self.buffered_bytes = 0
        """Bytes of ``_outgoing``."""
        self._filled = asyncio.Event()
        """Set while there is something to write, or to close."""
        self._is_congested = False
        self._ending: Ending | None = None
        """How the socket ends, once that is known."""
        self._last: tuple[int, str] | None = None
        """The close frame to write behind everything else."""
        self._closing = asyncio.Event()

    def attach(self, receiver: Receiver) -> None:
        """Say who receives, once ``run`` reads."""
        self._receiver = receiver
        self._readable.set()

    def write(self, frame: Frame) -> None:
        """Queue a message."""
        if self._ending is not None:
            return
        self._outgoing.append(frame.payload)
        self.buffered_bytes += len(frame.payload)
        self._filled.set()
        if self.buffered_bytes > CONGESTED_BYTES:
            asyncio.get_running_loop().call_soon(self._tell_congestion)

    def pause(self) -> None:
        """Deliver no more messages for now."""
        if self._ending is None:
            self._readable.clear()

    def resume(self) -> None:
        """Deliver messages again, from the next turn on."""
        self._readable.set()

    def close(self, error: CollabError | None) -> Ending:
        """Close behind everything written, and tell the peer why."""
        ending = close_codes.closed_for(error)
        if self._ending is None:
            self._ending = ending
            self._last = (ending.code, "" if error is None else shorten(error.reason))
            for event in (self._filled, self._readable, self._closing):
                event.set()
        return ending

    def check_alive(self) -> None:
        """Do nothing: the web server sends pings, and says when a peer is gone."""

    async def run(self) -> None:
        """Carry messages until the socket has closed."""
        assert self._receiver is not None, "nobody is attached"
        reading, writing = (asyncio.create_task(each) for each in (self._read(), self._write()))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({reading, writing, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                # Only the reader knows how a peer has closed that cannot be written to.
                await asyncio.wait({writing if self._closing.is_set() else reading}, timeout=FLUSH_S_MAX)
            if self._ending is None:
                self._ending = close_codes.LOST
        finally:
            try:
                await tasks.end([reading, writing, closing])
            finally:  # also when the caller is cancelled again and again
                self._receiver.closed(SocketClosed(self.cancelled if self._ending is None else self._ending))

    async def _read(self) -> None:
        while True:
            for _ in range(MESSAGES_A_TURN):
                await self._readable.wait()
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    if self._ending is None:
                        self._ending = _ending(message)
                    return
                await self._readable.wait()
                if self._ending is None:
                    self._pass_on(message)
            await asyncio.sleep(0)  # thousands may wait already, and nothing above need ever wait

    def _pass_on(self, message: Mapping[str, Any]) -> None:
        assert self._receiver is not None
        payload = message.get("bytes")
        if payload is None:
            self._receiver.received_text()
        elif len(payload) > self.message_bytes_max:
            self._receiver.received_oversized(payload[:HEAD_BYTES_MAX])
        else:
            self._receiver.received(payload)

    async def _write(self) -> None:
        """Write until the socket closes or is lost."""
        try:
            while True:
                await self._filled.wait()
                while self._outgoing:
                    await self._websocket.send_bytes(self._outgoing[0])
                    self.buffered_bytes -= len(self._outgoing.popleft())
                    self._tell_congestion()
                if self._last is not None:
                    await self._websocket.close(*self._last)
                    return
                self._filled.clear()
        except _FAILURES:
            return

    def _tell_congestion(self) -> None:
        """Tell the receiver if it has changed whether the peer takes what is written."""
        assert self._receiver is not None
        if self._is_congested and self.buffered_bytes <= DRAINED_BYTES:
            self._is_congested = False
            self._receiver.drained()
        elif not self._is_congested and self.buffered_bytes > CONGESTED_BYTES:
            self._is_congested = True
            self._receiver.congested()


def _ending(message: Mapping[str, Any]) -> Ending:
    """Return what the web server means: of a lost connection, too, it says the code of a close frame without one."""
    code = message.get("code", CloseCode.NO_CODE)
    if "reason" in message:
        return close_codes.closed_by_peer(code)
    return close_codes.closed_for(Draining()) if code == CloseCode.SERVICE_RESTART else close_codes.LOST
