"""Which tokens are renewed, and until when."""

import pytest

from collab.access.renewal import TokenRenewal
from collab.access.roles import Role
from collab.access.tokens import Principal, SharedSecret, TokenVerifier, sign
from collab.errors import PermissionDenied

KEY = SharedSecret(b"k" * 32)
HOUR_S, DAY_S = 3600, 86400
SIGNED_IN_S = 1_000_000.0
RENEWAL = TokenRenewal(KEY, "collab", idle_s=7 * DAY_S, s_max=30 * DAY_S)


def signed_in(ttl_s: float = DAY_S, *, at: float | None = SIGNED_IN_S) -> Principal:
    token = sign(
        KEY,
        user="ada",
        name="Ada",
        color="#123456",
        grants={"notes/*": Role.EDITOR},
        now_s=SIGNED_IN_S,
        ttl_s=ttl_s,
        signed_in_at=at,
    )
    return TokenVerifier(KEY).verify(token, SIGNED_IN_S)


def renewed(principal: Principal, now_s: float) -> Principal:
    return TokenVerifier(KEY).verify(RENEWAL.renew(principal, now_s), now_s)


def test_renewed_token_is_the_same_person_for_longer() -> None:
    before = signed_in()
    after = renewed(before, SIGNED_IN_S + HOUR_S)
    assert after.expires_at == SIGNED_IN_S + HOUR_S + 7 * DAY_S
    assert (after.user, after.name, after.color) == ("ada", "Ada", "#123456")
    assert after.grants == before.grants
    assert after.signed_in_at == SIGNED_IN_S


def test_renewal_never_shortens_a_token() -> None:
    assert renewed(signed_in(20 * DAY_S), SIGNED_IN_S).expires_at == SIGNED_IN_S + 20 * DAY_S


def test_renewal_ends_with_the_sign_in() -> None:
    principal = signed_in()
    for day in range(1, 30, 5):
        principal = renewed(principal, SIGNED_IN_S + day * DAY_S - 1)
    assert principal.expires_at == SIGNED_IN_S + 30 * DAY_S
    with pytest.raises(PermissionDenied, match="Sign in again"):
        RENEWAL.renew(principal, SIGNED_IN_S + 29 * DAY_S)


def test_token_that_is_not_for_signing_in_is_not_renewed() -> None:
    with pytest.raises(PermissionDenied, match="not made for signing in"):
        RENEWAL.renew(signed_in(at=None), SIGNED_IN_S)
