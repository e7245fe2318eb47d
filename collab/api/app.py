"""Builds the ASGI app from the settings, and is the only place that chooses the store and the relay.

`collab serve` runs what `create_app` returns; a program that embeds the server mounts it, and its tests may open it
with FastAPI's `TestClient`. The server starts and stops with the app's lifespan.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from collab import __version__
from collab.access.renewal import TokenRenewal
from collab.access.tokens import SharedSecret
from collab.api import (
    access,
    content,
    documents,
    health,
    links,
    listing,
    members,
    metrics,
    oidc,
    openapi_page,
    pages,
    problems,
    sign_in,
    sockets,
)
from collab.api.dispatch import SocketDispatch
from collab.api.list_cursor import ListCursor
from collab.api.middleware import BoundedBodies, EncodedNames, HeadAsGet
from collab.api.oidc import OidcSignIn
from collab.api.openapi import OpenApi
from collab.api.refused_origins import RefusedOrigins, ReportingCors
from collab.api.welcome import write_welcome
from collab.observe.metrics import Metrics
from collab.relay.base import Relay
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.relay.redis import RedisRelay
from collab.serve.jwks import JwksClient
from collab.serve.replica import Replica, draw_writer_id
from collab.serve.server import Server
from collab.settings import Settings
from collab.store.base import Store
from collab.store.sql import SqlStore
from collab.token_keys import signing_key, token_verifier

DESCRIPTION = """
Read and change collaboratively edited documents from a program.

Every request needs a token, sent as `Authorization: Bearer <JWT>`; `collab token` makes one. A document is identified
by its name. Percent-encode a name with slashes, so that it is one path segment: `notes%2F42`.
"""


def create_app(settings: Settings, *, store: Store | None = None, relay: Relay | None = None) -> FastAPI:
    """Return the whole server as an ASGI app. `store` and `relay` replace those that the settings choose.

    Raises InvalidRequest when the secret or an issuer's keys cannot be read.
    """
    key = signing_key(settings)
    server = _server(settings, key, store, relay)
    app = FastAPI(
        title="collab",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0"},
        lifespan=_lifespan_of(server, is_tried=settings.secret is None),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    app.state.settings = settings
    app.state.refused_origins = RefusedOrigins(time.monotonic)
    app.state.list_cursor = ListCursor(key.derive("list cursor"))
    app.state.token_renewal = TokenRenewal(
        key, settings.token_audience or None, settings.sign_in_idle_s, settings.sign_in_s_max
    )
    app.state.oidc = OidcSignIn.of(settings, key) if settings.oidc_issuer is not None else None
    problems.install(app)
    _add_middleware(app, settings)
    for module in (
        sockets,
        listing,
        documents,
        content,
        sign_in,
        oidc,
        members,
        links,
        access,
        health,
        metrics,
        openapi_page,
        pages,
    ):
        app.include_router(module.router)
    app.openapi = OpenApi(app)  # type: ignore[method-assign]
    return app


def _server(settings: Settings, key: SharedSecret, store: Store | None, relay: Relay | None) -> Server:
    url = settings.token_jwks_url
    return Server(
        _replica(settings, key, store, relay),
        token_verifier(settings, key),
        published=None if url is None else JwksClient(url, clock=time.monotonic),
    )


def _replica(settings: Settings, key: SharedSecret, store: Store | None, relay: Relay | None) -> Replica:
    writer, metrics = draw_writer_id(), Metrics()
    if relay is None:
        relay = (
            RedisRelay(settings.redis_url, key=key.derive("relay"), writer=writer, metrics=metrics)
            if settings.redis_url
            else MemoryRelay(MemoryBus(), writer)
        )
    return Replica(writer, store or SqlStore(settings.database_url), relay, limits=settings, metrics=metrics)


def _lifespan_of(server: Server, *, is_tried: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """``is_tried``: somebody tries the server as it is, and finds a document to begin with."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server:
            if is_tried:
                await write_welcome(server)
            yield

    return lifespan


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the middleware, innermost first."""
    app.add_middleware(EncodedNames)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BoundedBodies, patience_s=settings.preauth_s)
    app.add_middleware(
        ReportingCors,
        refused=app.state.refused_origins,
        allow_origins=settings.allowed_origins,  # the pages that may open a socket
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
    )
    app.add_middleware(SocketDispatch)
