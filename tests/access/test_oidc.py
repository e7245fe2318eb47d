"""What a provider may say, and whom an ID token names."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from collab.access.oidc import (
    Attempt,
    Provider,
    authorization_url,
    code_challenge,
    discovery_url,
    grants_for,
    identity_in,
    is_trusted_url,
    own_name,
    parse_grant_list,
    parse_provider,
)
from collab.access.roles import Role
from collab.errors import InvalidRequest, SignInFailed

ISSUER = "https://id.example.com"
NOW = 1_800_000_000.0
ATTEMPT = Attempt("the state", "the nonce", "the verifier", "d/notes/42")
SAID: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "collab",
    "sub": "ada",
    "name": "Ada",
    "nonce": "the nonce",
    "exp": NOW + 60,
}


def parsed(**changes: Any) -> Provider:
    return parse_provider(json.dumps(SAID | changes).encode(), ISSUER)


def test_provider_is_read_from_its_configuration() -> None:
    provider = parsed(userinfo_endpoint=f"{ISSUER}/me", token_endpoint_auth_methods_supported=["client_secret_post"])
    assert (provider.token_endpoint, provider.userinfo_endpoint) == (f"{ISSUER}/token", f"{ISSUER}/me")
    assert not provider.secret_in_header
    assert parsed().secret_in_header, "the default of the specification"
    assert discovery_url(f"{ISSUER}/") == f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example.com/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_configuration_that_cannot_be_trusted_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        parsed(**changes)


def test_configuration_that_is_not_json_is_refused() -> None:
    for document in (b"", b"<html>", b"[]", b"\xff"):
        with pytest.raises(InvalidRequest):
            parse_provider(document, ISSUER)


def test_plain_http_is_for_this_machine_alone() -> None:
    assert is_trusted_url("http://127.0.0.1:8080/realms/a")
    assert is_trusted_url("http://[::1]:8080")
    for url in (
        "http://id.example.com",
        "http://localhost.evil.example",
        "ftp://localhost",
        "https://",
        "https://a/#b",
    ):
        assert not is_trusted_url(url), url


def test_browser_is_sent_to_the_provider_with_state_nonce_and_challenge() -> None:
    url = urlsplit(
        authorization_url(parsed(), ATTEMPT, client_id="collab", redirect_uri="https://c/cb", scope="openid")
    )
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.netloc, url.path, query["tenant"]) == ("id.example.com", "/auth", "1")
    assert (query["state"], query["nonce"], query["response_type"]) == ("the state", "the nonce", "code")
    assert (query["code_challenge"], query["code_challenge_method"]) == (code_challenge("the verifier"), "S256")
    assert "the verifier" not in url.query


def test_challenge_is_that_of_the_specification() -> None:
    assert (
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_id_token_names_a_person() -> None:
    who = identity_in(CLAIMS, ATTEMPT, issuer=ISSUER, client_id="collab", now_s=NOW)
    assert (who.user, who.name) == ("oidc:ada", "Ada")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["collab", "another client"], "azp": "another client"},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": True},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "a" * 251},
    ],
)
def test_id_token_that_is_not_for_this_sign_in_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInFailed):
        identity_in(CLAIMS | changes, ATTEMPT, issuer=ISSUER, client_id="collab", now_s=NOW)


def test_grants_are_of_a_folder_of_the_persons_own() -> None:
    grants = parse_grant_list("people/{user}/**=owner, team/*=editor")
    assert grants_for("ada", grants) == {"people/ada/**": Role.OWNER, "team/*": Role.EDITOR}


def test_subject_cannot_widen_its_grants() -> None:
    grants = parse_grant_list("people/{user}/**=owner")
    for subject in ("*", "**", "a/b", "..", ".", "~x", "é", "", "a" * 65):
        (pattern,) = grants_for(subject, grants)
        assert pattern.startswith("people/~")
        assert pattern.count("*") == 2
        assert pattern.count("/") == 2
    assert own_name("a/b") != own_name("a-b")


@pytest.mark.parametrize("text", ["notes", "=owner", "a=king", "a//b=owner", "{user}**=owner"])
def test_grants_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_grant_list(text)
