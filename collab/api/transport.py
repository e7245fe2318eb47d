"""uvicorn's connections, with an end to each: nothing that a peer leaves undone is waited for longer than a bound.

It stands between the kernel's sockets and the web framework. What uvicorn leaves open, and this does not: a
connection on which no request comes; a peer whose network is gone and to whom something is still to be written; a
socket whose close frame is not taken. And a peer that is merely slow is not taken for dead: its pong stands behind the
document that it is loading.

These are uvicorn's own classes with a little more, so its version is pinned. Without them (an application that runs our
app with options of its own) everything works, and those ends are missing.
"""

import asyncio
import sys
from typing import Any

from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from collab.observe.logs import get_logger
from collab.serve.server import Server
from collab.settings import Settings

if sys.platform == "linux":
    import fcntl
    import termios

log = get_logger("transport")

SLUG = "collab.reason"
"""Key in a ``websocket.disconnect`` message: why this module, not the peer, ended it."""

CLOSED_S_MAX = 12.0
"""How long a socket may stay when it was closed. uvicorn waits 10 s for the peer's close frame, then politely."""
UNCLOSED_S_MAX = 1.0
"""The same when the close frame could not even be written: the peer takes nothing."""


def untaken_bytes(transport: asyncio.Transport) -> int:
    """What was written and has not arrived: in our buffer, and in the kernel's where that can be asked."""
    queued = bytearray(4)
    if sys.platform == "linux" and not transport.is_closing():
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)


def server_options(app: FastAPI) -> dict[str, Any]:
    """What ``uvicorn.run`` is to be told for ``app``, as ``create_app`` made it."""
    settings, server = app.state.settings, app.state.server
    assert isinstance(settings, Settings)
    assert isinstance(server, Server)

    class Http(HttpConnection):
        patience_s = settings.preauth_s

        def gave_up(self) -> None:
            server.metrics.sockets_refused.labels("no-request").inc()

    return {
        "http": Http,
        "ws": WebSocketConnection,
        "ws_max_size": settings.frame_bytes_max + (1 << 20),  # what is too large is refused by us, in words
        "ws_per_message_deflate": False,
        "ws_ping_interval": settings.ping_s,
        "ws_ping_timeout": settings.ping_s,
    }


class HttpConnection(HttpToolsProtocol):
    """A TCP connection before, and without, a WebSocket on it."""

    patience_s: float
    """How long the head of a request may take, the first one and each one after it."""

    _patience: asyncio.TimerHandle | None = None

    def gave_up(self) -> None:
        """No request came."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(self.patience_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's own annotation forgets the time before the first
        if self.transport.is_closing() or (cycle is not None and not cycle.response_complete):
            return
        log.info("no_request", peer="{}:{}".format(*self.client) if self.client else "", waited_s=self.patience_s)
        self.gave_up()
        self.transport.abort()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket."""

    _untaken = 0
    """Bytes that the peer had not taken when the last ping was written, or was last waited for."""
    _last_resort: asyncio.TimerHandle | None = None

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
            self._tell(1006, "no-pong")
        self.transport.abort()  # and no close frame, as uvicorn writes, and waits until it is taken: by nobody

    def _may_live(self) -> bool:
        """Whether the pong may only be late: it is behind bytes that are still going out, or we do not read."""
        before, self._untaken = self._untaken, untaken_bytes(self.transport)
        return self._untaken < before or (self._untaken == 0 and self.read_paused)

    def handle_parser_exception(self) -> None:
        assert self.conn.close_sent is not None
        code = int(self.conn.close_sent.code)
        self._tell(code, "too-large" if code == 1009 else "protocol-error")
        super().handle_parser_exception()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            patience_s = CLOSED_S_MAX if self.close_sent else UNCLOSED_S_MAX
            self._last_resort = self.loop.call_later(patience_s, self.transport.abort)

    def _tell(self, code: int, slug: str) -> None:
        """Before uvicorn does, in its own words."""
        message: Any = {"type": "websocket.disconnect", "code": code, "reason": "", SLUG: slug}
        self.queue.put_nowait(message)
