"""The editor's pages: their headers, and that nothing outside the build is served."""

import pytest
from fastapi.testclient import TestClient

from collab.api.pages import STATIC
from tests.api.calls import problem


@pytest.mark.parametrize("path", ["/", "/d/notes", "/d/notes/42", "/d/caf%C3%A9%20%25"])
def test_page_runs_only_its_own_scripts_and_cannot_be_framed(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = {each.split()[0]: each.split()[1:] for each in answer.headers["content-security-policy"].split(";")}
    assert policy["default-src"] == policy["script-src"] == ["'self'"]
    assert policy["object-src"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'self'"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in answer.headers


def test_hashed_assets_are_cached_for_ever(client: TestClient) -> None:
    names = [file.name for file in (STATIC / "assets").iterdir()]
    assert names
    for name in names:
        answer = client.get(f"/assets/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_element_may_be_loaded_by_other_sites(client: TestClient) -> None:
    answer = client.get("/collab-editor.js")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"].startswith("text/javascript")


def test_files_are_never_sniffed(client: TestClient) -> None:
    for path in ("/collab-editor.js", "/licenses.md"):
        assert client.get(path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["../index.html", "%2e%2e/index.html", "..%2f..%2fapp.py", "/etc/passwd", "", "a%00b", "x" * 5000]
)
def test_nothing_outside_the_assets_is_served(client: TestClient, path: str) -> None:
    answer = client.get(f"/assets/{path}")
    problem(answer, 404)


@pytest.mark.parametrize("settings", [{"allowed_origins": "https://app.example"}], indirect=True)
def test_only_allowed_origins_may_call_rest(client: TestClient) -> None:
    def preflight(origin: str) -> str | None:
        asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
        asked["Access-Control-Request-Headers"] = "authorization,content-type"
        return client.options("/api/v1/documents", headers=asked).headers.get("access-control-allow-origin")

    assert preflight("https://app.example") == "https://app.example"
    assert preflight("https://evil.example") is None
    answer = client.get("/api/v1/documents", headers={"Origin": "https://app.example"})
    problem(answer, 401, "token-missing")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def test_address_that_leads_nowhere_is_a_page_for_people_and_a_problem_for_programs(client: TestClient) -> None:
    for path in ("/nowhere", "/docs/x"):
        page = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "<collab-documents>" in page.text
        problem(client.get(path, headers={"Accept": "*/*"}), 404)
    for path in ("/api/v1/nowhere", "/assets/nothing.js"):
        problem(client.get(path, headers={"Accept": "text/html,*/*"}), 404)


def test_bin_and_new_document_have_addresses(client: TestClient) -> None:
    for path in ("/bin", "/new", "/theme.js"):
        assert client.get(path).status_code == 200
