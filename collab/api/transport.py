"""How uvicorn is set up for our app, and a WebSocket connection that ends when its peer is gone.

HTTP is uvicorn's own ``h11`` implementation, untouched: it bounds the head of a request and closes a connection that
stays idle after an answer. It waits without end for a slow head and for a peer that does not take its answer; nginx
bounds those (``deploy/nginx.conf``, ``docs/operations.md``).

WebSockets get more than uvicorn gives them: a peer that does not answer pings is found although its answers wait in
the kernel, a slow peer is not taken for a dead one, and pongs and empty message parts cannot pile up in memory. The
class extends one of uvicorn's, so uvicorn's version is pinned.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from collab.api import problems
from collab.api.close_codes import CloseCode
from collab.settings import Settings

if sys.platform == "linux":
    import fcntl
    import termios

SLUG = "collab.reason"
"""Key in a ``websocket.disconnect`` message: why this module, not the peer, ended the connection."""

HEAD_BYTES_MAX = 64 << 10
"""Bytes of a request's head, or of the headers after its body, before the request is refused."""

IDLE_S_MAX = 5
"""Seconds for which an HTTP connection may stay idle after an answer. A proxy must let go of it earlier."""

CLOSED_S_MAX = 12.0
"""Seconds until a closed WebSocket is dropped. uvicorn waits 10 s for the peer's close frame, then hangs up."""
UNCLOSED_S_MAX = 1.0
"""The same when our close frame could not even be written, because the peer takes nothing."""


def server_options(app: FastAPI) -> dict[str, Any]:
    """Return the options with which ``uvicorn.Config`` serves an app made by ``create_app``."""
    settings = app.state.settings
    assert isinstance(settings, Settings)
    return {
        "http": "h11",
        "h11_max_incomplete_event_size": HEAD_BYTES_MAX,
        "timeout_keep_alive": IDLE_S_MAX,
        "ws": WebSocketConnection,
        "ws_max_size": settings.frame_bytes_max + (1 << 20),  # we refuse what is too large ourselves, with a reason
        "ws_per_message_deflate": False,
        "ws_ping_interval": settings.ping_s,
        "ws_ping_timeout": settings.ping_s,
    }


def untaken_bytes(transport: asyncio.Transport) -> int:
    """Return how many written bytes the peer has not acknowledged: in our buffer and, on Linux, in the kernel's."""
    queued = bytearray(4)
    if sys.platform == "linux" and not transport.is_closing():
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)


def refuse(transport: asyncio.Transport, status: HTTPStatus, detail: str) -> None:
    """Answer a request that the framework never sees with a problem, and hang up."""
    problem = problems.respond(status, detail, headers={"Connection": "close"})
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % header for header in problem.raw_headers]
    transport.write(b"\r\n".join([*lines, b"", bytes(problem.body)]))
    transport.close()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket connection that notices when its peer is gone, and keeps a bounded amount for it."""

    _untaken = 0
    """Bytes the peer had not taken when we last looked: when a ping was sent, or its pong waited for."""
    _owed_pongs = b""
    _parts: bytearray | None = None
    _last_resort: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # a body or an overlong header: uvicorn would wait for ever
            refuse(self.transport, HTTPStatus.BAD_REQUEST, "This is no handshake for a WebSocket.")

    def handle_ping(self) -> None:
        """Answer a ping. While the peer takes nothing, keep only its last pongs, as RFC 6455 allows."""
        if self.writable.is_set():
            super().handle_ping()
        elif pongs := b"".join(self.conn.data_to_send()):  # the first ping of a read gets the pongs of all
            self._owed_pongs = pongs

    def resume_writing(self) -> None:
        super().resume_writing()
        pongs, self._owed_pongs = self._owed_pongs, b""
        if pongs and not self.close_sent:
            self.transport.write(pongs)

    def handle_cont(self, event: Frame) -> None:
        """Join a part to its message. uvicorn would keep a list, and empty parts would fill it without end."""
        if self._parts is None:
            self._parts = bytearray(self.frames[0])
        self._parts += event.data
        if event.fin:
            self.frames, self._parts = [bytes(self._parts)], None
            self.send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._last_resort is not None:
            self._last_resort.cancel()
        super().connection_lost(exc)

    def send_keepalive_ping(self) -> None:
        self._untaken = untaken_bytes(self.transport)
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        if self._may_live():
            self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)
            return
        self.pong_timer = None
        if not self.close_sent:
            self._tell(CloseCode.NO_CLOSE_FRAME, "no-pong")
        self.transport.abort()  # uvicorn would write a close frame and wait until it is taken

    def _may_live(self) -> bool:
        """Return True if the pong may only be late: our ping waits behind other bytes, or we have paused reading."""
        before, self._untaken = self._untaken, untaken_bytes(self.transport)
        return self._untaken < before or (self._untaken == 0 and self.read_paused)

    def handle_parser_exception(self) -> None:
        assert self.conn.close_sent is not None
        code = int(self.conn.close_sent.code)
        self._tell(code, "too-large" if code == CloseCode.TOO_BIG else "protocol-error")
        super().handle_parser_exception()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            patience_s = CLOSED_S_MAX if self.close_sent else UNCLOSED_S_MAX
            self._last_resort = self.loop.call_later(patience_s, self.transport.abort)

    def _tell(self, code: int, slug: str) -> None:
        """Tell the app why the connection ends, before uvicorn does it without a reason."""
        message: Any = {"type": "websocket.disconnect", "code": code, "reason": "", SLUG: slug}
        self.queue.put_nowait(message)
