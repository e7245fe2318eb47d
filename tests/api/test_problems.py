"""Every error has one close code and one status, and every answer that is an error has one form."""

import importlib
import pkgutil
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import collab
from collab import errors
from collab.api.close_codes import close_code
from collab.api.problems import RETRY_AFTER_S, status_of
from collab.errors import CollabError, Fault, PeerError, TransientError
from tests.api.calls import DOCUMENTS, OWNER, problem

TABLE: dict[type[CollabError], tuple[int, int]] = {
    errors.ProtocolError: (4422, 400),
    errors.TextFrame: (1003, 400),
    errors.UpdateRefused: (4422, 422),
    errors.DocumentFull: (4422, 422),
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
    errors.LinkInvalid: (4401, 401),
    errors.LinkExpired: (4401, 401),
    errors.LinkPasswordWrong: (4401, 401),
    errors.SignInFailed: (4422, 400),
    errors.PermissionDenied: (4403, 403),
    errors.DocumentNotFound: (4404, 404),
    errors.MemberNotFound: (4422, 404),
    errors.LinkNotFound: (4422, 404),
    errors.DocumentExists: (4422, 409),
    errors.DocumentDeleted: (4410, 410),
    errors.DocumentInBin: (4410, 410),
    errors.TooLarge: (4422, 413),
    errors.BodyTimeout: (4422, 408),
    errors.Conflict: (4422, 409),
    errors.LastOwner: (4422, 409),
    errors.SharingFull: (4422, 409),
    errors.HasAccess: (4422, 409),
    errors.TooSlow: (1013, 400),
    errors.SessionExpired: (4501, 503),
    errors.KeysUnavailable: (1013, 503),
    errors.ProviderUnavailable: (1013, 503),
    errors.Draining: (1012, 503),
    errors.Overloaded: (1013, 503),
    errors.RoomClosed: (1012, 503),
    errors.DocumentPoisoned: (1012, 503),
    errors.MissingDependencies: (1012, 503),
    errors.StoreUnavailable: (4503, 503),
    errors.RelayUnavailable: (4503, 503),
    PeerError: (4422, 400),
    TransientError: (1013, 503),
}


def test_every_error_of_the_project_is_defined_in_the_errors_module() -> None:
    for module in pkgutil.walk_packages(collab.__path__, "collab."):
        if module.name != "collab.__main__":
            importlib.import_module(module.name)
    found, kinds = [CollabError], set()
    while found:
        kinds |= set(below := found.pop().__subclasses__())
        found += below
    assert {kind for kind in kinds if kind.__module__.startswith("collab.")} == TABLE.keys()
    assert {kind.__module__ for kind in TABLE} == {errors.__name__}


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_error_has_its_close_code_and_status(kind: type[CollabError]) -> None:
    assert (close_code(kind()), status_of(kind())) == TABLE[kind]


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_status_says_whose_fault_it_is(kind: type[CollabError]) -> None:
    assert (status_of(kind()) < 500) == (kind.fault is Fault.PEER)


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
    assert answer.headers.get("retry-after") == (str(RETRY_AFTER_S) if kind.retryable else None)


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
def test_unknown_path_or_method_is_a_problem_too(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers=OWNER)
    problem(answer, status)
    assert ("allow" in answer.headers) == (status == 405)


def test_bug_is_answered_without_its_message(client: TestClient, monkeypatch: pytest.MonkeyPatch, store: Any) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr(store, "list_documents", broken)
    assert "geheim" not in problem(client.get(DOCUMENTS, headers=OWNER), 500)
