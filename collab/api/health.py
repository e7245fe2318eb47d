"""Liveness and readiness, for load balancers and orchestrators.

``/healthz`` does not ask the database, or a database outage would restart every replica. ``/readyz`` asks the store.
It reports the state of the relay and stays ready without it, since edits are still saved and still reach everybody.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from collab.api.deps import ServerDep
from collab.api.problems import problems
from collab.errors import Draining

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process is running."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Edits can be saved."""

    status: Literal["ok"] = "ok"
    store: Literal["ok"] = "ok"
    relay: Literal["ok", "down"]
    """``down``: people on other replicas see edits a little later."""


@router.get("/healthz", summary="Check that the process is running", operation_id="healthz")
async def healthz() -> Alive:
    """Always 200 while the process runs."""
    return Alive()


@router.get("/readyz", summary="Check that edits can be saved", operation_id="readyz", responses=problems(503))
async def readyz(server: ServerDep) -> Ready:
    """200 when edits can be saved; 503 with a problem otherwise, and as soon as the server begins to stop."""
    if server.is_draining:
        raise Draining
    await server.readiness.check()
    return Ready(relay="ok" if server.relay.up else "down")
