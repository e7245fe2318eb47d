"""Document names in REST paths: one segment, percent-encoded, slashes and all.

A web framework routes by the decoded path, where ``notes%2F42`` and ``notes/42`` are the same. Under
``/api/v1/documents/`` the path is therefore routed as it was sent, and only the segment is decoded.
"""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from collab.errors import InvalidName
from collab.ids import DocumentName, document_name

PREFIX = "/api/v1/documents/"


class EncodedNames:
    """ASGI middleware: gives the routes under ``PREFIX`` the path as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and PREFIX in scope["path"]:
            raw = scope.get("raw_path")
            path = raw.decode("ascii") if raw else quote(scope["path"])
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class NameConvertor(Convertor[str]):
    """``{name:document}``: one encoded segment. Decoded strictly; checked by ``path_name``."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The decoded segment; what is not UTF-8 becomes a name that no document has."""
        try:
            return unquote(value, errors="strict")
        except UnicodeDecodeError:
            return "\0"

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
    if name == "\0":
        raise InvalidName("The document name in the path is not UTF-8.")
    return document_name(name)
