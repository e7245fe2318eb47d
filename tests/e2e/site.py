"""A site at another origin, with the editor embedded as the documentation says."""

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from playwright.async_api import Browser

from tests.deployment import ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, BrowserClient

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>A site</title>
    <script type="module" src="http://127.0.0.1:{port}/collab-editor.js"></script>
  </head>
  <body>
    <h1>A site at another origin</h1>
    <collab-editor server="ws://127.0.0.1:{port}/ws" document="{document}" token="{token}"></collab-editor>
  </body>
</html>
"""


class Site:
    """A web server for static pages, at an origin of its own."""

    def __init__(self) -> None:
        self._pages: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_RequestHandler, self._pages))
        self._thread = threading.Thread(target=self._server.serve_forever, name="site")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    async def visit(
        self, browser: Browser, server: ServerProcess, name: str, bearer: str | None = None
    ) -> BrowserClient:
        """Open a page of the site with an editor that connects to ``server`` as ``name``."""
        html = PAGE.format(port=server.port, document=DOCUMENT, token=bearer or token(name))
        return await self.show(browser, name, html)

    async def show(self, browser: Browser, name: str, html: str) -> BrowserClient:
        """Open a page of the site that has this content."""
        self._pages[f"/{name}"] = html
        return await BrowserClient.open(browser, f"{self.origin}/{name}")

    async def join(self, browser: Browser, server: ServerProcess, name: str) -> BrowserClient:
        """Open such a page and wait for the text."""
        client = await self.visit(browser, server, name)
        await client.wait_for_text()
        return client


class _RequestHandler(BaseHTTPRequestHandler):
    def __init__(self, pages: dict[str, str], *arguments: object) -> None:
        self._pages = pages
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        page = self._pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""
