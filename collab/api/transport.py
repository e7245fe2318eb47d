"""How uvicorn is set up for our app.

HTTP is uvicorn's own ``h11`` implementation, untouched: it bounds the head of a request and closes a connection that
stays idle after an answer. It waits without end for a slow head and for a peer that does not take its answer; nginx
bounds those (``deploy/nginx.conf``, ``docs/operations.md``).

WebSockets are ours (``api.websocket``), or uvicorn's own if a setting asks for them; those need more memory and time,
and take a peer that loads slowly for a dead one.
"""

from typing import Any

from fastapi import FastAPI

from collab.api.websocket import WebSocketProtocol
from collab.settings import Settings

HEAD_BYTES_MAX = 64 << 10
"""Bytes of a request's head, or of the headers after its body, before the request is refused."""

IDLE_S_MAX = 5
"""Seconds for which an HTTP connection may stay idle after an answer. A proxy must let go of it earlier."""

TOLD_BYTES = 1 << 20
"""How much larger a message may be than our limit for uvicorn's own class: it gives no reason, and we do."""


def server_options(app: FastAPI) -> dict[str, Any]:
    """Return the options with which ``uvicorn.Config`` serves an app made by ``create_app``."""
    settings = app.state.settings
    assert isinstance(settings, Settings)
    http: dict[str, Any] = {
        "http": "h11",
        "h11_max_incomplete_event_size": HEAD_BYTES_MAX,
        "timeout_keep_alive": IDLE_S_MAX,
    }
    if settings.websocket_transport == "native":
        return {**http, "ws": WebSocketProtocol, "ws_max_size": settings.frame_bytes_max}
    return {
        **http,
        "ws": "websockets-sansio",
        "ws_max_size": settings.frame_bytes_max + TOLD_BYTES,
        "ws_per_message_deflate": False,
        "ws_ping_interval": settings.ping_s,
        "ws_ping_timeout": settings.ping_s,
    }
