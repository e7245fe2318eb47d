"""The OpenAPI document of the REST interface: what the framework generates, corrected.

The framework describes its own answer to an invalid request. Ours is a problem (``collab.api.problems``), with the
media type of problems.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from collab.api.problems import MEDIA_TYPE

UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")
"""Schemas of answers that the framework describes and this app never sends."""


class OpenApi:
    """A replacement for ``app.openapi``, generated at the first call and kept."""

    def __init__(self, app: FastAPI) -> None:
        self._generate = app.openapi
        self._document: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document as values for JSON."""
        if self._document is None:
            self._document = self._generate()
            for path in self._document["paths"].values():
                for operation in path.values():
                    _correct(operation["responses"])
            for name in UNUSED_SCHEMAS:
                self._document["components"]["schemas"].pop(name, None)
        return self._document


def _correct(responses: dict[str, Any]) -> None:
    for status, response in list(responses.items()):
        if response["description"] == "Successful Response":
            response["description"] = HTTPStatus(int(status)).phrase
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if schema.endswith(UNUSED_SCHEMAS):
            del responses[status]
        elif schema.endswith("/Problem"):
            content[MEDIA_TYPE] = content.pop("application/json")
