"""Whether the process is alive, and whether it can take work.

``/healthz`` asks nobody: if it asked the database, an outage would restart every replica. ``/readyz`` asks the
store; the relay being down is told and is no reason to send people away.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from collab.api.deps import ServerDep
from collab.api.problems import problems
from collab.errors import Draining

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The server takes work."""

    status: Literal["ok"] = "ok"
    store: Literal["ok"] = "ok"
    relay: Literal["ok", "down"]
    """``down``: people on other replicas see edits a little later."""


@router.get("/healthz", summary="Is the process alive?", operation_id="healthz")
async def healthz() -> Alive:
    """Always 200 while the process runs."""
    return Alive()


@router.get("/readyz", summary="Can it take work?", operation_id="readyz", responses=problems(503))
async def readyz(server: ServerDep) -> Ready:
    """200 when edits can be saved; 503 with a problem otherwise, and from the moment on that the server stops."""
    if server.is_draining:
        raise Draining
    await server.readiness.check()
    return Ready(relay="ok" if server.relay.up else "down")
