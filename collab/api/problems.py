"""Errors over HTTP: one table from an error to its status, and one form, problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from collab import errors
from collab.api import pages
from collab.api.middleware import allowed
from collab.errors import CollabError, InvalidRequest

STATUSES: dict[type[CollabError], HTTPStatus] = {
    errors.ProtocolError: HTTPStatus.BAD_REQUEST,
    errors.UpdateRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidName: HTTPStatus.BAD_REQUEST,
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.SignInFailed: HTTPStatus.BAD_REQUEST,
    errors.PermissionDenied: HTTPStatus.FORBIDDEN,
    errors.DocumentNotFound: HTTPStatus.NOT_FOUND,
    errors.MemberNotFound: HTTPStatus.NOT_FOUND,
    errors.LinkNotFound: HTTPStatus.NOT_FOUND,
    errors.DocumentExists: HTTPStatus.CONFLICT,
    errors.DocumentDeleted: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BodyTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PeerError: HTTPStatus.BAD_REQUEST,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}

RETRY_AFTER_S = 2
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong, for people and for programs."""

    type: str = Field(
        description="For programs, and stable: `about:blank`, or `urn:collab:problem:` and a word.",
        examples=["urn:collab:problem:permission-denied"],
    )
    title: str = Field(description="The status in words.", examples=["Forbidden"])
    status: int = Field(description="The status of the answer.", examples=[403])
    detail: str = Field(description="One sentence for people.", examples=["You have no access to this document."])


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these statuses for ``responses=`` of a route: each is answered with a problem."""
    return {status: {"model": Problem} for status in statuses}


def status_of(error: CollabError) -> HTTPStatus:
    """Return the status of the error's own class, or else of the nearest class above."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def respond(
    status: HTTPStatus, detail: str, *, kind: str = "about:blank", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a problem as an answer. ``kind``: its type."""
    problem = Problem(type=kind, title=status.phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""

    @app.exception_handler(CollabError)
    async def _ours(_request: Request, error: CollabError) -> JSONResponse:
        return _respond_to(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _respond_to(InvalidRequest("; ".join(_words(detail) for detail in error.errors()) + "."))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, CollabError):  # raised while the framework read the body, and wrapped by it
            return _respond_to(error.__cause__)
        status, headers = HTTPStatus(error.status_code), error.headers
        if status is HTTPStatus.NOT_FOUND and pages.wants_page(request):
            return pages.not_found(request)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": allowed(request)}
        return respond(status, error.detail, headers=headers)

    @app.exception_handler(ClientDisconnect)
    async def _gone(_request: Request, _gone: ClientDisconnect) -> Response:
        """The client left in the middle of its body: the answer is not read, and there is nothing to log."""
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    @app.exception_handler(Exception)
    async def _bug(_request: Request, _error: Exception) -> JSONResponse:
        """The web server logs the exception; nothing of it is shown."""
        return respond(
            HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on the server. The error has been logged."
        )


def _respond_to(error: CollabError) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.retryable else {}
    if isinstance(error, errors.BodyTimeout):
        headers["Connection"] = "close"  # the rest of the body must not be read as the next request
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return respond(status_of(error), str(error), kind=f"urn:collab:problem:{error.slug}", headers=headers)


def _words(detail: dict[str, Any]) -> str:
    """Return one fault of a request in words, with the name of the argument."""
    place, *names = detail["loc"]
    if place == "body" and not all(isinstance(name, str) for name in names or [0]):
        return "Send the body as a JSON object, with 'Content-Type: application/json'"
    return f"{'.'.join(map(str, names))}: {detail['msg'].removeprefix('Value error, ')}"
