"""uvicorn's connections, with an end to each, and a bound on what a peer can make them keep.

It stands between the kernel's sockets and the web framework. What uvicorn leaves open, and this does not: a
connection on which no request comes, or half of one; a peer that does not take its answer, or whose network is gone; a
socket whose close frame is not taken. What uvicorn keeps without a bound, and this does not: the head of a request,
pongs for a peer that sends pings and reads nothing, and the parts of a message that have no bytes in them. And a peer
that is merely slow is not taken for dead: its pong stands behind the document that it is loading.

These are uvicorn's own classes with a little more, so its version is pinned. Without them (an application that runs our
app with options of its own) everything works, and those ends are missing.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from collab.api import problems
from collab.observe.logs import get_logger
from collab.serve.server import Server
from collab.settings import Settings

if sys.platform == "linux":
    import fcntl
    import termios

log = get_logger("transport")

SLUG = "collab.reason"
"""Key in a ``websocket.disconnect`` message: why this module, not the peer, ended it."""

HEAD_BYTES_MAX = 64 << 10
"""How long a request line and its headers may be; headers behind a body, too."""

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


def refuse(transport: asyncio.Transport, status: HTTPStatus, detail: str) -> None:
    """Answer what the framework never sees, and hang up."""
    problem = problems.respond(status, detail, headers={"Connection": "close"})
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % header for header in problem.raw_headers]
    transport.write(b"\r\n".join([*lines, b"", bytes(problem.body)]))
    transport.close()


def server_options(app: FastAPI) -> dict[str, Any]:
    """What ``uvicorn.run`` is to be told for ``app``, as ``create_app`` made it."""
    settings, server = app.state.settings, app.state.server
    assert isinstance(settings, Settings)
    assert isinstance(server, Server)

    class Http(HttpConnection):
        patience_s = settings.preauth_s

        def gave_up(self, reason: str) -> None:
            server.metrics.sockets_refused.labels(reason).inc()

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
    """How long the head of a request may take, and how long a peer may take nothing of its answer."""

    _answering: RequestResponseCycle | None = None
    """The request that is under way, or was the last one."""
    _looking: asyncio.TimerHandle | None = None
    _is_in_head = False
    _pending_bytes = 0
    """What came since the parser last had something whole: it keeps that, be it a head, or headers behind a body."""

    def gave_up(self, reason: str) -> None:
        """It was ended by us, though not because nothing at all was said on it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        if self._answering is not None:  # uvicorn tells the request that came last: there may be one behind this one
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._look_no_more()  # the connection is another class's from here on
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._note("head-too-long")
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too long.")

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head, self._pending_bytes = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look_later()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "This is no HTTP request.")

    @property
    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _look_later(self) -> None:
        self._look_no_more()
        self._looking = self.loop.call_later(self.patience_s, self._look, untaken_bytes(self.transport))

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self, before: int) -> None:
        """Whether the peer has done its part since: taken some of what waits for it, or else made a request."""
        untaken = untaken_bytes(self.transport)
        if untaken < before or (self._is_answering and not self.flow.write_paused):
            self._look_later()
        elif untaken:
            self._give_up("answer-not-taken")
        elif self._is_in_head:
            self._give_up("request-unfinished")
        else:
            self.transport.abort()  # browsers open connections in advance: nobody needs to hear of each

    def _give_up(self, reason: str) -> None:
        self._note(reason)
        self.transport.abort()

    def _note(self, reason: str) -> None:
        peer = "{}:{}".format(*self.client) if self.client else ""
        log.info("connection_given_up", peer=peer, reason=reason)
        self.gave_up(reason)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """What is no request, or none that can be kept, is answered here: the framework never sees it."""
        if self._is_answering:  # an answer may be half out: nothing can be said any more
            self.transport.abort()
        else:
            refuse(self.transport, status, detail)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket."""

    _untaken = 0
    """Bytes that the peer had not taken when the last ping was written, or was last waited for."""
    _owed_pongs = b""
    _parts: bytearray | None = None
    _last_resort: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # the head was there, whole: it has a body, or is too long, and uvicorn waits
            refuse(self.transport, HTTPStatus.BAD_REQUEST, "This is no handshake for a WebSocket.")

    def handle_ping(self) -> None:
        """A peer that takes nothing gets the pongs for its last pings when it does, which count for those before."""
        if self.writable.is_set():
            super().handle_ping()
        elif pongs := b"".join(self.conn.data_to_send()):  # for the first ping of one read they come for all
            self._owed_pongs = pongs

    def resume_writing(self) -> None:
        super().resume_writing()
        pongs, self._owed_pongs = self._owed_pongs, b""
        if pongs and not self.close_sent:
            self.transport.write(pongs)

    def handle_cont(self, event: Frame) -> None:
        """uvicorn keeps a list of the parts: of parts without a byte in them a message may have any number."""
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
