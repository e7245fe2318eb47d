"""The catalogue over REST."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collab.access.roles import Role
from collab.api.app import create_app
from collab.ids import DocumentName
from collab.settings import Settings
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.api.calls import DOCUMENTS, OWNER, bearer, problem
from tests.deployment import token
from tests.room.build import YjsClient, document_of

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
    assert made.headers["etag"] == '"1"'
    assert (made.json()["name"], made.json()["title"], made.json()["seq"]) == ("notes/42", "Notes", 1)

    read = client.get(path(client, "notes/42"), headers=OWNER)
    assert (read.status_code, read.headers["etag"], read.json()) == (200, '"1"', made.json())

    changed = client.patch(path(client, "notes/42"), headers=OWNER, json={"title": "Minutes"})
    assert (changed.status_code, changed.headers["etag"], changed.json()["title"]) == (200, '"2"', "Minutes")
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


def test_title_is_part_of_the_document(client: TestClient) -> None:
    assert client.post(DOCUMENTS, headers=OWNER, json={"name": "x"}).json()["seq"] == 0
    client.post(f"{DOCUMENTS}/x/updates", headers=OWNER, content=YjsClient(1).type(0, "text"))
    for title in ("Minutes", "Notes", "Notes"):
        assert client.patch(f"{DOCUMENTS}/x", headers=OWNER, json={"title": title}).json()["title"] == title
    update = client.get(f"{DOCUMENTS}/x/content?format=update", headers=OWNER)
    document = document_of(update.content)
    assert (document.title(), document.text(), update.headers["etag"]) == ("Notes", "text", '"3"')


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


# --- the bin -------------------------------------------------------------------------------------------


def test_deleting_closes_the_open_connections(client: TestClient, store: MemoryStore, tmp_path: Path) -> None:
    create(client, "x")
    with client.websocket_connect(f"/ws/x?token={token('grace')}") as socket:
        client.delete(f"{DOCUMENTS}/x", headers=OWNER)
        assert socket.receive()["code"] == 4410
    assert asyncio.run(store.load(DocumentName("x"))).deleted


def test_document_in_the_bin_says_so_and_comes_back(any_client: TestClient) -> None:
    client = any_client
    client.post(path(client, "notes/1") + "/updates", headers=OWNER, content=YjsClient(1).type(0, "x"))
    client.patch(path(client, "notes/1"), headers=OWNER, json={"title": "Notes"})
    assert client.delete(path(client, "notes/1"), headers=OWNER).status_code == 204
    said = problem(client.post(DOCUMENTS, headers=OWNER, json={"name": "notes/1"}), 410, "document-deleted")
    assert said == "The document is in the bin. Its owner can restore it, or delete it for good."

    back = client.post(path(client, "notes/1") + "/restore", headers=OWNER)
    assert (back.status_code, back.headers["etag"]) == (200, '"2"')
    assert (back.json()["title"], back.json()["deleted_at"], back.json()["role"]) == ("Notes", None, "owner")
    assert client.get(path(client, "notes/1") + "/content", headers=OWNER).text == "x"
    assert client.post(path(client, "notes/1") + "/restore", headers=OWNER).json() == back.json()
    written = write_again(client, path(client, "notes/1"), YjsClient(2).type(0, "y"))
    assert written.json() == {"seq": 3}


def write_again(client: TestClient, where: str, update: bytes) -> Any:
    """Write as clients do: again, if the room of before the deletion has not ended yet."""
    for _ in range(100):
        written = client.post(where + "/updates", headers=OWNER, content=update)
        if written.status_code != 503:
            break
    return written


def test_purged_document_is_gone_and_its_name_can_be_created_again(
    any_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = any_client
    client.post(f"{DOCUMENTS}/x/updates", headers=OWNER, content=YjsClient(1).type(0, "old"))
    assert client.delete(f"{DOCUMENTS}/x?purge=true", headers=OWNER).status_code == 204
    for answer in (
        client.get(f"{DOCUMENTS}/x", headers=OWNER),
        client.post(f"{DOCUMENTS}/x/restore", headers=OWNER),
        client.delete(f"{DOCUMENTS}/x?purge=true", headers=OWNER),
    ):
        problem(answer, 404, "document-not-found")
    again = client.post(f"{DOCUMENTS}/x/updates", headers=OWNER, content=YjsClient(2).type(0, "old"))
    problem(again, 410, "document-deleted")
    early = client.post(DOCUMENTS, headers=OWNER, json={"name": "x", "title": "New"})
    problem(early, 503, "unavailable")
    assert early.headers["retry-after"] == "2"
    monkeypatch.setattr("collab.store.deletion.NAME_RESTS", timedelta())
    assert client.post(DOCUMENTS, headers=OWNER, json={"name": "x", "title": "New"}).json()["seq"] == 1
    write_again(client, f"{DOCUMENTS}/x", YjsClient(3).type(0, "new"))
    assert client.get(f"{DOCUMENTS}/x/content", headers=OWNER).text == "new"


def test_only_owners_restore_and_purge(client: TestClient) -> None:
    create(client, "x")
    client.delete(f"{DOCUMENTS}/x", headers=OWNER)
    editor = bearer({"x": Role.EDITOR})
    problem(client.post(f"{DOCUMENTS}/x/restore", headers=editor), 403, "permission-denied")
    problem(client.delete(f"{DOCUMENTS}/x?purge=true", headers=editor), 403, "permission-denied")
    assert client.post(f"{DOCUMENTS}/x/restore", headers=bearer({"x": Role.OWNER})).status_code == 200


@pytest.mark.parametrize("query", ["purge=perhaps", "purgge=true", "purge=true&force=1"])
def test_way_of_deleting_that_does_not_exist_is_refused(client: TestClient, query: str) -> None:
    create(client, "x")
    problem(client.delete(f"{DOCUMENTS}/x?{query}", headers=OWNER), 400, "invalid-request")
    assert client.get(f"{DOCUMENTS}/x", headers=OWNER).status_code == 200


@pytest.mark.parametrize("how", ["", "?purge=true"])
def test_deleting_either_way_closes_the_open_connections(client: TestClient, how: str) -> None:
    create(client, "x")
    with client.websocket_connect(f"/ws/x?token={token('grace')}") as socket:
        client.delete(f"{DOCUMENTS}/x{how}", headers=OWNER)
        assert socket.receive()["code"] == 4410
    with client.websocket_connect(f"/ws/x?token={token('grace')}") as socket:
        while (told := socket.receive())["type"] != "websocket.close":
            pass
        assert told["code"] == 4410
