"""A token that was found good is found good again without its signature, for as long as it is."""

from typing import Any

import pytest

from collab.access.keys import KeySet, PublicKey, parse_jwk_set
from collab.access.token_cache import TokenCache
from collab.access.tokens import TOKEN_BYTES_MAX, TokenVerifier
from collab.errors import NotAuthenticated, TokenExpired, TokenImmature, TokenKeyUnknown, TokenMissing
from tests.access.test_keys import CLAIMS, NOW, PRIVATE, SELF, jwk, jwk_set, signed
from tests.access.test_tokens import GOOD, KEY, forge, with_claims


@pytest.fixture
def tokens() -> TokenCache:
    return TokenCache(TokenVerifier(KEY))


def es256(kid: str) -> KeySet:
    return parse_jwk_set(jwk_set(jwk("ES256", kid=kid)))


def test_token_gives_the_same_principal_each_time(tokens: TokenCache) -> None:
    principal = tokens.verify(forge(), NOW)
    assert principal == TokenVerifier(KEY).verify(forge(), NOW)
    assert tokens.verify(forge(), NOW + 1) is principal


def test_known_token_ends_when_it_says(tokens: TokenCache) -> None:
    tokens.verify(forge(), NOW)
    assert tokens.verify(forge(), GOOD["exp"] - 0.001).user == "alice"
    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(forge(), GOOD["exp"])


def test_known_token_is_too_early_when_the_clock_is_set_back(tokens: TokenCache) -> None:
    token = forge(with_claims(nbf=NOW))
    tokens.verify(token, NOW)
    assert tokens.verify(token, NOW - 30).user == "alice"
    with pytest.raises(TokenImmature):
        tokens.verify(token, NOW - 31)


REFUSED: list[Any] = [
    forge(secret=b"x" * 32),
    forge(with_claims(aud="other")),
    forge(with_claims(exp=NOW)),
    forge(with_claims(nbf=NOW + 31)),
    forge()[:-1],
    "a" * (TOKEN_BYTES_MAX + 1),
    "\udcff",
    "",
]


@pytest.mark.parametrize("token", REFUSED, ids=range(len(REFUSED)))
def test_refused_token_is_not_kept(tokens: TokenCache, token: str) -> None:
    for _ in range(2):
        with pytest.raises(NotAuthenticated) as caught:
            tokens.verify(token, NOW)
        assert isinstance(caught.value, TokenMissing) == (token == "")
    assert len(tokens) == 0


def test_one_changed_character_makes_another_token(tokens: TokenCache) -> None:
    tokens.verify(forge(), NOW)
    with pytest.raises(NotAuthenticated):
        tokens.verify(forge()[:-2] + "AA", NOW)


def test_token_seen_longest_ago_is_forgotten() -> None:
    tokens = TokenCache(TokenVerifier(KEY), tokens_max=2)
    first, second, third = (forge(with_claims(sub=name)) for name in ("first", "second", "third"))
    principal = tokens.verify(first, NOW)
    other = tokens.verify(second, NOW)
    assert tokens.verify(first, NOW) is principal
    tokens.verify(third, NOW)
    assert len(tokens) == 2
    assert tokens.verify(first, NOW) is principal
    assert tokens.verify(second, NOW) is not other


def test_token_ends_with_the_key_that_signed_it() -> None:
    tokens = TokenCache(TokenVerifier(SELF))
    token = signed("ES256", kid="one")
    tokens.trust(es256("one"))
    tokens.verify(token, NOW)
    tokens.trust(es256("two"))
    with pytest.raises(TokenKeyUnknown):
        tokens.verify(token, NOW)
    tokens.trust(es256("one"))
    assert tokens.verify(token, NOW).user == CLAIMS["sub"]


def test_set_that_was_read_again_unchanged_keeps_the_tokens() -> None:
    tokens = TokenCache(TokenVerifier(SELF))
    token = signed("ES256", kid="one")
    tokens.trust(es256("one"))
    principal = tokens.verify(token, NOW)
    tokens.trust(es256("one"))
    assert tokens.verify(token, NOW) is principal


def test_published_keys_come_on_top_of_the_verifiers_own() -> None:
    own = PublicKey(PRIVATE["RS256"].public_key(), "RS256")
    tokens = TokenCache(TokenVerifier(SELF, issuers=KeySet((own,))))
    for published in (es256("one"), es256("two")):
        tokens.trust(published)
        assert tokens.verify(signed("RS256"), NOW).user == CLAIMS["sub"]
