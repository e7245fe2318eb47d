"""The process behind ``collab serve``: a port that is taken first, uvicorn around the app, and an end in order.

uvicorn by itself, asked to stop, closes every WebSocket at once and tells the app last: what was accepted would be
committed, and its authors would not be told. Here the app drains first, while its sockets stand. uvicorn also
dies of the signal after it has stopped well; here that is exit code 0.
"""

import asyncio
import errno
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

FAREWELL_S_MAX = 2.0
"""How long clients may take to answer the close frame."""

REQUESTS_S_MAX = 3
"""How long REST requests that are under way may still take, once everything accepted is committed."""


def bind(host: str, port: int) -> socket.socket:
    """A socket for ``host`` and ``port`` (0: a free one) that does not listen yet: nobody is kept waiting.

    Raises InvalidRequest with the next step when it cannot be had.
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


def shown_url(host: str, listener: socket.socket) -> str:
    """Where a browser on this machine finds what was bound."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


@contextmanager
def database_in_words(settings: Settings) -> Iterator[None]:
    """A database that cannot be used, for whoever starts something with it. Raises InvalidRequest."""
    try:
        yield
    except StoreUnavailable as error:
        shown = settings.redacted()["database_url"]
        raise InvalidRequest(f"{error} Is COLLAB_DATABASE_URL right? It is {shown} now.") from error


def run(app: FastAPI, listener: socket.socket, settings: Settings, *, on_ready: Callable[[], object]) -> None:
    """Serve until a signal says stop; ``on_ready`` is called once work is taken.

    Raises InvalidRequest when the database cannot be used, or the port was taken after it was bound.
    """
    configuration = _configuration(app, settings)
    server = DrainingServer(configuration, on_ready, app.state.server.drain)

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            with database_in_words(settings):
                await stack.enter_async_context(app.router.lifespan_context(app))
            await server.serve([listener])

    with asyncio.Runner(loop_factory=configuration.get_loop_factory()) as runner:
        runner.run(serve())


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> InvalidRequest:
    if isinstance(error, UnicodeError):
        return InvalidRequest(f"{host!r} can be no name of a machine: choose another --host.")
    match error.errno:
        case errno.EADDRINUSE:
            return InvalidRequest(f"Port {port} on {host} is taken: stop what listens there, or choose another --port.")
        case errno.EACCES:
            return InvalidRequest(f"Port {port} is for administrators: choose a --port from 1024 on.")
        case _:
            return InvalidRequest(f"{host!r} is no address of this machine ({error.strerror}): choose another --host.")


def _configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",  # entered above: what goes wrong there is said in a sentence, not in a traceback
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=REQUESTS_S_MAX,
        **server_options(app),
    )


class DrainingServer(uvicorn.Server):
    """uvicorn, but for how it begins and ends."""

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
        except OSError as error:  # two that were bound at once: the second to listen fails
            host, port = sockets[0].getsockname()[:2]
            raise _cannot_listen(host, port, error) from None
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S_MAX):
                await self._farewell()
        await super().shutdown(sockets)

    async def _farewell(self) -> None:
        """Return when every peer has answered its close frame.

        uvicorn now hangs up at once. On a peer that was still sending, the network would then drop what was said to
        it last: the acknowledgements and the close frame.
        """
        websocket = self.config.ws_protocol_class
        assert websocket is not None
        while any(isinstance(each, websocket) for each in self.server_state.connections):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order. Ctrl+C again stops at once: what is not committed by then was never acknowledged."""
        if self.should_exit and sig == signal.SIGINT:
            raise KeyboardInterrupt
        self.should_exit = True
