"""A JWT, as it comes from anybody, ↔ a ``Principal`` that the rest of the project may trust.

It stands between the three doors through which tokens come (WebSocket URL, Hocuspocus Auth message,
``Authorization`` header) and ``policy``. The signature is PyJWT's; the claims are read here, since PyJWT
asks the clock itself and its messages are not for the people who see ours.

The key decides the algorithm, never the token: HS256 is for our own secret alone, and every public key has its
one algorithm (``keys``). ``kid`` chooses among the keys that are trusted anyway; ``jku``, ``jwk`` and ``x5u``,
by which a token could bring a key of its own, are not looked at.

Whose tokens count is said once: those of our own secret, those of the issuers' keys, or both. One key may serve many
issuers (a provider's tenants), so the ``iss`` of what a public key has signed can be asked for too.

Claims: ``sub`` (user id) and ``exp`` must be there, ``aud`` must hold our audience; ``name`` (default: sub),
``color`` (``#rrggbb``), ``grants`` (see ``grants``), ``nbf`` and ``iat`` may be.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, get_args

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidAlgorithmError, InvalidKeyError, InvalidSignatureError, PyJWTError

from collab.access.grants import parse_grants
from collab.access.keys import KEY_ID_CHARACTERS_MAX, NO_KEYS, Algorithm, KeySet, PublicKey
from collab.access.roles import Role
from collab.errors import (
    InvalidRequest,
    NotAuthenticated,
    TokenAudienceInvalid,
    TokenExpired,
    TokenImmature,
    TokenIssuerInvalid,
    TokenKeyUnknown,
    TokenMalformed,
    TokenMissing,
    TokenSignatureInvalid,
)
from collab.ids import UserId

SECRET_BYTES_MIN = 32
TOKEN_BYTES_MAX = 8 * 1024
USER_CHARACTERS_MAX = 255
NAME_CHARACTERS_MAX = 100
AUDIENCE = "collab"

CLOCK_SKEW_S = 30.0
"""``nbf`` and ``iat`` only say that a token is not from the future, and the issuer's clock may be another's: they are
forgiven so much. ``exp`` is forgiven nothing: it is what ends a stolen token, and a session with it."""

_TIME_MAX = 2**53
_PUBLIC = get_args(Algorithm)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who somebody is and what they were granted. ``color`` is ``#rrggbb`` or None.

    ``grants``: pattern → role. ``expires_at``: seconds since 1970; None when nothing ends it.
    """

    user: UserId
    name: str
    color: str | None
    grants: Mapping[str, Role]
    expires_at: float | None

    def is_expired(self, now_s: float) -> bool:
        """Whether the token behind this has ended at ``now_s`` (seconds since 1970)."""
        return self.expires_at is not None and now_s >= self.expires_at


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The key of HS256: whoever can verify with it can also sign.

    Raises InvalidRequest when it is too short, or is no secret but somebody's public key: everybody who
    has that could sign tokens.
    """

    secret: bytes = field(repr=False)

    algorithm: ClassVar[str] = "HS256"

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES_MIN:
            raise InvalidRequest(
                f"The secret has {len(self.secret)} bytes; it needs {SECRET_BYTES_MIN} or more. "
                "`openssl rand -hex 32` makes a good one."
            )
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(self.secret)
        except InvalidKeyError:
            raise InvalidRequest(
                "The secret is a public key or a certificate, which is not secret. "
                "`openssl rand -hex 32` makes a good one."
            ) from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another ``purpose``, from which the secret cannot be found."""
        return hmac.digest(self.secret, f"collab {purpose}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Decides whether a token is good.

    ``key``: our own, which signs too; None: no token of it counts. ``issuers``: the keys of others whose tokens count,
    and ``issuer`` what their ``iss`` must be; None: anything. ``audience`` None: tokens for any audience do.
    ``skew_s``: how far the clock that wrote ``nbf`` and ``iat`` may be ahead. ``eternal``: tokens without ``exp``
    count, and never end.
    """

    key: SharedSecret | None
    audience: str | None = AUDIENCE
    issuers: KeySet = NO_KEYS
    issuer: str | None = None
    skew_s: float = CLOCK_SKEW_S
    eternal: bool = False

    def trusting(self, more: KeySet) -> "TokenVerifier":
        """The same, with more keys."""
        return replace(self, issuers=self.issuers + more)

    def verify(self, token: str, now_s: float) -> Principal:
        """Who ``token`` speaks for at ``now_s`` (seconds since 1970).

        Raises NotAuthenticated, the kind of it and the reason in words. Never any other error, whatever ``token`` is.
        """
        claims = self._signed_claims(token)
        if self.audience is not None and self.audience not in _audiences(claims):
            raise TokenAudienceInvalid(f"The token is not for the audience {self.audience!r}.")
        return self._principal(claims, now_s)

    def _signed_claims(self, token: str) -> dict[str, Any]:
        """The claims, once the signature has been found good: nothing of the payload is read before."""
        if not token:
            raise TokenMissing
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            raise TokenMalformed(f"The token is longer than {TOKEN_BYTES_MAX} bytes or not plain ASCII.")
        try:
            payload, key = self._signed_payload(token)
            claims = json.loads(payload)
        except (PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenMalformed from None
        if not isinstance(claims, dict):
            raise TokenMalformed("The token's claims are no JSON object.")
        if self.issuer is not None and isinstance(key, PublicKey) and claims.get("iss") != self.issuer:
            raise TokenIssuerInvalid
        return claims

    def _signed_payload(self, token: str) -> tuple[bytes, SharedSecret | PublicKey]:
        """What is signed, and by which key.

        Raises NotAuthenticated, and PyJWTError or ValueError when it is no token at all.
        """
        header = PyJWS().get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if kid is not None and len(kid) > KEY_ID_CHARACTERS_MAX:
            raise TokenMalformed("The token's 'kid' is too long.")
        candidates = self._candidates(algorithm, kid)
        for key in candidates:
            if (payload := _payload(token, key)) is not None:
                return payload, key
        raise self._unsigned(algorithm, kid, is_known=bool(candidates))

    def _unsigned(self, algorithm: object, kid: str | None, *, is_known: bool) -> NotAuthenticated:
        """Why no key that counts has signed a token with such a header. ``is_known``: some key may have."""
        taken = _PUBLIC if self.key is None else (self.key.algorithm, *_PUBLIC)
        if algorithm not in taken:
            return TokenSignatureInvalid(f"The token is signed with none of {', '.join(taken)}.")
        if algorithm != SharedSecret.algorithm and not (is_known and (kid is None or self.issuers.knows(kid))):
            return TokenKeyUnknown()
        return TokenSignatureInvalid()

    def _candidates(self, algorithm: object, kid: str | None) -> Sequence[SharedSecret | PublicKey]:
        """The keys that may have signed a token with such a header: none for an algorithm that no key is for."""
        if self.key is not None and algorithm == self.key.algorithm:
            return (self.key,)
        return self.issuers.candidates(algorithm, kid)

    def _principal(self, claims: Mapping[str, Any], now_s: float) -> Principal:
        user = _text(claims, "sub", USER_CHARACTERS_MAX)
        named = claims.get("name") is not None
        principal = Principal(
            user=UserId(user),
            name=_text(claims, "name", NAME_CHARACTERS_MAX) if named else user[:NAME_CHARACTERS_MAX],
            color=_color(claims.get("color")),
            grants=_grants(claims.get("grants", {})),
            expires_at=None if self.eternal and claims.get("exp") is None else _time(claims, "exp"),
        )
        if principal.is_expired(now_s):
            raise TokenExpired
        for claim in ("nbf", "iat"):
            if claim in claims and _time(claims, claim) > now_s + self.skew_s:
                raise TokenImmature
        return principal


def sign(
    key: SharedSecret,
    *,
    user: str,
    grants: Mapping[str, Role],
    now_s: float,
    ttl_s: float,
    name: str | None = None,
    color: str | None = None,
    audience: str | None = AUDIENCE,
) -> str:
    """A token that lives ``ttl_s`` seconds from ``now_s``.

    Raises InvalidRequest, with the reason in words, rather than return one that would not verify.
    """
    if ttl_s <= 0:
        raise InvalidRequest("A token lives for more than 0 seconds.")
    claims: dict[str, Any] = {
        "sub": user,
        "iat": int(now_s),
        "exp": int(now_s + ttl_s),
        "grants": {pattern: role.word for pattern, role in grants.items()},
    }
    claims |= {k: v for k, v in (("name", name), ("color", color), ("aud", audience)) if v is not None}
    token = PyJWS().encode(json.dumps(claims, separators=(",", ":")).encode(), key.secret, key.algorithm)
    try:
        TokenVerifier(key, audience).verify(token, now_s)
    except NotAuthenticated as error:
        raise InvalidRequest(str(error)) from None
    return token


# --- claims -----------------------------------------------------------------------------------------


def _payload(token: str, key: SharedSecret | PublicKey) -> bytes | None:
    """What ``key`` has signed; None when it has not signed this."""
    secret = key.secret if isinstance(key, SharedSecret) else key.key
    try:
        payload: bytes = PyJWS().decode(token, secret, algorithms=[key.algorithm])
    except (InvalidSignatureError, InvalidAlgorithmError):
        return None
    return payload


def _text(claims: Mapping[str, Any], claim: str, characters_max: int) -> str:
    text = claims.get(claim)
    if not isinstance(text, str) or not text.strip():
        raise TokenMalformed(f"The token lacks {claim!r}.")
    if len(text) > characters_max or _UNPRINTABLE.search(text):
        raise TokenMalformed(f"The token's {claim!r} is longer than {characters_max} characters or unprintable.")
    return text


def _time(claims: Mapping[str, Any], claim: str) -> float:
    time = claims.get(claim)
    if time is None:
        raise TokenMalformed(f"The token lacks {claim!r}.")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time <= _TIME_MAX:
        raise TokenMalformed(f"The token's {claim!r} is no time in seconds since 1970.")
    return float(time)


def _color(color: object) -> str | None:
    if color is None or (isinstance(color, str) and _COLOR.fullmatch(color)):
        return color
    raise TokenMalformed("The token's 'color' must look like '#3366ff'.")


def _grants(claim: object) -> Mapping[str, Role]:
    try:
        return MappingProxyType(parse_grants(claim))
    except InvalidRequest as error:
        raise TokenMalformed(str(error)) from None


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    """``aud`` is one audience or a list of them."""
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]
