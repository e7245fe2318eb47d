"""``/metrics``, for Prometheus.

The numbers name no document and no user, but they show strangers how busy a site is. Without COLLAB_METRICS_TOKEN only
callers on this machine may read them. The caller's address is the one uvicorn reports: behind a proxy on this machine
it is the forwarded address, or the proxy's own if the proxy forwards none.
"""

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import Response

from collab.api.deps import ServerDep
from collab.errors import NotAuthenticated, PermissionDenied
from collab.settings import Settings, is_loopback

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(server: ServerDep, request: Request) -> Response:
    """Return this replica's counters and gauges in the format that Prometheus asks for."""
    _admit(request, request.app.state.settings)
    text, content_type = server.metrics.expose(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _admit(request: Request, settings: Settings) -> None:
    if settings.metrics_token is not None:
        wanted = f"Bearer {settings.metrics_token.get_secret_value()}"
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise NotAuthenticated("Send the value of COLLAB_METRICS_TOKEN as 'Authorization: Bearer'.")
    elif request.client is None or not is_loopback(request.client.host):
        raise PermissionDenied(
            "Only callers on this machine can read the metrics. Set COLLAB_METRICS_TOKEN to let others in."
        )
