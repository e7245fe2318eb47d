"""Document names in paths: over REST one segment, percent-encoded, slashes and all; on a WebSocket the rest.

A web framework routes by the decoded path, where ``notes%2F42`` and ``notes/42`` are the same. Under
``/api/v1/documents/`` the path is therefore routed as it was sent, and only the segment is decoded. And a web server
decodes bytes that are no UTF-8 as U+FFFD, which names another document. Here they become lone surrogates, which
are in no name.
"""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from collab.ids import DocumentName, document_name

PREFIX = "/api/v1/documents/"


class EncodedNames:
    """ASGI middleware: gives the routes under ``PREFIX`` the path as it was sent, and WebSockets its true text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and PREFIX in scope["path"]):
            raw = scope.get("raw_path")
            path = raw.decode("ascii") if raw else quote(scope["path"])
            scope = {**scope, "path": decoded(path) if scope["type"] == "websocket" else path}
        await self._app(scope, receive, send)


def decoded(path: str) -> str:
    """The text that was percent-encoded, with a lone surrogate for each byte that is no UTF-8."""
    return unquote(path, errors="surrogateescape")


class NameConvertor(Convertor[str]):
    """``{name:document}``: one encoded segment. Checked by ``path_name``."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The decoded segment."""
        return decoded(value)

    def to_string(self, value: str) -> str:
        """The segment for a name."""
        return quote(value, safe="")


register_url_convertor("document", NameConvertor())


def path_name(
    name: Annotated[
        str, Path(description="The document's name, percent-encoded: `notes%2F42`.", examples=["notes/42"])
    ],
) -> DocumentName:
    """Dependency: the checked name in the path. Raises InvalidName."""
    return document_name(name)
