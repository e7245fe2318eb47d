"""HEAD is answered wherever GET is: with the same status and headers, and without a body."""

import pytest
from fastapi.testclient import TestClient

from tests.api.calls import DOCUMENTS, OWNER, problem


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/d/notes", "/collab-editor.js", "/healthz", "/readyz", "/metrics", "/nowhere"),
        *("/api/v1/docs", "/api/v1/openapi.json"),
        *(DOCUMENTS, f"{DOCUMENTS}/notes", f"{DOCUMENTS}/notes/content", f"{DOCUMENTS}/none"),
    ],
)
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    client.post(DOCUMENTS, headers=OWNER, json={"name": "notes"})
    got, head = (client.request(method, path, headers=OWNER) for method in ("GET", "HEAD"))
    assert head.content == b""
    assert head.status_code == got.status_code
    if path != "/metrics":  # whose numbers change from one look to the next
        assert head.headers == got.headers


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/healthz", "GET, HEAD"),
        (DOCUMENTS, "GET, POST, HEAD"),
        (f"{DOCUMENTS}/notes%2F42", "GET, PATCH, DELETE, HEAD"),
        (f"{DOCUMENTS}/notes/updates", "POST"),
    ],
)
def test_method_that_there_is_not_is_told_what_there_is(client: TestClient, path: str, allowed: str) -> None:
    answer = client.put(path, headers=OWNER)
    problem(answer, 405)
    assert answer.headers["allow"] == allowed
