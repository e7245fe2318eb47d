"""Whether the process is alive, and whether it can take work.

``/healthz`` asks nobody: if it asked the database, an outage would restart every replica. ``/readyz`` asks the
store; the relay being down is told and is no reason to send people away.
"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from collab.api.deps import ServerDep
from collab.api.problems import problems
from collab.errors import Draining, StoreUnavailable
from collab.serve.server import Server

router = APIRouter(tags=["health"])

READY_S_MAX = 2.0


class Alive(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The server takes work."""

    status: Literal["ok"] = "ok"
    store: Literal["ok"] = "ok"
    relay: Literal["ok", "down"]
    """``down``: people on other replicas see edits a little later."""
    documents: int
    """Documents open on this replica."""


@router.get("/healthz", summary="Is the process alive?", operation_id="healthz")
async def healthz() -> Alive:
    """Always 200 while the process runs."""
    return Alive()


@router.get("/readyz", summary="Can it take work?", operation_id="readyz", responses=problems(503))
async def readyz(server: ServerDep, request: Request) -> Ready:
    """200 when edits can be saved; 503 with a problem otherwise, and from the moment on that the server stops."""
    if server.is_draining:
        raise Draining
    await _check_store(server)
    return Ready(relay="ok" if server.relay.up else "down", documents=len(server.rooms))


async def _check_store(server: Server) -> None:
    try:
        async with asyncio.timeout(READY_S_MAX):
            await server.store.ping()
    except TimeoutError:
        raise StoreUnavailable from None
