"""Errors on the way out over HTTP: one table, class → status, and one form, problem+json (RFC 9457)."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from collab import errors
from collab.errors import CollabError, PassingError

STATUSES: dict[type[CollabError], HTTPStatus] = {
    errors.ProtocolError: HTTPStatus.BAD_REQUEST,
    errors.UpdateRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidName: HTTPStatus.BAD_REQUEST,
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDenied: HTTPStatus.FORBIDDEN,
    errors.DocumentNotFound: HTTPStatus.NOT_FOUND,
    errors.DocumentExists: HTTPStatus.CONFLICT,
    errors.DocumentDeleted: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PeerError: HTTPStatus.BAD_REQUEST,
    errors.PassingError: HTTPStatus.SERVICE_UNAVAILABLE,
}

RETRY_AFTER_S = 2


class Problem(BaseModel):
    """What went wrong, in words and for programs."""

    type: str
    """Stable: ``about:blank`` or ``urn:collab:problem:<slug>``."""
    title: str
    status: int
    detail: str


def status_of(error: CollabError) -> HTTPStatus:
    """The status of an error: its own class's, or the nearest above."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def install(app: FastAPI) -> None:
    """Answer every error of this app in this form."""

    @app.exception_handler(CollabError)
    async def _ours(_request: Request, error: CollabError) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, PassingError) else {}
        if isinstance(error, errors.NotAuthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        return _respond(status_of(error), f"urn:collab:problem:{error.slug}", str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        words = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return _respond(HTTPStatus.BAD_REQUEST, "urn:collab:problem:invalid-request", words, {})

    @app.exception_handler(HTTPException)
    async def _framework(_request: Request, error: HTTPException) -> JSONResponse:
        return _respond(HTTPStatus(error.status_code), "about:blank", error.detail, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _bug(_request: Request, _error: Exception) -> JSONResponse:
        """Logged by the server; nothing of it is shown."""
        words = "The server made a mistake. It was noted."
        return _respond(HTTPStatus.INTERNAL_SERVER_ERROR, "about:blank", words, {})


def _respond(status: HTTPStatus, kind: str, detail: str, headers: dict[str, str]) -> JSONResponse:
    problem = Problem(type=kind, title=status.phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, media_type="application/problem+json")
