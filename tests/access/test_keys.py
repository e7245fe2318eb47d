"""The public keys of issuers: each verifies what its owner signed, with its own algorithm, and nothing else."""

import base64
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from collab.access.keys import KEYS_MAX, NO_KEYS, KeySet, parse_jwk_set, parse_pem
from collab.access.tokens import SharedSecret, TokenVerifier
from collab.errors import InvalidRequest, NotAuthenticated, TokenIssuerInvalid, TokenKeyUnknown, TokenSignatureInvalid

NOW = 1_800_000_000.0
SELF = SharedSecret(b"0123456789abcdef0123456789abcdef")
CLAIMS: dict[str, Any] = {"sub": "alice", "exp": NOW + 60, "aud": "collab"}

PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
ALGORITHMS = list(PRIVATE)
_TO_JWK: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def pem(private: Any, form: Any = serialization.PublicFormat.SubjectPublicKeyInfo) -> str:
    return str(private.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


def jwk(algorithm: str, private: Any = None, **more: Any) -> dict[str, Any]:
    key = PRIVATE[algorithm] if private is None else private
    return {**json.loads(_TO_JWK[algorithm].to_jwk(key.public_key())), **more}


def jwk_set(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def signed(algorithm: str, *, private: Any = None, claims: dict[str, Any] = CLAIMS, **header: Any) -> str:
    key = PRIVATE[algorithm] if private is None else private
    return PyJWS().encode(json.dumps(claims).encode(), key, algorithm, headers=header)


def verifier(keys: KeySet) -> TokenVerifier:
    return TokenVerifier(SELF, issuers=keys)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: Any, secret: bytes, claims: Any = CLAIMS) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}"


# --- good keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_from_pem_verifies_what_its_owner_signed(algorithm: str) -> None:
    token = signed(algorithm)
    assert verifier(parse_pem(pem(PRIVATE[algorithm]))).verify(token, NOW).user == "alice"
    assert verifier(parse_pem(pem(PRIVATE[algorithm]))).verify(signed(algorithm, kid="any"), NOW).user == "alice"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_from_a_set_verifies_what_its_owner_signed(algorithm: str) -> None:
    keys = parse_jwk_set(jwk_set(jwk(algorithm, kid="one", use="sig", alg=algorithm, key_ops=["verify"])))
    assert verifier(keys).verify(signed(algorithm, kid="one"), NOW).user == "alice"
    assert verifier(keys).verify(signed(algorithm), NOW).user == "alice"


def test_rsa_key_in_the_older_pem_form_is_read() -> None:
    text = pem(PRIVATE["RS256"], serialization.PublicFormat.PKCS1)
    assert "RSA PUBLIC KEY" in text
    assert verifier(parse_pem(text)).verify(signed("RS256"), NOW).user == "alice"


def test_several_keys_stand_in_one_text() -> None:
    text = "which are whose\n" + "\n".join(pem(key) for key in PRIVATE.values())
    for algorithm in ALGORITHMS:
        assert verifier(parse_pem(text)).verify(signed(algorithm), NOW).user == "alice"


def test_of_several_keys_the_one_that_is_named_counts() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    keys = parse_jwk_set(jwk_set(jwk("ES256", kid="old"), jwk("ES256", other, kid="new")))
    assert verifier(keys).verify(signed("ES256", kid="old"), NOW).user == "alice"
    assert verifier(keys).verify(signed("ES256", private=other, kid="new"), NOW).user == "alice"
    with pytest.raises(TokenSignatureInvalid):
        verifier(keys).verify(signed("ES256", private=other, kid="old"), NOW)


def test_secret_that_is_not_accepted_leaves_only_the_issuers_tokens() -> None:
    keys = parse_jwk_set(jwk_set(jwk("ES256")))
    alone = TokenVerifier(None, issuers=keys)
    assert alone.verify(signed("ES256"), NOW).user == "alice"
    ours = by_hand({"alg": "HS256"}, SELF.secret)
    assert verifier(keys).verify(ours, NOW).user == "alice"
    with pytest.raises(TokenSignatureInvalid, match="one of RS256, ES256, EdDSA"):
        alone.verify(ours, NOW)


def test_one_key_may_serve_many_issuers_of_whom_one_counts() -> None:
    keys = parse_jwk_set(jwk_set(jwk("ES256")))
    ours = TokenVerifier(SELF, issuers=keys, issuer="https://id.example/ours")
    assert ours.verify(signed("ES256", claims={**CLAIMS, "iss": "https://id.example/ours"}), NOW).user == "alice"
    for more in ({}, {"iss": "https://id.example/theirs"}, {"iss": ["https://id.example/ours"]}, {"iss": None}):
        with pytest.raises(TokenIssuerInvalid):
            ours.verify(signed("ES256", claims={**CLAIMS, **more}), NOW)
    without_issuer = by_hand({"alg": "HS256"}, SELF.secret)
    assert ours.verify(without_issuer, NOW).user == "alice"


def test_token_of_another_issuer_does_not_say_how_long_it_is_renewed() -> None:
    keys = parse_jwk_set(jwk_set(jwk("ES256")))
    principal = verifier(keys).verify(signed("ES256", claims=CLAIMS | {"signed_in": 1}), NOW)
    assert principal.signed_in_at is None


def test_key_that_is_not_in_the_set_yet_is_told_from_a_forgery() -> None:
    keys = parse_jwk_set(jwk_set(jwk("ES256", kid="old"))) + parse_pem(pem(PRIVATE["ES256"]))
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(TokenKeyUnknown):
        verifier(keys).verify(signed("ES256", private=other, kid="new"), NOW)
    with pytest.raises(TokenKeyUnknown):
        verifier(keys).verify(signed("RS256"), NOW)
    more = verifier(keys).trusting(parse_jwk_set(jwk_set(jwk("ES256", other, kid="new"))))
    assert more.verify(signed("ES256", private=other, kid="new"), NOW).user == "alice"


def test_our_own_secret_signs_beside_the_keys_of_others() -> None:
    token = by_hand({"alg": "HS256", "kid": "one"}, SELF.secret)
    keys = parse_jwk_set(jwk_set(jwk("RS256", kid="one")))
    assert verifier(keys).verify(token, NOW).user == "alice"


# --- forged tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_is_no_secret_to_sign_with(algorithm: str) -> None:
    text = pem(PRIVATE[algorithm])
    keys = parse_pem(text) + parse_jwk_set(jwk_set(jwk(algorithm, kid="one")))
    raw = (
        PRIVATE[algorithm]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    secrets = [text.encode(), text.strip().encode(), text.replace("\n", "\r\n").encode(), raw, jwk_set(jwk(algorithm))]
    for secret in secrets:
        for alg in ("HS256", algorithm):
            with pytest.raises(NotAuthenticated):
                verifier(keys).verify(by_hand({"alg": alg, "kid": "one"}, secret), NOW)


@pytest.mark.parametrize("has", ALGORITHMS)
@pytest.mark.parametrize("says", ["none", "None", "", "HS256", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"])
def test_header_does_not_choose_the_algorithm(has: str, says: str) -> None:
    head, claims, signature = signed(has).split(".")
    forged = b64(json.dumps({"alg": says, "typ": "JWT"}).encode())
    for keys in (parse_pem(pem(PRIVATE[has])), parse_jwk_set(jwk_set(*(jwk(one, kid=one) for one in ALGORITHMS)))):
        if says != has:
            with pytest.raises(NotAuthenticated):
                verifier(keys).verify(f"{forged}.{claims}.{signature}", NOW)
        with pytest.raises(NotAuthenticated):
            verifier(keys).verify(f"{forged}.{claims}.", NOW)
        with pytest.raises(NotAuthenticated):
            verifier(keys).verify(f"{head}.{b64(json.dumps({**CLAIMS, 'sub': 'eve'}).encode())}.{signature}", NOW)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signature", ["", "AA", b64(bytes(64)), b64(bytes(63)), b64(bytes(256)), b64(b"\xff" * 64)])
def test_signature_of_any_length_is_only_refused(algorithm: str, signature: str) -> None:
    head, claims, _ = signed(algorithm).split(".")
    with pytest.raises(TokenSignatureInvalid):
        verifier(parse_pem(pem(PRIVATE[algorithm]))).verify(f"{head}.{claims}.{signature}", NOW)


def test_key_that_the_token_brings_is_not_used() -> None:
    eve = ec.generate_private_key(ec.SECP256R1())
    keys = parse_jwk_set(jwk_set(jwk("ES256", kid="one")))
    header: dict[str, Any] = {
        "jwk": jwk("ES256", eve),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/cert",
    }
    for kid in ("one", "https://evil.example", "../../etc/passwd"):
        with pytest.raises(NotAuthenticated):
            verifier(keys).verify(signed("ES256", private=eve, kid=kid, **header), NOW)


WORDS = st.text("aZ0_-=é\0", max_size=50)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


@given(header=st.fixed_dictionaries({"alg": st.sampled_from([*ALGORITHMS, "HS256"]) | JSON, "kid": JSON, "crit": JSON}))
def test_no_header_raises_anything_but_not_authenticated(header: dict[str, Any]) -> None:
    keys = parse_jwk_set(jwk_set(*(jwk(one, kid=one) for one in ALGORITHMS)))
    with pytest.raises(NotAuthenticated):
        verifier(keys).verify(by_hand(header, b"x" * 32), NOW)


# --- keys that are not used -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no public key in PEM form"),
        ("/etc/keys.pem", "no public key in PEM form"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is not a public key"),
        ("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----", "is not a public key"),
        ("-----BEGIN OPENSSH STUFF-----\nAAAA\n-----END OPENSSH STUFF-----", "is not a public key"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "openssl pkey"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "openssl x509"),
        (pem(PRIVATE["EdDSA"]) * (KEYS_MAX + 1), f"the limit is {KEYS_MAX}"),
    ],
)
def test_text_without_usable_keys_is_refused_with_the_next_step(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        parse_pem(text)


def weak_keys() -> dict[str, Any]:
    return {
        "RSA of 1024 bits": rsa.generate_private_key(public_exponent=65537, key_size=1024),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "Ed448": ed448.Ed448PrivateKey.generate(),
    }


@pytest.mark.parametrize("kind", weak_keys())
def test_key_that_is_too_weak_or_of_another_curve_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="RSA of 2048 to 8192 bits"):
        parse_pem(pem(weak_keys()[kind]))


GOOD = jwk("ES256", kid="good")
UNUSABLE: dict[str, Any] = {
    "a number": 7,
    "null": None,
    "empty": {},
    "a secret": {"kty": "oct", "k": b64(b"x" * 32), "kid": "s", "alg": "HS256"},
    "for encryption": jwk("RS256", use="enc"),
    "for another operation": jwk("RS256", key_ops=["encrypt"]),
    "operations as text": jwk("RS256", key_ops="verify"),
    "for another algorithm": jwk("RS256", alg="PS256"),
    "for a secret's algorithm": jwk("RS256", alg="HS256"),
    "for none": jwk("RS256", alg="none"),
    "alg a list": jwk("RS256", alg=["RS256"]),
    "a private one": json.loads(RSAAlgorithm.to_jwk(PRIVATE["RS256"])),
    "kid a number": jwk("RS256", kid=7),
    "kid too long": jwk("RS256", kid="k" * 257),
    "kty a list": jwk("RS256", kty=["RSA"]),
    "kty of another": jwk("RS256", kty="EC"),
    "too weak": jwk("RS256", weak_keys()["RSA of 1024 bits"]),
    "another curve": jwk("ES256", weak_keys()["P-384"]),
    "no point": jwk("ES256", x=b64(b"\x01" * 32)),
    "number for text": jwk("ES256", x=7),
    "not base64": jwk("RS256", n="é"),
    "even exponent": jwk("RS256", e="Ag"),
    "too short": jwk("EdDSA", x="AAAA"),
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE)
def test_key_of_no_use_is_left_out_and_the_others_count(entry: Any) -> None:
    assert parse_jwk_set(jwk_set(entry, GOOD)) == parse_jwk_set(jwk_set(GOOD))


@pytest.mark.parametrize("keys", [(), (7,), (jwk("RS256", use="enc"),)])
def test_issuer_may_have_withdrawn_its_only_key(keys: tuple[Any, ...]) -> None:
    assert parse_jwk_set(jwk_set(*keys)) == NO_KEYS


@pytest.mark.parametrize("document", [b"", b"\xff", b"[]", b"7", b"{}", b'{"keys": {}}', b"[" * 9999])
def test_document_that_is_not_a_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidRequest, match="The key set"):
        parse_jwk_set(document)


@given(entry=st.dictionaries(st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "n", "e", "x", "y", "crv"]), JSON))
def test_any_key_is_read_or_left_out(entry: dict[str, Any]) -> None:
    for base in (jwk("RS256"), jwk("ES256"), jwk("EdDSA"), {}):
        assert len(parse_jwk_set(jwk_set({**base, **entry}, GOOD)).keys) in (1, 2)


def test_keys_of_no_use_take_no_place_in_a_set() -> None:
    many = jwk_set(*(jwk("RS256", use="enc") for _ in range(KEYS_MAX)), GOOD)
    assert parse_jwk_set(many) == parse_jwk_set(jwk_set(GOOD))


def test_set_without_end_is_cut() -> None:
    many = jwk_set(*(jwk("EdDSA", kid=str(number)) for number in range(KEYS_MAX + 5)))
    assert len(parse_jwk_set(many).keys) == KEYS_MAX
