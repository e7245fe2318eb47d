"""The public keys of the issuers of tokens: read from PEM or from a JWK set, chosen by a token's header.

A key set is a value: after a rotation there is another one. A key has exactly one algorithm, fixed when it is read. A
token's header only chooses among keys that are trusted already, so a token can neither bring a key of its own nor have
one used with another algorithm.
"""

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from collab.errors import InvalidRequest

KEYS_MAX = 32
"""Keys in one set. A token that names no key is tried with each."""

KEY_ID_CHARACTERS_MAX = 256
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192

Algorithm: TypeAlias = Literal["RS256", "ES256", "EdDSA"]
Verifying: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key. ``kid``: the name under which its issuer publishes it; None for a key from PEM."""

    key: Verifying
    algorithm: Algorithm
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that are trusted at one moment, besides our own secret."""

    keys: tuple[PublicKey, ...] = ()

    def __add__(self, other: "KeySet") -> "KeySet":
        return KeySet(self.keys + other.keys)

    def candidates(self, algorithm: object, kid: str | None) -> tuple[PublicKey, ...]:
        """Return the keys that may have signed a token with this header."""
        return tuple(
            key
            for key in self.keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        )

    def knows(self, kid: str) -> bool:
        """Return True if a key is published under this name."""
        return any(key.kid == kid for key in self.keys)


NO_KEYS = KeySet()


def parse_pem(text: str) -> KeySet:
    """Return the public keys in ``text``, one PEM block after another.

    Raises InvalidRequest, which says what to do.
    """
    blocks = list(_PEM.finditer(text))
    if not blocks:
        raise InvalidRequest("It contains no public key in PEM form, which begins with -----BEGIN PUBLIC KEY-----.")
    if len(blocks) > KEYS_MAX:
        raise InvalidRequest(f"It has {len(blocks)} keys; the limit is {KEYS_MAX}.")
    return KeySet(tuple(_pem_key(block[0], block[1]) for block in blocks))


def parse_jwk_set(document: bytes) -> KeySet:
    """Return the keys for signatures in a JWK set (RFC 7517).

    Keys that are of other kinds, for other uses, too weak or secret are left out: issuers publish sets for many
    readers. The result may be empty: so an issuer withdraws its only key. Raises InvalidRequest if the document is not
    a JWK set.
    """
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        raise InvalidRequest("The key set is not JSON.") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise InvalidRequest('The key set is not an object like {"keys": [...]}.')
    usable = (key for entry in entries if (key := _jwk_key(entry)) is not None)
    return KeySet(tuple(islice(usable, KEYS_MAX)))


def _pem_key(block: str, kind: str) -> PublicKey:
    if "PRIVATE" in kind:
        raise InvalidRequest(
            "This is a private key, which only the issuer should have. "
            "`openssl pkey -in key.pem -pubout` prints the public one."
        )
    if kind == "CERTIFICATE":
        raise InvalidRequest("This is a certificate. `openssl x509 -in cert.pem -pubkey -noout` prints its public key.")
    try:
        key = load_pem_public_key(block.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(f"The PEM block {kind!r} is not a public key.") from None
    algorithm = _algorithm(key)
    if algorithm is None or not isinstance(key, Verifying):
        raise InvalidRequest("A key must be RSA of 2048 to 8192 bits (RS256), EC on P-256 (ES256) or Ed25519 (EdDSA).")
    return PublicKey(key, algorithm)


def _jwk_key(entry: object) -> PublicKey | None:
    """Return the key, or None if it is of no use here."""
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    operations, kid = entry.get("key_ops", ["verify"]), entry.get("kid")
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if "alg" in entry and entry["alg"] not in get_args(Algorithm):
        return None
    if not (kid is None or (isinstance(kid, str) and len(kid) <= KEY_ID_CHARACTERS_MAX)):
        return None
    try:
        key = PyJWK(entry).key  # not PyJWKSet: it refuses an empty set, and the whole set for some broken entries
    except (PyJWTError, ValueError, TypeError, AttributeError, OverflowError, UnsupportedAlgorithm):
        return None
    algorithm = _algorithm(key)
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    return PublicKey(key, algorithm, kid)


def _algorithm(key: object) -> Algorithm | None:
    """Return the algorithm of a key, or None if it has none here, is too weak, or too large to be checked quickly."""
    match key:
        case RSAPublicKey() if RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            return "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return "ES256"
        case Ed25519PublicKey():
            return "EdDSA"
    return None
