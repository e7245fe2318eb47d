"""Members, links, requests and publication over REST."""

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from collab.access.roles import Role
from collab.access.sharing import LINKS_MAX, MEMBERS_MAX
from collab.ids import DocumentName, UserId
from collab.store.memory import MemoryStore
from tests.api.calls import DOCUMENTS, OWNER, bearer, problem
from tests.room.build import YjsClient

PLAN, OTHER = f"{DOCUMENTS}/team%2Fplan", f"{DOCUMENTS}/other"
NOTHING: dict[str, Role] = {"elsewhere": Role.VIEWER}
ADA, BOB, EVE = (bearer(NOTHING, user=user) for user in ("ada", "bob", "eve"))


@pytest.fixture(autouse=True)
def documents(client: TestClient) -> None:
    """Two documents: ``team/plan`` with a text, which ada owns, and ``other``."""
    text = YjsClient(1).type(0, "Secret plan.")
    assert client.post(f"{PLAN}/updates", headers=bearer(user="ada"), content=text).status_code == 200
    assert client.post(DOCUMENTS, headers=OWNER, json={"name": "other"}).status_code == 201


def make_link(client: TestClient, **more: Any) -> Any:
    made = client.post(f"{PLAN}/links", headers=ADA, json={"role": "viewer", **more})
    assert made.status_code == 201, made.text
    return made.json()


def by_link(link: Any, **more: str) -> dict[str, str]:
    query = "&".join(f"{key}={quote(value)}" for key, value in more.items())
    return {"Authorization": f"Bearer {link['secret']}{'?' if query else ''}{query}"}


# --- members -------------------------------------------------------------------------------------------


def test_first_writer_and_creator_own_their_documents(client: TestClient) -> None:
    (member,) = client.get(f"{PLAN}/members", headers=ADA).json()["members"]
    assert (member["user"], member["role"]) == ("ada", "owner")
    (member,) = client.get(f"{OTHER}/members", headers=OWNER).json()["members"]
    assert (member["user"], member["role"]) == ("owner", "owner")


def test_member_may_what_the_role_says_until_removed(client: TestClient) -> None:
    problem(client.get(f"{PLAN}/content", headers=BOB), 403, "permission-denied")
    made = client.put(f"{PLAN}/members/bob", headers=ADA, json={"role": "viewer"})
    assert (made.status_code, made.json()["user"], made.json()["role"]) == (200, "bob", "viewer")
    assert client.get(f"{PLAN}/content", headers=BOB).text == "Secret plan."
    problem(client.patch(PLAN, headers=BOB, json={"title": "x"}), 403, "permission-denied")
    client.put(f"{PLAN}/members/bob", headers=ADA, json={"role": "editor"})
    assert client.patch(PLAN, headers=BOB, json={"title": "Plan"}).status_code == 200
    update = YjsClient(2).type(0, "Hi.")
    assert client.post(f"{PLAN}/updates", headers=BOB, content=update).status_code == 200
    problem(client.get(f"{PLAN}/members", headers=BOB), 403, "permission-denied")
    assert client.delete(f"{PLAN}/members/bob", headers=ADA).status_code == 204
    problem(client.get(f"{PLAN}/content", headers=BOB), 403, "permission-denied")
    problem(client.delete(f"{PLAN}/members/bob", headers=ADA), 404, "member-not-found")


def test_document_is_handed_over_but_never_without_an_owner(client: TestClient) -> None:
    for refused in (
        client.delete(f"{PLAN}/members/ada", headers=ADA),
        client.put(f"{PLAN}/members/ada", headers=OWNER, json={"role": "editor"}),
    ):
        problem(refused, 409, "last-owner")
    client.put(f"{PLAN}/members/bob", headers=ADA, json={"role": "owner"})
    assert client.put(f"{PLAN}/members/ada", headers=ADA, json={"role": "viewer"}).status_code == 200
    problem(client.put(f"{PLAN}/members/eve", headers=ADA, json={"role": "viewer"}), 403, "permission-denied")
    assert client.delete(f"{PLAN}/members/ada", headers=BOB).status_code == 204


@pytest.mark.parametrize("user", ["bob@example.org", "auth0|1/2", "ève", "a b", "%"])
def test_user_may_have_any_id_that_tokens_have(client: TestClient, user: str) -> None:
    path = f"{PLAN}/members/{quote(user, safe='')}"
    assert client.put(path, headers=ADA, json={"role": "viewer"}).json()["user"] == user
    assert client.get(f"{PLAN}/content", headers=bearer(NOTHING, user=user)).status_code == 200
    assert client.delete(path, headers=ADA).status_code == 204


@pytest.mark.parametrize("user", ["x" * 256, "%20", "a%00", "a%0Ab", "%FF", "%ED%A0%80", "guest:abc"])
def test_user_that_no_token_can_have_is_refused(client: TestClient, user: str) -> None:
    problem(client.put(f"{PLAN}/members/{user}", headers=ADA, json={"role": "viewer"}), 400, "invalid-request")


@pytest.mark.parametrize(
    "body", [{}, {"role": "admin"}, {"role": None}, {"role": "viewer", "more": 1}, [], "viewer", None]
)
def test_bad_role_is_refused_and_nothing_is_changed(client: TestClient, body: Any) -> None:
    problem(client.put(f"{PLAN}/members/bob", headers=ADA, json=body), 400, "invalid-request")
    assert len(client.get(f"{PLAN}/members", headers=ADA).json()["members"]) == 1


async def test_number_of_members_and_links_is_bounded(client: TestClient, store: MemoryStore) -> None:
    for number in range(1, MEMBERS_MAX):
        await store.put_member(DocumentName("team/plan"), UserId(f"u{number}"), Role.VIEWER)
    problem(client.put(f"{PLAN}/members/bob", headers=ADA, json={"role": "viewer"}), 409, "sharing-full")
    for _ in range(LINKS_MAX):
        make_link(client)
    problem(client.post(f"{PLAN}/links", headers=ADA, json={"role": "viewer"}), 409, "sharing-full")


def test_list_shows_documents_of_which_the_caller_is_a_member(client: TestClient) -> None:
    mixed = bearer({"m*": Role.VIEWER}, user="bob")
    for name in ("b", "m1", "m2", "z", "hidden"):
        client.post(DOCUMENTS, headers=OWNER, json={"name": name})
    for name in ("z", "b", "m1"):
        client.put(f"{DOCUMENTS}/{name}/members/bob", headers=OWNER, json={"role": "viewer"})
    for caller, names in ((mixed, ["b", "m1", "m2", "z"]), (BOB, ["b", "m1", "z"]), (ADA, ["team/plan"])):
        for limit in (1, 2, 3, 100):
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                page = client.get(DOCUMENTS, headers=caller, params={"after": after, "limit": limit}).json()
                assert len(page["documents"]) <= limit
                found += [each["name"] for each in page["documents"]]
                after = page["next"]
            assert found == names
    client.delete(f"{DOCUMENTS}/z", headers=OWNER)
    assert "z" not in client.get(DOCUMENTS, headers=BOB).text


# --- links ---------------------------------------------------------------------------------------------


def test_link_opens_its_document_and_no_other(client: TestClient) -> None:
    link = make_link(client, role="editor")
    assert link["url"] == f"http://testserver/d/team/plan#token={link['secret']}"
    guest = by_link(link, name="Eve")
    assert client.get(f"{PLAN}/content", headers=guest).text == "Secret plan."
    assert client.post(f"{PLAN}/updates", headers=guest, content=YjsClient(2).type(0, "Hi.")).status_code == 200
    for refused in (
        client.get(f"{OTHER}/content", headers=guest),
        client.get(f"{DOCUMENTS}/none", headers=guest),
        client.post(DOCUMENTS, headers=guest, json={"name": "mine"}),
        client.get(f"{PLAN}/links", headers=guest),
        client.post(f"{PLAN}/access-requests", headers=guest, json={}),
    ):
        problem(refused, 403, "permission-denied")
    assert client.get(DOCUMENTS, headers=guest).json() == {"documents": [], "next": None}


def test_secret_of_a_link_is_shown_once(client: TestClient) -> None:
    link = make_link(client, role="commenter", expires_in=60, password="x")
    for path in ("links", "access"):
        answer = client.get(f"{PLAN}/{path}", headers=ADA)
        assert link["secret"] not in answer.text
        (listed,) = answer.json()["links"]
        assert listed == {key: link[key] for key in link if key not in ("secret", "url")}
        assert (listed["role"], listed["has_password"], listed["expired"]) == ("commenter", True, False)


def test_link_with_a_password_needs_it(client: TestClient) -> None:
    link = make_link(client, password="öpen & sesame")
    for wrong in (by_link(link), by_link(link, password="open")):
        problem(client.get(f"{PLAN}/content", headers=wrong), 401, "link-password")
    assert client.get(f"{PLAN}/content", headers=by_link(link, password="öpen & sesame")).status_code == 200


def test_revoked_link_opens_nothing(client: TestClient) -> None:
    link, kept = make_link(client), make_link(client)
    problem(client.delete(f"{OTHER}/links/{link['id']}", headers=OWNER), 404, "link-not-found")
    assert client.get(f"{PLAN}/content", headers=by_link(link)).status_code == 200
    assert client.delete(f"{PLAN}/links/{link['id']}", headers=ADA).status_code == 204
    problem(client.get(f"{PLAN}/content", headers=by_link(link)), 401, "link-invalid")
    problem(client.delete(f"{PLAN}/links/{link['id']}", headers=ADA), 404, "link-not-found")
    assert [each["id"] for each in client.get(f"{PLAN}/links", headers=ADA).json()["links"]] == [kept["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "owner"},
        {"role": "viewer", "expires_in": 0},
        {"role": "viewer", "expires_in": 1e12},
        {"role": "viewer", "expires_in": "soon"},
        {"role": "viewer", "password": ""},
        {"role": "viewer", "password": "x" * 201},
        {"role": "viewer", "secret": "cl_mine"},
    ],
)
def test_bad_link_is_refused_and_none_is_made(client: TestClient, body: Any) -> None:
    problem(client.post(f"{PLAN}/links", headers=ADA, json=body), 400, "invalid-request")
    assert client.get(f"{PLAN}/links", headers=ADA).json() == {"links": []}


# --- access --------------------------------------------------------------------------------------------


def test_access_says_what_the_caller_may_do_and_why(client: TestClient) -> None:
    client.put(f"{PLAN}/members/bob", headers=ADA, json={"role": "editor"})
    link = make_link(client)
    both = bearer({"**": Role.EDITOR}, user="bob")
    for caller, role, because, guest in (
        (ADA, "owner", ["member"], False),
        (BOB, "editor", ["member"], False),
        (both, "editor", ["token", "member"], False),
        (bearer({"**": Role.VIEWER}, user="eve"), "viewer", ["token"], False),
        (by_link(link, name="Eve"), "viewer", ["link"], True),
    ):
        access = client.get(f"{PLAN}/access", headers=caller).json()
        assert (access["you"]["role"], access["you"]["because"], access["you"]["guest"]) == (role, because, guest)
        assert (access["members"] is None, access["links"] is None) == (role != "owner", role != "owner")
    assert access["you"]["name"] == "Eve (guest)"
    members = client.get(f"{PLAN}/access", headers=ADA).json()["members"]
    assert [member["user"] for member in members] == ["ada", "bob"]
    problem(client.get(f"{PLAN}/access", headers=EVE), 403, "permission-denied")


def test_request_for_access_reaches_the_owner_and_is_answered_by_membership(client: TestClient) -> None:
    for message in ("Hello?", "I take the minutes."):
        asked = client.post(f"{PLAN}/access-requests", headers=EVE, json={"message": message})
        assert (asked.status_code, asked.content) == (202, b"")
    (request,) = client.get(f"{PLAN}/access-requests", headers=ADA).json()["requests"]
    assert (request["user"], request["name"], request["message"]) == ("eve", "Eve", "I take the minutes.")
    client.put(f"{PLAN}/members/eve", headers=ADA, json={"role": "viewer"})
    assert client.get(f"{PLAN}/access-requests", headers=ADA).json() == {"requests": []}
    problem(client.post(f"{PLAN}/access-requests", headers=EVE, json={}), 409, "has-access")


def test_asking_does_not_tell_whether_the_document_exists(client: TestClient) -> None:
    client.delete(OTHER, headers=OWNER)
    answers = [
        client.post(f"{path}/access-requests", headers=EVE, json={}) for path in (PLAN, OTHER, f"{DOCUMENTS}/none")
    ]
    assert len({(each.status_code, each.content, str(each.headers)) for each in answers}) == 1


def test_published_content_is_for_everybody_and_nothing_else_is(client: TestClient) -> None:
    for caller in ({}, EVE):
        problem(
            client.get(f"{PLAN}/content", headers=caller),
            403 if caller else 401,
            "permission-denied" if caller else "token-missing",
        )
    for _ in range(2):
        assert client.put(f"{PLAN}/publication", headers=ADA).status_code == 204
    for caller in ({}, EVE):
        assert client.get(f"{PLAN}/content", headers=caller).text == "Secret plan."
        assert client.get(f"{PLAN}/content?format=update", headers=caller).status_code == 200
    assert client.get(f"{PLAN}/access", headers=ADA).json()["published"] is True
    for path in (PLAN, f"{PLAN}/access", f"{PLAN}/members", DOCUMENTS):
        problem(client.get(path), 401, "token-missing")
    problem(client.get(f"{PLAN}/content", headers={"Authorization": "Bearer bad"}), 401, "token-malformed")
    problem(client.get(f"{OTHER}/content"), 401, "token-missing")
    assert client.delete(f"{PLAN}/publication", headers=ADA).status_code == 204
    problem(client.get(f"{PLAN}/content"), 401, "token-missing")
