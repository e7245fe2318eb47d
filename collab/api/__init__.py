"""The HTTP and WebSocket front. Only this package knows FastAPI, close codes and statuses.

===================================================  ==========================================
``/ws/{document}``, ``/ws``                          y-websocket, Hocuspocus (``sockets``)
``/api/v1/documents``, ``/api/v1/documents/{name}``  list, create, metadata, delete (``documents``)
``…/content``, ``…/updates``                         read as text or update, write updates (``content``)
``/api/v1/docs``, ``/api/v1/openapi.json``           the same, described (``openapi_page``, ``openapi``)
``/healthz``, ``/readyz``                            alive; able to accept (``health``)
``/``, ``/d/{document}``                             the editor (``pages``)
===================================================  ==========================================
"""
