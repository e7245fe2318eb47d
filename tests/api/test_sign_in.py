"""Renewing a token over REST."""

import time

from fastapi.testclient import TestClient

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, TokenVerifier, sign
from tests.api.calls import problem
from tests.deployment import SECRET, token

KEY = SharedSecret(SECRET.encode())


def sign_in_token(*, age_s: float = 0, ttl_s: float = 3600) -> str:
    now_s = time.time() - age_s
    return sign(KEY, user="ada", grants={"**": Role.OWNER}, now_s=now_s, ttl_s=ttl_s, signed_in_at=now_s)


def bearer(held: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {held}"}


def test_sign_in_token_is_renewed(client: TestClient) -> None:
    held = sign_in_token()
    answer = client.post("/api/v1/token", headers=bearer(held)).raise_for_status().json()
    before, after = (TokenVerifier(KEY).verify(each, time.time()) for each in (held, answer["token"]))
    assert (after.user, after.grants) == (before.user, before.grants)
    assert after.expires_at is not None
    assert before.expires_at is not None
    assert after.expires_at > before.expires_at
    client.get("/api/v1/documents", headers=bearer(answer["token"])).raise_for_status()


def test_token_of_a_script_is_not_renewed(client: TestClient) -> None:
    problem(client.post("/api/v1/token", headers=bearer(token("robot"))), 403, "permission-denied")


def test_expired_token_is_not_renewed(client: TestClient) -> None:
    held = sign_in_token(age_s=7200)
    problem(client.post("/api/v1/token", headers=bearer(held)), 401, "token-expired")


def test_renewal_without_a_token_is_refused(client: TestClient) -> None:
    problem(client.post("/api/v1/token"), 401, "token-missing")
