"""Every error has one close code and one status, and every answer that is an error has one form."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import collab
from collab import errors
from collab.api.problems import RETRY_AFTER_S, status_of
from collab.api.sockets import close_code
from collab.errors import CollabError, PeerError, TransientError
from tests.api.calls import DOCUMENTS, OWNER, problem

TABLE: dict[type[CollabError], tuple[int, int]] = {
    errors.ProtocolError: (4422, 400),
    errors.UpdateRefused: (4422, 422),
    errors.InvalidName: (4404, 400),
    errors.InvalidRequest: (4422, 400),
    errors.NotAuthenticated: (4401, 401),
    errors.TokenMissing: (4401, 401),
    errors.TokenMalformed: (4401, 401),
    errors.TokenSignatureInvalid: (4401, 401),
    errors.TokenKeyUnknown: (4401, 401),
    errors.TokenIssuerInvalid: (4401, 401),
    errors.TokenAudienceInvalid: (4401, 401),
    errors.TokenImmature: (4401, 401),
    errors.TokenExpired: (4401, 401),
    errors.PermissionDenied: (4403, 403),
    errors.DocumentNotFound: (4404, 404),
    errors.DocumentExists: (4422, 409),
    errors.DocumentDeleted: (4410, 410),
    errors.TooLarge: (4422, 413),
    errors.BodyTimeout: (4422, 408),
    errors.Conflict: (4422, 409),
    errors.TooSlow: (1013, 400),
    errors.SessionExpired: (4501, 503),
    errors.KeysUnavailable: (1013, 503),
    errors.Draining: (1012, 503),
    errors.Overloaded: (1013, 503),
    errors.RoomClosed: (1012, 503),
    errors.StoreUnavailable: (4503, 503),
    errors.RelayUnavailable: (4503, 503),
    PeerError: (4422, 400),
    TransientError: (1013, 503),
}


def every_error() -> Iterator[type[CollabError]]:
    """Every class that the project raises, also those beside ``errors``."""
    for module in pkgutil.walk_packages(collab.__path__, "collab."):
        if module.name != "collab.__main__":
            importlib.import_module(module.name)
    found = [CollabError]
    while found:
        kind = found.pop()
        found += kind.__subclasses__()
        if kind.__module__.startswith("collab.") and kind is not CollabError:
            yield kind


def test_table_holds_every_class_of_the_errors_module() -> None:
    defined = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CollabError)}
    assert defined - {CollabError} == TABLE.keys()


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_error_has_its_close_code_and_its_status(kind: type[CollabError]) -> None:
    assert (close_code(kind()), status_of(kind())) == TABLE[kind]


def test_error_defined_elsewhere_is_told_like_what_it_is() -> None:
    for kind in every_error():
        error = kind()
        assert (close_code(error) // 100 == 44) == (isinstance(error, PeerError) and not _passes(kind)), kind
        assert (status_of(error) >= 500) == isinstance(error, TransientError), kind


def _passes(kind: type[CollabError]) -> bool:
    """A peer that was too slow may come back; one that sends text is told so in the protocol's own words."""
    return issubclass(kind, errors.TooSlow) or kind.__name__ == "TextFrame"


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_error_over_http_is_a_problem_with_its_sentence(client: TestClient, kind: type[CollabError]) -> None:
    app: Any = client.app
    assert isinstance(app, FastAPI)

    @app.get("/raise")
    async def fail() -> None:
        raise kind("This is the sentence.")

    app.router.routes.insert(0, app.router.routes.pop())
    answer = client.get("/raise")
    assert problem(answer, TABLE[kind][1], kind.slug) == "This is the sentence."
    assert answer.headers.get("retry-after") == (str(RETRY_AFTER_S) if issubclass(kind, TransientError) else None)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", f"{DOCUMENTS}/a/b/c", 404),
        ("GET", "/assets/nothing.js", 404),
        ("PUT", DOCUMENTS, 405),
        ("PUT", f"{DOCUMENTS}/x", 405),
        ("DELETE", f"{DOCUMENTS}/x/content", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_what_there_is_not_is_told_in_the_same_form(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers=OWNER)
    problem(answer, status)
    assert ("allow" in answer.headers) == (status == 405)


def test_fault_of_ours_is_told_without_a_word_of_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, store: Any
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr(store, "list_documents", broken)
    assert "geheim" not in problem(client.get(DOCUMENTS, headers=OWNER), 500)
