"""A token becomes a principal, and a principal's rights are asked for anew each time."""

import pytest

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, TokenVerifier, sign
from collab.errors import PermissionDenied, TokenExpired, TokenKeyUnknown, TokenMissing
from collab.ids import DocumentName
from collab.serve.authenticator import Authenticator
from tests.access.test_keys import CLAIMS, signed
from tests.deployment import SECRET
from tests.serve.parts import WallClock

NOTES, OTHER = DocumentName("notes"), DocumentName("other")
KEY = SharedSecret(SECRET.encode())


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def authenticator(clock: WallClock) -> Authenticator:
    return Authenticator(TokenVerifier(KEY), wall_clock=clock)


async def test_a_good_token_gives_its_user_and_their_rights(clock: WallClock, authenticator: Authenticator) -> None:
    grants = {"notes": Role.EDITOR, "other": Role.VIEWER}
    principal = await authenticator.principal(sign(KEY, user="ada", grants=grants, now_s=clock.now_s, ttl_s=60))
    assert principal.user == "ada"
    assert authenticator.may_write(principal, NOTES)
    assert not authenticator.may_write(principal, OTHER)
    with pytest.raises(PermissionDenied):
        authenticator.may_write(principal, DocumentName("third"))


async def test_rights_end_with_the_token(clock: WallClock, authenticator: Authenticator) -> None:
    token = sign(KEY, user="ada", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=60)
    principal = await authenticator.principal(token)
    clock.now_s += 60
    with pytest.raises(TokenExpired):
        authenticator.may_write(principal, NOTES)
    with pytest.raises(TokenExpired):
        await authenticator.principal(token)


async def test_no_token_is_an_error_of_its_own(authenticator: Authenticator) -> None:
    with pytest.raises(TokenMissing):
        await authenticator.principal("")


async def test_an_unknown_key_is_an_error_where_no_issuer_publishes_keys(authenticator: Authenticator) -> None:
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(signed("ES256", kid="new", claims=CLAIMS))
