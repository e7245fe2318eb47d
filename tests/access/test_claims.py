"""Tokens of other issuers are read by the names that the operator gave their claims."""

from typing import Any

import pytest

from collab.access.claims import EXAMPLE, OURS, ClaimNames, parse_claim_names
from collab.access.roles import Role
from collab.access.tokens import Principal, TokenVerifier
from collab.errors import InvalidRequest, NotAuthenticated
from tests.access.test_tokens import GOOD, KEY, NOW, forge

ROOM = "site-1/postType/post-9"
FOREIGN: dict[str, Any] = {"user_id": 7, "username": "Ada", "room_name": ROOM, "exp": NOW + 60}


def verify(names: str, claims: dict[str, Any]) -> Principal:
    verifier = TokenVerifier(KEY, audience=None, claims=parse_claim_names(names))
    return verifier.verify(forge({claim: value for claim, value in claims.items() if value is not ...}), NOW)


def refusal(names: str, claims: dict[str, Any]) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        verify(names, claims)
    return str(caught.value)


# --- the setting ---------------------------------------------------------------------------------------


def test_names_are_read_from_text() -> None:
    assert parse_claim_names(EXAMPLE) == ClaimNames("user_id", "username", "room_name", Role.EDITOR)
    assert parse_claim_names(" user = email ") == ClaimNames(user="email")
    assert parse_claim_names("document=https://a.example/doc, role=https://a.example/role") == ClaimNames(
        document="https://a.example/doc", role="https://a.example/role"
    )
    assert parse_claim_names(" ") is OURS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user", "'user' does not map a claim. An example is 'user=user_id,"),
        ("user=", "'user=' does not map a claim."),
        ("sub=user_id", "'sub=user_id' does not map a claim."),
        ("user=a,", "'' does not map a claim."),
        ("user=a,user=b", "'user' is given twice."),
        ("document=room", "'document' and 'role' go together."),
        ("role=editor", "'document' and 'role' go together."),
    ],
)
def test_text_that_maps_nothing_is_refused_with_an_example(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_claim_names(text)
    assert str(caught.value).startswith(words)


# --- tokens --------------------------------------------------------------------------------------------


def test_token_of_another_issuer_is_for_its_document_alone() -> None:
    principal = verify(EXAMPLE, {**FOREIGN, "grants": {"**": "owner"}, "sub": "root"})
    assert (principal.user, principal.name, dict(principal.grants)) == ("7", "Ada", {ROOM: Role.EDITOR})


def test_role_may_be_in_a_claim() -> None:
    names = "document=room_name,role=may"
    assert dict(verify(names, {**FOREIGN, "sub": "ada", "may": "viewer"}).grants) == {ROOM: Role.VIEWER}
    assert refusal(names, {**FOREIGN, "sub": "ada"}) == "The token lacks 'may'."
    assert refusal(names, {**FOREIGN, "sub": "ada", "may": "king"}).startswith("A role is one of viewer")


def test_user_alone_may_have_another_name() -> None:
    principal = verify("user=email", {**GOOD, "email": "ada@example.com"})
    assert (principal.user, dict(principal.grants)) == ("ada@example.com", {"notes/*": Role.EDITOR})


def test_token_with_none_of_the_claims_is_one_of_ours() -> None:
    assert verify(EXAMPLE, GOOD).user == "alice"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user_id": ...}, "The token lacks 'user_id'."),
        ({"user_id": None, "sub": "root"}, "The token lacks 'user_id'."),
        ({"user_id": True}, "The token lacks 'user_id'."),
        ({"user_id": ["7"]}, "The token lacks 'user_id'."),
        ({"username": 7}, "The token lacks 'username'."),
        ({"room_name": ..., "grants": {"**": "owner"}}, "The token lacks 'room_name'."),
        ({"room_name": "", "grants": {"**": "owner"}}, "The token lacks 'room_name'."),
        ({"room_name": 9}, "The token lacks 'room_name'."),
        ({"room_name": "site-1/**"}, "The token's 'room_name' has a '*', so it does not name one document."),
        ({"room_name": "a/../b"}, "The token's 'room_name' is not a document name."),
        ({"room_name": "a" * 256}, "The token's 'room_name' has control characters, or more than 255"),
    ],
)
def test_claim_that_is_there_and_wrong_is_refused(changes: dict[str, Any], words: str) -> None:
    assert refusal(EXAMPLE, {**FOREIGN, **changes}).startswith(words)


def test_number_is_no_user_of_ours() -> None:
    assert refusal("", {**GOOD, "sub": 7}) == "The token lacks 'sub'."
