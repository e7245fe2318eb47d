"""Settings → parts → ASGI app: the one place where the store and the relay are chosen.

``create_app`` is what ``collab serve`` runs and what a test of somebody who builds on us opens with FastAPI's
``TestClient``. The app's lifespan is the server's: nothing runs before it, nothing is left behind it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from collab import __version__
from collab.access.tokens import SharedSecret
from collab.api import content, documents, health, metrics, openapi_page, pages, problems, sockets
from collab.api.bodies import BoundedBodies
from collab.api.methods import HeadAsGet
from collab.api.names import EncodedNames
from collab.api.openapi import OpenApi
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
Documents that people edit together, for programs.

Every call needs a token, as `Authorization: Bearer <JWT>`; `collab token` makes one. A document's name is its
identity; a name with slashes is given percent-encoded, as one path segment: `notes%2F42`.
"""


def create_app(settings: Settings, *, store: Store | None = None, relay: Relay | None = None) -> FastAPI:
    """The whole server as an ASGI app. ``store`` and ``relay`` replace what the settings name.

    Raises InvalidRequest when a key of tokens cannot be had.
    """
    key = signing_key(settings)
    server = Server(
        _replica(settings, key, store, relay),
        token_verifier(settings, key),
        published=JwksClient(url, clock=time.monotonic) if (url := settings.token_jwks_url) else None,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server:
            yield

    app = FastAPI(
        title="collab",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    app.state.settings = settings
    problems.install(app)
    app.add_middleware(EncodedNames)
    app.add_middleware(HeadAsGet)
    app.add_middleware(BoundedBodies, patience_s=settings.preauth_s)
    app.add_middleware(
        CORSMiddleware,  # the same pages that may open a socket
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match"],
        expose_headers=["ETag", "Retry-After"],
    )
    for part in (sockets, documents, content, health, metrics, openapi_page, pages):
        app.include_router(part.router)
    app.openapi = OpenApi(app)  # type: ignore[method-assign]
    return app


def _replica(settings: Settings, key: SharedSecret, store: Store | None, relay: Relay | None) -> Replica:
    writer, metrics = draw_writer_id(), Metrics()
    if relay is None:
        relay = (
            RedisRelay(settings.redis_url, key=key.derive("relay"), writer=writer, metrics=metrics)
            if settings.redis_url
            else MemoryRelay(MemoryBus(), writer)
        )
    return Replica(writer, store or SqlStore(settings.database_url), relay, limits=settings, metrics=metrics)
