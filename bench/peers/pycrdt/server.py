"""pycrdt-websocket as its documentation shows it, on uvicorn and uvloop."""

import os

import uvicorn
import uvloop
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main() -> None:
    """Serve until the process is stopped."""
    server = WebsocketServer()
    config = uvicorn.Config(
        ASGIServer(server), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False
    )
    async with server:
        await uvicorn.Server(config).serve()


uvloop.run(main())
