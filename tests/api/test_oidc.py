"""The routes of the sign-in at a provider, as far as they need none. `tests/e2e/test_oidc.py` has a real one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collab.access.oidc import Attempt
from collab.access.tokens import SharedSecret, TokenVerifier
from collab.api.app import create_app
from collab.api.oidc import OidcSignIn, attempt_cookie, page, refresh_cookie
from collab.settings import Settings, load_settings
from collab.store.memory import MemoryStore
from tests.api.calls import problem
from tests.deployment import SECRET, token
from tests.services.private import free_port

PATH = "/sign-in/oidc"
KEY = SharedSecret(SECRET.encode())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a provider that is away."""
    issuer = f"http://127.0.0.1:{free_port()}"
    return load_settings(
        secret=SECRET, data_dir=settings.data_dir, oidc_issuer=issuer, oidc_client_id="collab", oidc_name="Example ID"
    )


@pytest.fixture
def browser(settings: Settings, store: MemoryStore) -> Iterator[TestClient]:
    """A client that follows no redirect."""
    with TestClient(create_app(settings, store=store), follow_redirects=False) as client:
        yield client


@pytest.fixture
def sign_in(settings: Settings) -> OidcSignIn:
    return OidcSignIn.of(settings, KEY)


def with_refresh_cookie(browser: TestClient, sign_in: OidcSignIn, user: str, held: str | None = None) -> None:
    cookie = sign_in.refresh_token(user, "Ada", time.time()) if held is None else held
    browser.cookies.set(refresh_cookie(user), cookie, path=PATH)


def test_pages_learn_of_the_provider(browser: TestClient) -> None:
    assert browser.get("/sign-in/ways").json() == {"oidc": {"name": "Example ID"}}


def test_server_without_a_provider_has_no_such_sign_in(tmp_path: Path) -> None:
    with TestClient(create_app(load_settings(secret=SECRET, data_dir=tmp_path), store=MemoryStore())) as plain:
        assert plain.get("/sign-in/ways").json() == {"oidc": None}
        assert plain.get(PATH).status_code == 404
        assert plain.post(f"{PATH}/token", json={"user": "oidc:ada"}).status_code == 404


def test_provider_that_is_away_leads_back_to_the_page(browser: TestClient) -> None:
    answer = browser.get(PATH, params={"to": "d/Über uns"})
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/d/%C3%9Cber%20uns#sign-in-problem=unavailable",
    )


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "d", "d/a\r\nX: y", "../x"]
)
def test_nobody_is_led_to_another_site(browser: TestClient, to: str) -> None:
    assert page(to) == ""
    assert browser.get(PATH, params={"to": to}).headers["location"] == "/#sign-in-problem=unavailable"


def test_answer_without_an_attempt_of_this_browser_is_refused(browser: TestClient, sign_in: OidcSignIn) -> None:
    for state in ("", "unknown"):
        answer = browser.get(f"{PATH}/callback", params={"state": state, "code": "a code"})
        assert answer.headers["location"] == "/#sign-in-problem=failed"


def test_attempt_that_another_server_has_sealed_is_refused(browser: TestClient, sign_in: OidcSignIn) -> None:
    theirs = load_settings(secret="x" * 32, oidc_issuer="https://a.example", oidc_client_id="c")
    other = OidcSignIn.of(theirs, SharedSecret(b"x" * 32))
    browser.cookies.set(attempt_cookie("s"), other.seal(Attempt("s", "n", "v", "d/a")), path=PATH)
    answer = browser.get(f"{PATH}/callback", params={"state": "s", "code": "a code"})
    assert answer.headers["location"] == "/#sign-in-problem=failed"


def test_refresh_cookie_brings_a_token_and_is_extended(browser: TestClient, sign_in: OidcSignIn) -> None:
    with_refresh_cookie(browser, sign_in, "oidc:ada")
    answer = browser.post(f"{PATH}/token", json={"user": "oidc:ada"})
    principal = TokenVerifier(KEY).verify(answer.json()["token"], time.time())
    assert principal.user == "oidc:ada"
    assert list(principal.grants) == ["people/ada/**"]
    assert principal.expires_at is not None
    assert principal.expires_at <= time.time() + 3600
    assert principal.signed_in_at is None, "a script that reads the token cannot renew it"
    (cookie,) = answer.headers.get_list("set-cookie")
    for part in ("HttpOnly", "SameSite=lax", f"Path={PATH};"):
        assert part in f"{cookie};"


def test_token_without_the_refresh_cookie_is_refused(browser: TestClient, sign_in: OidcSignIn) -> None:
    problem(browser.post(f"{PATH}/token", json={"user": "oidc:ada"}), 401, "token-expired")


def test_refresh_cookie_is_of_one_person(browser: TestClient, sign_in: OidcSignIn) -> None:
    with_refresh_cookie(browser, sign_in, "oidc:ada", sign_in.refresh_token("oidc:grace", "Grace", time.time()))
    problem(browser.post(f"{PATH}/token", json={"user": "oidc:ada"}), 401, "token-expired")


def test_token_is_no_refresh_cookie_and_cookie_no_token(browser: TestClient, sign_in: OidcSignIn) -> None:
    with_refresh_cookie(browser, sign_in, "oidc:ada", token("oidc:ada"))
    problem(browser.post(f"{PATH}/token", json={"user": "oidc:ada"}), 401, "token-expired")
    held = sign_in.refresh_token("oidc:ada", "Ada", time.time())
    answer = browser.get("/api/v1/documents", headers={"Authorization": f"Bearer {held}"})
    problem(answer, 401, "token-forged")


def test_form_of_another_site_renews_nothing(browser: TestClient, sign_in: OidcSignIn) -> None:
    with_refresh_cookie(browser, sign_in, "oidc:ada")
    assert browser.post(f"{PATH}/token", data={"user": "oidc:ada"}).status_code == 400
    assert browser.get(f"{PATH}/token").status_code == 405
