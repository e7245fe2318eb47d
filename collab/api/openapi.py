"""The description of the REST interface, as programs read it: what the framework generates, made true.

The framework describes its own answer to an invalid request, which is not ours: every error here is a problem
(``problems``), of the media type that says so.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from collab.api.problems import MEDIA_TYPE

NOT_OURS = ("HTTPValidationError", "ValidationError")


class OpenApi:
    """``app.openapi``: made at the first question, and kept."""

    def __init__(self, app: FastAPI) -> None:
        self._generate = app.openapi
        self._made: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        """OpenAPI 3.1, as values for JSON."""
        if self._made is None:
            self._made = self._generate()
            for path in self._made["paths"].values():
                for operation in path.values():
                    _correct(operation["responses"])
            for name in NOT_OURS:
                self._made["components"]["schemas"].pop(name, None)
        return self._made


def _correct(responses: dict[str, Any]) -> None:
    for status, response in list(responses.items()):
        if response["description"] == "Successful Response":
            response["description"] = HTTPStatus(int(status)).phrase
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if schema.endswith(NOT_OURS):
            del responses[status]
        elif schema.endswith("/Problem"):
            content[MEDIA_TYPE] = content.pop("application/json")
