"""From a JWT, which anybody may have written, to a ``Principal`` that the rest of the project can trust, and back.

PyJWT takes the token apart and its algorithms check the signature. The claims are checked here, since PyJWT reads the
clock itself, and its messages are not written for the people who see ours. ``read`` checks everything but the time,
and what it returns can be asked again at any later time (``token_cache``).

The key decides the algorithm, never the token: HS256 is for our own secret alone, and every public key has its one
algorithm (``keys``). ``kid`` chooses among the keys that are trusted anyway; ``jku``, ``jwk`` and ``x5u``, with which a
token could bring a key of its own, are ignored.

Tokens of our own secret are accepted, or those of the issuers' keys, or both. One key may serve many issuers, such as
the tenants of a provider, so a token that a public key has signed can be required to have a certain ``iss``.

Claims: ``sub`` (user id) and ``exp`` are required, and ``aud`` must contain our audience; ``name`` (default: sub),
``color`` (``#rrggbb``), ``grants`` (see ``grants``), ``nbf`` and ``iat`` are optional. Other issuers may have other
names for the user, its name and what is granted (see ``claims``). ``signed_in``, the time when a person signed in,
counts only in tokens of our own secret: they can be renewed (``renewal``).
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, get_args

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError, PyJWTError

from collab.access.claims import OURS, ClaimNames
from collab.access.grants import parse_grants
from collab.access.keys import KEY_ID_CHARACTERS_MAX, NO_KEYS, Algorithm, KeySet, PublicKey
from collab.access.roles import Role
from collab.errors import (
    InvalidName,
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
from collab.ids import NAME_CHARACTERS_MAX as DOCUMENT_CHARACTERS_MAX
from collab.ids import LinkId, UserId, document_name

SECRET_BYTES_MIN = 32
TOKEN_BYTES_MAX = 8 * 1024
USER_CHARACTERS_MAX = 255
NAME_CHARACTERS_MAX = 100
AUDIENCE = "collab"
SIGNED_IN = "signed_in"

CLOCK_SKEW_S = 30.0
"""How far ``nbf`` and ``iat`` may be in the future, since the issuer's clock may be ahead. ``exp`` has no such leeway:
it is what ends a stolen token, and a session with it."""

_TIME_MAX = 2**53
_PUBLIC = get_args(Algorithm)
_JWS = PyJWS(algorithms=["HS256", *_PUBLIC])  # once: it builds an object for each algorithm
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, and what the user was granted. ``color`` is ``#rrggbb`` or None.

    ``grants``: pattern → role. ``expires_at``: seconds since 1970, or None if it never expires. ``link``: the link that
    a guest came by, who has no token and whose ``user`` all guests of the link share. ``signed_in_at``: when the person
    signed in, which its tokens say as long as they are renewed; None for a token that cannot be renewed.
    """

    user: UserId
    name: str
    color: str | None
    grants: Mapping[str, Role]
    expires_at: float | None
    link: LinkId | None = None
    signed_in_at: float | None = None

    def is_expired(self, now_s: float) -> bool:
        """Return True if the token has ended at ``now_s`` (seconds since 1970)."""
        return self.expires_at is not None and now_s >= self.expires_at


@dataclass(frozen=True, slots=True)
class SignedToken:
    """What a token of an accepted key grants, from ``not_before_s`` until its principal expires."""

    principal: Principal
    not_before_s: float

    def at(self, now_s: float) -> Principal:
        """Return the principal at ``now_s``. Raises TokenExpired, TokenImmature."""
        if self.principal.is_expired(now_s):
            raise TokenExpired
        if now_s < self.not_before_s:
            raise TokenImmature
        return self.principal


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The key of HS256, which verifies and signs.

    Raises InvalidRequest if it is too short, or if it is a public key: everybody who has that could sign tokens.
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
        """Return 32 bytes for another ``purpose``, from which the secret cannot be computed."""
        return hmac.digest(self.secret, f"collab {purpose}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Checks tokens.

    ``key``: our own; None: tokens signed with it are refused. ``issuers``: the public keys that are accepted, and
    ``issuer`` the ``iss`` that their tokens need; None: any. ``audience`` None: tokens for any audience are accepted.
    ``skew_s``: how far ``nbf`` and ``iat`` may be in the future. ``eternal``: tokens without ``exp`` are accepted, and
    never expire. ``claims``: the names of claims in the tokens of another issuer.
    """

    key: SharedSecret | None
    audience: str | None = AUDIENCE
    issuers: KeySet = NO_KEYS
    issuer: str | None = None
    skew_s: float = CLOCK_SKEW_S
    eternal: bool = False
    claims: ClaimNames = OURS

    def trusting(self, more: KeySet) -> "TokenVerifier":
        """Return the same verifier with more keys."""
        return replace(self, issuers=self.issuers + more)

    def verify(self, token: str, now_s: float) -> Principal:
        """Return the principal of ``token`` at ``now_s`` (seconds since 1970).

        Raises the subclass of NotAuthenticated that says why. Never any other error, whatever ``token`` is.
        """
        return self.read(token).at(now_s)

    def read(self, token: str) -> SignedToken:
        """Return what ``token`` grants at its time. Raises NotAuthenticated like ``verify``, but for the time."""
        claims = self.signed_claims(token)
        if self.audience is not None and self.audience not in _audiences(claims):
            raise TokenAudienceInvalid(f"The token is not for the audience {self.audience!r}.")
        return SignedToken(self._principal(claims), self._not_before_s(claims))

    def signed_claims(self, token: str) -> dict[str, Any]:
        """Check the signature and return the claims. Nothing of the payload is read before.

        Raises NotAuthenticated. Neither the audience nor the time is checked.
        """
        if not token:
            raise TokenMissing
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            raise TokenMalformed(f"The token is longer than {TOKEN_BYTES_MAX} bytes, or is not plain ASCII.")
        try:
            payload, key = self._signed_payload(token)
            claims = json.loads(payload)
        except (PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenMalformed from None
        if not isinstance(claims, dict):
            raise TokenMalformed("The token's claims are not a JSON object.")
        if isinstance(key, PublicKey):
            if self.issuer is not None and claims.get("iss") != self.issuer:
                raise TokenIssuerInvalid
            claims.pop(SIGNED_IN, None)  # how long its users stay signed in is for the issuer to say
        return claims

    def _signed_payload(self, token: str) -> tuple[bytes, SharedSecret | PublicKey]:
        """Return the payload and the key that has signed it.

        Raises NotAuthenticated, and PyJWTError or ValueError if it is not a token at all.
        """
        parts = _JWS.decode_complete(token, options={"verify_signature": False})  # the header chooses the key
        algorithm, kid = parts["header"].get("alg"), parts["header"].get("kid")
        if kid is not None and len(kid) > KEY_ID_CHARACTERS_MAX:
            raise TokenMalformed("The token's 'kid' is too long.")
        candidates = self._candidates(algorithm, kid)
        signed = token.rpartition(".")[0].encode()
        for key in candidates:
            if _has_signed(key, signed, parts["signature"]):
                return parts["payload"], key
        raise self._not_signed(algorithm, kid, has_candidates=bool(candidates))

    def _not_signed(self, algorithm: object, kid: str | None, *, has_candidates: bool) -> NotAuthenticated:
        """Return why no accepted key has signed a token with this header."""
        accepted = _PUBLIC if self.key is None else (self.key.algorithm, *_PUBLIC)
        if algorithm not in accepted:
            return TokenSignatureInvalid(f"The token is not signed with one of {', '.join(accepted)}.")
        if algorithm != SharedSecret.algorithm and not (has_candidates and (kid is None or self.issuers.knows(kid))):
            return TokenKeyUnknown()
        return TokenSignatureInvalid()

    def _candidates(self, algorithm: object, kid: str | None) -> Sequence[SharedSecret | PublicKey]:
        """Return the accepted keys that may have signed a token with this header."""
        if self.key is not None and algorithm == self.key.algorithm:
            return (self.key,)
        return self.issuers.candidates(algorithm, kid)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        names = self.claims if self.claims.are_in(claims) else OURS
        user = _user(claims, names)
        named = claims.get(names.name) is not None
        return Principal(
            user=UserId(user),
            name=_text(claims, names.name, NAME_CHARACTERS_MAX) if named else user[:NAME_CHARACTERS_MAX],
            color=_color(claims.get("color")),
            grants=_grants(claims.get("grants", {}) if names.document is None else _one_grant(claims, names)),
            expires_at=None if self.eternal and claims.get("exp") is None else _time(claims, "exp"),
            signed_in_at=_time(claims, SIGNED_IN) if SIGNED_IN in claims else None,
        )

    def _not_before_s(self, claims: Mapping[str, Any]) -> float:
        """Return from when on the token counts, with the leeway for the issuer's clock."""
        return max([_time(claims, claim) - self.skew_s for claim in ("nbf", "iat") if claim in claims], default=0.0)


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
    signed_in_at: float | None = None,
) -> str:
    """Return a token that lasts ``ttl_s`` seconds from ``now_s``, and can be renewed if ``signed_in_at`` is given.

    Raises InvalidRequest if it would not verify.
    """
    if ttl_s <= 0:
        raise InvalidRequest("A token must last for more than 0 seconds.")
    claims: dict[str, Any] = {
        "sub": user,
        "iat": int(now_s),
        "exp": int(now_s + ttl_s),
        "grants": {pattern: role.word for pattern, role in grants.items()},
    }
    claims |= {k: v for k, v in (("name", name), ("color", color), ("aud", audience)) if v is not None}
    if signed_in_at is not None:
        claims[SIGNED_IN] = int(signed_in_at)
    token = PyJWS().encode(json.dumps(claims, separators=(",", ":")).encode(), key.secret, key.algorithm)
    try:
        TokenVerifier(key, audience).verify(token, now_s)
    except NotAuthenticated as error:
        raise InvalidRequest(str(error)) from None
    return token


# --- claims -----------------------------------------------------------------------------------------


def _has_signed(key: SharedSecret | PublicKey, signed: bytes, signature: bytes) -> bool:
    """Return True if the key has made the signature. The algorithm is the key's own, whatever the token says."""
    algorithm = _JWS.get_algorithm_by_name(key.algorithm)
    return algorithm.verify(signed, key.secret if isinstance(key, SharedSecret) else key.key, signature)


def _user(claims: Mapping[str, Any], names: ClaimNames) -> str:
    """Return the user id. Other issuers may number their users."""
    number = claims.get(names.user)
    if names is not OURS and isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    return _text(claims, names.user, USER_CHARACTERS_MAX)


def _one_grant(claims: Mapping[str, Any], names: ClaimNames) -> Mapping[str, str]:
    """Return the role on the one document that the token names.

    Its issuer means a name, not a pattern: a name with a star would open more documents than it granted.
    """
    assert names.document is not None
    document = _text(claims, names.document, DOCUMENT_CHARACTERS_MAX)
    if "*" in document:
        raise TokenMalformed(f"The token's {names.document!r} has a '*', so it does not name one document.")
    try:
        document_name(document)
    except InvalidName as error:
        raise TokenMalformed(f"The token's {names.document!r} is not a document name. {error}") from None
    role = names.role
    return {document: role.word if isinstance(role, Role) else _text(claims, role, NAME_CHARACTERS_MAX)}


def _text(claims: Mapping[str, Any], claim: str, characters_max: int) -> str:
    text = claims.get(claim)
    if not isinstance(text, str) or not text.strip():
        raise TokenMalformed(f"The token lacks {claim!r}.")
    if len(text) > characters_max or UNPRINTABLE.search(text):
        raise TokenMalformed(f"The token's {claim!r} has control characters, or more than {characters_max} characters.")
    return text


def _time(claims: Mapping[str, Any], claim: str) -> float:
    time = claims.get(claim)
    if time is None:
        raise TokenMalformed(f"The token lacks {claim!r}.")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time <= _TIME_MAX:
        raise TokenMalformed(f"The token's {claim!r} is not a time in seconds since 1970.")
    return float(time)


def _color(color: object) -> str | None:
    if color is None or (isinstance(color, str) and _COLOR.fullmatch(color)):
        return color
    raise TokenMalformed("The token's 'color' must look like '#3366ff'.")


def _grants(claim: object) -> Mapping[str, Role]:
    try:
        return _shared_grants(tuple(parse_grants(claim).items()))
    except InvalidRequest as error:
        raise TokenMalformed(str(error)) from None


@lru_cache(maxsize=256)
def _shared_grants(grants: tuple[tuple[str, Role], ...]) -> Mapping[str, Role]:
    """Return the same object for equal grants: most users of a server have the same few."""
    return MappingProxyType(dict(grants))


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    """Return the audiences: ``aud`` is one or a list of them."""
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]
