"""HTTP and WebSockets. Only this package knows FastAPI, close codes and statuses.

===================================================  =========================================================
``/ws/{document}``, ``/ws``                          y-websocket, Hocuspocus (``sockets``)
``/api/v1/documents``, ``/api/v1/documents/{name}``  list, create, metadata, delete (``documents``)
``…/content``, ``…/updates``                         read as text or update, write updates (``content``)
``/api/v1/docs``, ``/api/v1/openapi.json``           their description (``openapi_page``, ``openapi``)
``/healthz``, ``/readyz``, ``/metrics``              liveness, readiness, Prometheus (``health``, ``metrics``)
``/``, ``/d/{document}``                             the editor (``pages``)
===================================================  =========================================================

A request passes uvicorn (``transport``), then ``middleware``, then a route; errors leave as problems (``problems``).
The WebSocket of a document passes neither middleware nor routes (``dispatch``).
"""
