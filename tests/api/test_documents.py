"""The catalogue over REST."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collab.access.roles import Role
from collab.api.app import create_app
from collab.settings import Settings
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.api.calls import DOCUMENTS, OWNER, bearer, problem
from tests.deployment import token
from tests.room.build import YjsClient

NAMES = ["plain", "notes/42", "a/b/c", "50% off", "café", "日本/語", "a b", "x+y?#&", "%2F", "🙂", ".dot.txt"]


@pytest.fixture(params=["memory", "sqlite"])
def any_client(request: pytest.FixtureRequest, settings: Settings) -> Iterator[TestClient]:
    """A running server on either store."""
    store: Any = MemoryStore()
    if request.param == "sqlite":
        store = SqlStore(request.getfixturevalue("sqlite_url"))
    with TestClient(create_app(settings, store=store)) as client:
        yield client


def path(client: TestClient, name: str) -> str:
    """The path of a document, as the app itself would write it."""
    app: Any = client.app
    return str(app.url_path_for("get_document", name=name))


def create(client: TestClient, *names: str) -> None:
    for name in names:
        assert client.post(DOCUMENTS, headers=OWNER, json={"name": name}).status_code == 201


# --- create, read, change, delete ----------------------------------------------------------------------


def test_document_is_created_read_changed_and_deleted(any_client: TestClient) -> None:
    client = any_client
    made = client.post(DOCUMENTS, headers=OWNER, json={"name": "notes/42", "title": "Notes"})
    assert made.status_code == 201
    assert made.headers["etag"] == '"0"'
    assert (made.json()["name"], made.json()["title"], made.json()["seq"]) == ("notes/42", "Notes", 0)

    read = client.get(path(client, "notes/42"), headers=OWNER)
    assert (read.status_code, read.headers["etag"], read.json()) == (200, '"0"', made.json())

    changed = client.patch(path(client, "notes/42"), headers=OWNER, json={"title": "Minutes"})
    assert (changed.status_code, changed.headers["etag"], changed.json()["title"]) == (200, '"0"', "Minutes")
    assert client.get(path(client, "notes/42"), headers=OWNER).json()["title"] == "Minutes"

    gone = client.delete(path(client, "notes/42"), headers=OWNER)
    assert (gone.status_code, gone.content) == (204, b"")
    for answer in (
        client.get(path(client, "notes/42"), headers=OWNER),
        client.get(path(client, "notes/42") + "/content", headers=OWNER),
        client.patch(path(client, "notes/42"), headers=OWNER, json={"title": "x"}),
        client.delete(path(client, "notes/42"), headers=OWNER),
        client.post(path(client, "notes/42") + "/updates", headers=OWNER, content=YjsClient(1).type(0, "x")),
        client.post(DOCUMENTS, headers=OWNER, json={"name": "notes/42"}),
    ):
        problem(answer, 410, "document-deleted")
    assert client.get(DOCUMENTS, headers=OWNER).json() == {"documents": [], "next": None}


def test_etag_of_a_document_is_where_its_log_ends(client: TestClient) -> None:
    author = YjsClient(1)
    for number, letter in enumerate("abc", 1):
        client.post(f"{DOCUMENTS}/x/updates", headers=OWNER, content=author.type(number - 1, letter))
        assert client.get(f"{DOCUMENTS}/x", headers=OWNER).headers["etag"] == f'"{number}"'


def test_second_document_of_a_name_is_a_conflict(any_client: TestClient) -> None:
    create(any_client, "notes")
    problem(any_client.post(DOCUMENTS, headers=OWNER, json={"name": "notes"}), 409, "document-exists")


def test_document_that_is_not_there_is_not_found(client: TestClient) -> None:
    problem(client.get(f"{DOCUMENTS}/never", headers=OWNER), 404, "document-not-found")
    problem(client.get(f"{DOCUMENTS}/never/content", headers=OWNER), 404, "document-not-found")
    problem(client.patch(f"{DOCUMENTS}/never", headers=OWNER, json={"title": "x"}), 404, "document-not-found")
    problem(client.delete(f"{DOCUMENTS}/never", headers=OWNER), 404, "document-not-found")


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_one_encoded_segment_of_the_path(client: TestClient, name: str) -> None:
    create(client, name)
    assert client.get(path(client, name), headers=OWNER).json()["name"] == name
    written = client.post(path(client, name) + "/updates", headers=OWNER, content=YjsClient(1).type(0, name))
    assert written.json() == {"seq": 1}
    assert client.get(path(client, name) + "/content", headers=OWNER).text == name
    assert [each["name"] for each in client.get(DOCUMENTS, headers=OWNER).json()["documents"]] == [name]


@pytest.mark.parametrize(
    "name", ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "x" * 256, "a\0b", "a\nb", "e\u0301", "\u2028"]
)
def test_name_that_no_document_can_have_is_refused(client: TestClient, name: str) -> None:
    problem(client.post(DOCUMENTS, headers=OWNER, json={"name": name}), 400, "invalid-name")


@pytest.mark.parametrize("segment", ["a%2F", "%2E%2E", "%FF", "%00", "e%CC%81", "x" * 256])
def test_path_that_names_no_possible_document_is_refused(client: TestClient, segment: str) -> None:
    problem(client.get(f"{DOCUMENTS}/{segment}", headers=OWNER), 400, "invalid-name")


def test_name_with_half_a_surrogate_pair_is_refused(client: TestClient) -> None:
    answer = client.post(
        DOCUMENTS, headers=OWNER | {"Content-Type": "application/json"}, content=rb'{"name": "a\ud800"}'
    )
    assert answer.status_code == 400


# --- bodies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "name: Field required."),
        ({"name": "x", "tilte": "y"}, "tilte: Extra inputs are not permitted."),
        ({"name": 7}, "name: Input should be a valid string."),
        ({"name": "x", "title": "y" * 501}, "title: String should have at most 500 characters."),
        ({"name": "x", "title": "a\0b"}, "title: must not contain line breaks or control characters."),
        ([], "Send the body as a JSON object, with 'Content-Type: application/json'."),
    ],
)
def test_invalid_body_is_refused_with_the_reason(client: TestClient, body: Any, words: str) -> None:
    assert problem(client.post(DOCUMENTS, headers=OWNER, json=body), 400, "invalid-request") == words


@pytest.mark.parametrize("content", [b"", b"{", b'{"name": "x"}'])
def test_body_without_the_json_content_type_is_refused(client: TestClient, content: bytes) -> None:
    said = problem(client.post(DOCUMENTS, headers=OWNER, content=content), 400, "invalid-request")
    assert "'Content-Type: application/json'" in said


def test_body_above_the_limit_is_refused(client: TestClient) -> None:
    def body(size: int) -> bytes:
        return b'{"name": "x"}'.ljust(size)

    as_json = OWNER | {"Content-Type": "application/json"}
    assert client.post(DOCUMENTS, headers=as_json, content=body(64 * 1024)).status_code == 201
    for sender in (as_json, {"Content-Type": "application/json"}):
        problem(client.post(DOCUMENTS, headers=sender, content=body(64 * 1024 + 1)), 413, "too-large")


# --- who may -------------------------------------------------------------------------------------------


def test_request_without_a_good_token_is_refused(client: TestClient) -> None:
    for header, word in ((None, "missing"), ("Bearer nonsense", "malformed"), ("Basic YTpi", "missing")):
        for method, where in (("GET", ""), ("POST", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")):
            json = {"title": "x", "name": "x"} if method == "POST" else {"title": "x"}
            headers = {"Authorization": header} if header else {}
            answer = client.request(method, DOCUMENTS + where, headers=headers, json=json)
            problem(answer, 401, f"token-{word}")
            assert answer.headers["www-authenticate"] == "Bearer"


def test_token_in_the_query_is_ignored(client: TestClient) -> None:
    problem(client.get(f"{DOCUMENTS}?token={token('ada')}"), 401, "token-missing")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(None, 0), (Role.VIEWER, 1), (Role.COMMENTER, 1), (Role.EDITOR, 3), (Role.OWNER, 4)],
)
def test_each_role_allows_its_calls_and_no_more(client: TestClient, role: Role | None, allowed: int) -> None:
    create(client, "x")
    header = bearer({"other": Role.OWNER} | ({"x": role} if role else {}))
    calls = [
        client.get(f"{DOCUMENTS}/x", headers=header),
        client.patch(f"{DOCUMENTS}/x", headers=header, json={"title": "y"}),
        client.post(f"{DOCUMENTS}/x/updates", headers=header, content=YjsClient(1).type(0, "x")),
        client.delete(f"{DOCUMENTS}/x", headers=header),
    ]
    assert [answer.is_success for answer in calls] == [number < allowed for number in range(4)]
    for refused in calls[allowed:]:
        problem(refused, 403, "permission-denied")


def test_refusal_does_not_tell_whether_the_document_exists(client: TestClient) -> None:
    create(client, "secret")
    stranger = bearer({"other": Role.OWNER})
    there, not_there = (client.get(f"{DOCUMENTS}/{name}", headers=stranger) for name in ("secret", "never"))
    assert there.json() == not_there.json()


# --- lists ---------------------------------------------------------------------------------------------


def names(answer: Any) -> list[str]:
    return [each["name"] for each in answer.json()["documents"]]


def pages(client: TestClient, headers: dict[str, str], limit: int) -> Iterator[Any]:
    """Every page of the list, from the first to the last."""
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get(DOCUMENTS, headers=headers, params=query)
        assert page.status_code == 200
        yield page
        if page.json()["next"] is None:
            return
        query["after"] = page.json()["next"]


def test_list_comes_in_pages_by_name(any_client: TestClient) -> None:
    create(any_client, "c", "a", "e", "b", "d")
    assert [names(page) for page in pages(any_client, OWNER, 2)] == [["a", "b"], ["c", "d"], ["e"]]


def test_list_holds_only_what_the_caller_may_read(client: TestClient) -> None:
    create(client, "notes/1", "notes/2", "team/1", "team/a/2", "x")
    reader = bearer({"notes/*": Role.VIEWER, "team/**": Role.EDITOR})
    assert names(client.get(DOCUMENTS, headers=reader)) == ["notes/1", "notes/2", "team/1", "team/a/2"]
    assert names(client.get(DOCUMENTS, headers=bearer({"y": Role.OWNER}))) == []


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request looks through two documents only."""
    monkeypatch.setattr("collab.api.documents.BATCHES_MAX", 1)
    monkeypatch.setattr("collab.api.documents.BATCH_MIN", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_caller_with_few_documents_among_many_sees_exactly_these(any_client: TestClient, limit: int) -> None:
    own = [f"team/{number:02}" for number in range(7)]
    create(any_client, *own, *(f"{number:02}" for number in range(20)), "team", "team/00/secret", "team/x/secret", "z")
    answers = list(pages(any_client, bearer({"team/*": Role.VIEWER}), limit))
    assert [name for page in answers for name in names(page)] == own
    assert all("secret" not in page.text for page in answers)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("pattern", ["other", "*/x", "1*/**", "**/x"])
@pytest.mark.parametrize("limit", [1, 500])
def test_caller_without_documents_learns_no_name(client: TestClient, pattern: str, limit: int) -> None:
    hidden = [f"{number:02}-secret" for number in range(30)]
    create(client, *hidden)
    answers = list(pages(client, bearer({pattern: Role.OWNER}), limit))
    assert [name for page in answers for name in names(page)] == []
    told = "".join(page.text + str(page.headers) for page in answers)
    assert [name for name in hidden if name in told] == []


@pytest.mark.usefixtures("small_batches")
def test_number_of_documents_outside_all_grants_does_not_show(client: TestClient) -> None:
    create(client, *(f"{number:02}" for number in range(30)))
    assert len(list(pages(client, bearer({"other": Role.OWNER}), 1))) == 1


def test_position_in_the_list_cannot_be_chosen(client: TestClient) -> None:
    create(client, "a", "b")
    assert "start again" in problem(client.get(f"{DOCUMENTS}?after=a", headers=OWNER), 400, "invalid-request")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=many", "after=%00", f"after={'x' * 9999}"])
def test_invalid_page_is_refused(client: TestClient, query: str) -> None:
    problem(client.get(f"{DOCUMENTS}?{query}", headers=OWNER), 400, "invalid-request")


def test_deleting_closes_the_open_connections(client: TestClient, store: MemoryStore, tmp_path: Path) -> None:
    create(client, "x")
    with client.websocket_connect(f"/ws/x?token={token('grace')}") as socket:
        client.delete(f"{DOCUMENTS}/x", headers=OWNER)
        assert socket.receive()["code"] == 4410
    assert asyncio.run(store.load("x")).deleted  # type: ignore[arg-type]
