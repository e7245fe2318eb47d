"""The process behind `collab serve`: it binds the port first, runs uvicorn around the app, and stops in order.

uvicorn alone, told to stop, closes every WebSocket before it ends the app's lifespan: accepted edits would be
committed, but their authors would not be told. Here the app drains first, while its sockets are open. uvicorn also
raises the signal again after a clean stop; here the exit code is then 0.
"""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from collab.api.transport import server_options
from collab.errors import InvalidRequest, StoreUnavailable
from collab.settings import Settings

CLOSE_S_MAX = 2.0
"""How long clients may take to answer the close frame."""

REQUESTS_S_MAX = 3
"""How long REST requests may still take once every accepted edit is committed."""

COLLECT_AFTER = (5000, 20, 20)
"""Python's thresholds for its three generations. With its own (700, 10, 10), 750 connections cost six times as much
collecting, and a full collection stops everybody for 130 ms instead of 40."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host` and `port` (0: a free one).

    It does not listen yet, so a client that connects too early is refused instead of kept waiting. Raises
    InvalidRequest with the next step when the address cannot be used.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _cannot_listen(host, port, error) from None
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart would wait for a minute
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def local_url(host: str, listener: socket.socket) -> str:
    """Return the URL at which a browser on this machine reaches `listener`, bound to `host`."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


@contextmanager
def explained_database_errors(settings: Settings) -> Iterator[None]:
    """Turn a StoreUnavailable inside into an InvalidRequest that names the setting to check."""
    try:
        yield
    except StoreUnavailable as error:
        shown = settings.redacted()["database_url"]
        raise InvalidRequest(f"{error} Check COLLAB_DATABASE_URL, which is {shown}.") from error


def run(app: FastAPI, listener: socket.socket, settings: Settings, *, on_ready: Callable[[], object]) -> None:
    """Serve until a signal asks to stop; call `on_ready` once requests are accepted.

    Raises InvalidRequest when the database cannot be used, or another process took the port after it was bound.
    """
    configuration = _configuration(app)
    server = DrainingServer(configuration, on_ready, app.state.server.drain)

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            with explained_database_errors(settings):
                await stack.enter_async_context(app.router.lifespan_context(app))
            collect_less()
            await server.serve([listener])

    with asyncio.Runner(loop_factory=configuration.get_loop_factory()) as runner:
        runner.run(serve())


def collect_less() -> None:
    """Leave all that was loaded at the start out of later collections, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> InvalidRequest:
    if isinstance(error, UnicodeError):
        return InvalidRequest(f"{host!r} cannot be a host name: choose another --host.")
    match error.errno:
        case errno.EADDRINUSE:
            return InvalidRequest(
                f"Port {port} on {host} is in use: stop the program that uses it, or choose another --port."
            )
        case errno.EACCES:
            return InvalidRequest(f"Port {port} needs administrator rights: choose a --port of 1024 or higher.")
        case _:
            return InvalidRequest(
                f"{host!r} is not an address of this machine ({error.strerror}): choose another --host."
            )


def _configuration(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",  # entered in `run`: its errors are reported in a sentence, not in a traceback
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=REQUESTS_S_MAX,
        **server_options(app),
    )


class DrainingServer(uvicorn.Server):
    """A uvicorn server that reports when it is ready, and drains the app before it closes connections."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], object], drain: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        try:
            await super().startup(sockets)
        except OSError as error:  # of two processes that bound the port, the second to listen fails
            host, port = sockets[0].getsockname()[:2]
            raise _cannot_listen(host, port, error) from None
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._websockets_closed()
        await super().shutdown(sockets)

    async def _websockets_closed(self) -> None:
        """Return when every client has answered its close frame.

        uvicorn drops the TCP connections next. If a client were still sending then, the network could discard what it
        was sent last: the acknowledgements and the close frame.
        """
        websocket = self.config.ws_protocol_class
        assert websocket is not None
        while any(isinstance(each, websocket) for each in self.server_state.connections):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order. A second Ctrl+C stops at once: edits not committed by then were never acknowledged."""
        if self.should_exit and sig == signal.SIGINT:
            raise KeyboardInterrupt
        self.should_exit = True
