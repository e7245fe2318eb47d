"""The list of documents over REST."""

from collections.abc import Iterator
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


@pytest.fixture(params=["memory", "sqlite"])
def any_client(request: pytest.FixtureRequest, settings: Settings) -> Iterator[TestClient]:
    """A running server on either store."""
    store: Any = MemoryStore()
    if request.param == "sqlite":
        store = SqlStore(request.getfixturevalue("sqlite_url"))
    with TestClient(create_app(settings, store=store)) as client:
        yield client


def create(client: TestClient, *names: str, **titled: str) -> None:
    for name, title in {**dict.fromkeys(names, ""), **titled}.items():
        assert client.post(DOCUMENTS, headers=OWNER, json={"name": name, "title": title}).status_code == 201


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["documents"]]


def pages(client: TestClient, headers: dict[str, str], limit: int, **query: str) -> Iterator[Any]:
    """Every page of the list, from the first to the last."""
    asked: dict[str, Any] = {"limit": limit, **query}
    while True:
        page = client.get(DOCUMENTS, headers=headers, params=asked)
        assert page.status_code == 200
        yield page
        if page.json()["next"] is None:
            return
        asked["after"] = page.json()["next"]


def test_list_comes_in_pages_by_name(any_client: TestClient) -> None:
    create(any_client, "c", "a", "e", "b", "d")
    assert [names(page) for page in pages(any_client, OWNER, 2)] == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("name", "abc"), ("title", "bca"), ("created", "cba"), ("updated", "acb")],
)
def test_list_is_sorted_as_asked(any_client: TestClient, sort: str, expected: str) -> None:
    create(any_client, a="Zebra", b="apple", c="Banana")
    any_client.post(f"{DOCUMENTS}/a/updates", headers=OWNER, content=YjsClient(1).type(0, "x"))
    assert names(any_client.get(DOCUMENTS, headers=OWNER, params={"sort": sort})) == list(expected)
    assert [name for page in pages(any_client, OWNER, 1, sort=sort) for name in names(page)] == list(expected)


def test_document_edited_last_comes_first_among_a_thousand(any_client: TestClient) -> None:
    create(any_client, *(f"{number:04}" for number in range(120)))
    any_client.post(f"{DOCUMENTS}/0007/updates", headers=OWNER, content=YjsClient(1).type(0, "x"))
    assert names(any_client.get(f"{DOCUMENTS}?sort=updated&limit=1", headers=OWNER)) == ["0007"]


def test_list_is_searched_by_title_and_name(any_client: TestClient) -> None:
    create(any_client, "team/minutes", a="Minutes of May", b="Plan")
    assert names(any_client.get(f"{DOCUMENTS}?q=MINUTES", headers=OWNER)) == ["a", "team/minutes"]
    assert names(any_client.get(f"{DOCUMENTS}?q=minutes&prefix=team/", headers=OWNER)) == ["team/minutes"]
    assert names(any_client.get(f"{DOCUMENTS}?q=minutes", headers=bearer({"b": Role.VIEWER}))) == []


def test_entry_has_the_role_of_the_caller(any_client: TestClient) -> None:
    create(any_client, "a", "b/1")
    reader = bearer({"a": Role.COMMENTER, "b/*": Role.VIEWER, "b/1": Role.OWNER})
    listed = any_client.get(DOCUMENTS, headers=reader).json()["documents"]
    assert [(each["name"], each["role"]) for each in listed] == [("a", "commenter"), ("b/1", "owner")]
    assert listed[0].keys() == {"name", "title", "seq", "created_at", "updated_at", "deleted_at", "role"}


def test_member_finds_documents_beside_those_of_the_token(any_client: TestClient) -> None:
    create(any_client, "a", "b", "c", "d")
    eve = {"Authorization": f"Bearer {token('eve', {'c': Role.VIEWER, 'd': Role.VIEWER})}"}
    for name, role in (("a", "editor"), ("c", "commenter")):
        put = any_client.put(f"{DOCUMENTS}/{name}/members/eve", headers=OWNER, json={"role": role})
        assert put.is_success, put.text
    listed = any_client.get(f"{DOCUMENTS}?sort=updated", headers=eve).json()["documents"]
    assert [(each["name"], each["role"]) for each in listed] == [("d", "viewer"), ("c", "commenter"), ("a", "editor")]
    assert any_client.get(f"{DOCUMENTS}/a", headers=eve).json()["role"] == "editor"


def test_member_who_owns_a_document_restores_it(any_client: TestClient) -> None:
    eve = {"Authorization": f"Bearer {token('eve', {'mine': Role.EDITOR})}"}
    assert any_client.post(DOCUMENTS, headers=eve, json={"name": "mine"}).json()["role"] == "owner"
    assert any_client.delete(f"{DOCUMENTS}/mine", headers=eve).status_code == 204
    assert names(any_client.get(f"{DOCUMENTS}?bin=true", headers=eve)) == ["mine"]
    assert any_client.post(f"{DOCUMENTS}/mine/restore", headers=eve).status_code == 200


def test_bin_lists_what_the_caller_owns(any_client: TestClient) -> None:
    create(any_client, "a", "b", "c")
    for name in ("a", "b"):
        any_client.delete(f"{DOCUMENTS}/{name}", headers=OWNER)
    assert names(any_client.get(DOCUMENTS, headers=OWNER)) == ["c"]
    in_bin = any_client.get(f"{DOCUMENTS}?bin=true", headers=bearer({"a": Role.OWNER, "b": Role.EDITOR}))
    assert names(in_bin) == ["a"]
    assert in_bin.json()["documents"][0]["deleted_at"] is not None


def test_list_holds_only_what_the_caller_may_read(client: TestClient) -> None:
    create(client, "notes/1", "notes/2", "team/1", "team/a/2", "x")
    reader = bearer({"notes/*": Role.VIEWER, "team/**": Role.EDITOR})
    assert names(client.get(DOCUMENTS, headers=reader)) == ["notes/1", "notes/2", "team/1", "team/a/2"]
    assert names(client.get(DOCUMENTS, headers=bearer({"y": Role.OWNER}))) == []


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request looks through two documents only."""
    monkeypatch.setattr("collab.store.listing.BATCHES_MAX", 1)
    monkeypatch.setattr("collab.store.listing.BATCH_MIN", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("pattern", ["team/*", "**/0*"])
def test_caller_with_few_documents_among_many_sees_exactly_these(
    any_client: TestClient, limit: int, pattern: str
) -> None:
    own = [f"team/{number:02}" for number in range(7)]
    create(any_client, *own, *(f"{number:02}" for number in range(20)), "team", "team/00/secret", "team/x/secret", "z")
    answers = list(pages(any_client, bearer({pattern: Role.VIEWER}), limit))
    assert [name for page in answers for name in names(page)] == own
    assert all("secret" not in page.text for page in answers)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("pattern", ["other", "*/x", "1*/**", "**/x", "**/x*"])
@pytest.mark.parametrize("limit", [1, 500])
def test_caller_without_documents_learns_no_name(any_client: TestClient, pattern: str, limit: int) -> None:
    hidden = [f"{number:02}-secret" for number in range(30)]
    create(any_client, *hidden)
    answers = list(pages(any_client, bearer({pattern: Role.OWNER}), limit))
    assert [name for page in answers for name in names(page)] == []
    told = "".join(page.text + str(page.headers) for page in answers)
    assert [name for name in hidden if name in told] == []


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("pattern", ["other", "other/*", "*/x", "*-secret/**"])
def test_number_of_documents_outside_all_grants_does_not_show(any_client: TestClient, pattern: str) -> None:
    create(any_client, *(f"{number:02}-secret" for number in range(30)))
    for sort in ("name", "updated"):
        assert len(list(pages(any_client, bearer({pattern: Role.OWNER}), 1, sort=sort))) == 1


def test_position_in_the_list_cannot_be_chosen(client: TestClient) -> None:
    create(client, "a", "b")
    assert "start again" in problem(client.get(f"{DOCUMENTS}?after=a", headers=OWNER), 400, "invalid-request")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("after=%00", "after"),
        (f"after={'x' * 9999}", "after"),
        ("sort=size", "sort"),
        (f"q={'x' * 201}", "q"),
        ("q=%00", "q"),
        ("prefix=%0a", "prefix"),
        ("bin=perhaps", "bin"),
        ("search=x", "search"),
        ("offset=10&q=x", "offset"),
    ],
)
def test_invalid_or_unknown_parameter_is_refused_by_name(client: TestClient, query: str, named: str) -> None:
    said = problem(client.get(f"{DOCUMENTS}?{query}", headers=OWNER), 400, "invalid-request")
    assert said.startswith(f"{named}: ")
