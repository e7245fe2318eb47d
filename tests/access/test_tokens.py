"""Good tokens become principals; forged ones are refused."""

import base64
import hashlib
import hmac
import json
import math
import warnings
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWS

from collab.access.roles import Role
from collab.access.tokens import TOKEN_BYTES_MAX, Principal, SharedSecret, TokenVerifier, sign
from collab.errors import InvalidRequest, NotAuthenticated
from collab.ids import UserId

NOW = 1_800_000_000.0
SECRET = b"0123456789abcdef0123456789abcdef"
KEY = SharedSecret(SECRET)
VERIFIER = TokenVerifier(KEY)
GOOD: dict[str, Any] = {"sub": "alice", "exp": NOW + 60, "aud": "collab", "grants": {"notes/*": "editor"}}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(claims: Any = GOOD, *, header: Any = None, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """A token made by hand: PyJWT would refuse to make most of the bad ones."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    raw_head = head if isinstance(head, bytes) else json.dumps(head).encode()
    raw_claims = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{b64(raw_head)}.{b64(raw_claims)}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), digest).digest())}"


def with_claims(**changes: Any) -> dict[str, Any]:
    """The good claims with some changed; ``...`` leaves one out."""
    return {claim: value for claim, value in {**GOOD, **changes}.items() if value is not ...}


def refusal(token: str, verifier: TokenVerifier = VERIFIER, now_s: float = NOW) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        verifier.verify(token, now_s)
    return str(caught.value)


# --- good tokens ---------------------------------------------------------------------------------------


def test_good_token_becomes_a_principal() -> None:
    token = forge(with_claims(name="Alice", color="#3366FF", nbf=NOW, iat=NOW))
    expected = Principal(UserId("alice"), "Alice", "#3366FF", {"notes/*": Role.EDITOR}, NOW + 60)
    assert VERIFIER.verify(token, NOW) == expected


def test_token_without_name_and_grants_shows_id_and_allows_nothing() -> None:
    principal = VERIFIER.verify(forge(with_claims(sub="a" * 255, grants=...)), NOW)
    assert (principal.name, principal.color, dict(principal.grants)) == ("a" * 100, None, {})


def test_signed_token_verifies() -> None:
    token = sign(KEY, user="ada", name="Ada Ł.", color="#aabbcc", grants={"**": Role.OWNER}, now_s=NOW, ttl_s=9)
    principal = VERIFIER.verify(token, NOW)
    assert (principal.user, principal.name, principal.color) == ("ada", "Ada Ł.", "#aabbcc")
    assert principal.grants == {"**": Role.OWNER}
    assert principal.expires_at == NOW + 9


def test_token_may_have_several_audiences_and_a_verifier_none() -> None:
    assert VERIFIER.verify(forge(with_claims(aud=["other", "collab"])), NOW).user == "alice"
    assert TokenVerifier(KEY, audience=None).verify(forge(with_claims(aud=...)), NOW).user == "alice"


def test_headers_that_name_a_key_are_not_looked_at() -> None:
    header = {
        "alg": "HS256",
        "kid": "../../dev/null",
        "jku": "https://evil.example/k",
        "x5u": "x",
        "jwk": {"k": ""},
    }
    assert VERIFIER.verify(forge(header=header), NOW).user == "alice"


def test_verifying_leaves_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        VERIFIER.verify(forge(), NOW)


# --- time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late_s", "good"), [(-1, True), (-0.001, True), (0, False), (1, False), (3600, False)])
def test_expiry_is_kept_to_exactly(late_s: float, good: bool) -> None:
    token = forge()
    if good:
        assert not VERIFIER.verify(token, NOW + 60 + late_s).is_expired(NOW + 60 + late_s)
    else:
        assert refusal(token, now_s=NOW + 60 + late_s) == "The token has expired. Sign in again."


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(("early_s", "good"), [(30, True), (31, False)])
def test_token_from_the_future_is_taken_within_thirty_seconds(claim: str, early_s: float, good: bool) -> None:
    token = forge(with_claims(**{claim: NOW + early_s}))
    if good:
        assert VERIFIER.verify(token, NOW).user == "alice"
    else:
        assert refusal(token).startswith("The token is not valid yet")


def test_allowed_clock_skew_can_be_set() -> None:
    token = forge(with_claims(nbf=NOW + 31))
    assert TokenVerifier(KEY, skew_s=31).verify(token, NOW).user == "alice"
    assert refusal(token, TokenVerifier(KEY, skew_s=0)).startswith("The token is not valid yet")


def test_token_without_an_end_is_taken_only_where_that_is_allowed() -> None:
    token = forge(with_claims(exp=...))
    assert refusal(token) == "The token lacks 'exp'."
    assert TokenVerifier(KEY, eternal=True).verify(token, NOW).expires_at is None
    assert refusal(forge(with_claims(exp=NOW)), TokenVerifier(KEY, eternal=True)).startswith("The token has expired")
    assert "not a time" in refusal(forge(with_claims(exp="never")), TokenVerifier(KEY, eternal=True))


def test_time_is_the_argument_and_not_the_clock_of_the_machine() -> None:
    token = forge(with_claims(exp=100, iat=50, nbf=50))
    assert VERIFIER.verify(token, 60.0).expires_at == 100


def test_principal_without_an_end_never_expires() -> None:
    eternal = Principal(UserId("anyone"), "Anyone", None, {}, None)
    assert not eternal.is_expired(math.inf)


# --- forged tokens -------------------------------------------------------------------------------------


def rsa_pem() -> bytes:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


RSA_PEM = rsa_pem()
UNSIGNED = f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(GOOD).encode())}."

FORGED_SIGNATURES = {
    "nothing": "",
    "a space": " ",
    "a word": "token",
    "two dots": "..",
    "three dots": "a.b.c.d",
    "not base64": "!!!.???.***",
    "not ASCII": "é.é.é",
    "a bearer prefix": f"Bearer {forge()}",
    "a line end": forge() + "\n",
    "alg none": UNSIGNED,
    "alg None": UNSIGNED.replace(b64(b'{"alg": "none"}'), b64(b'{"alg": "NoNe"}')),
    "alg none, signed": forge(header={"alg": "none"}),
    "no alg": forge(header={"typ": "JWT"}),
    "alg null": forge(header={"alg": None}),
    "alg list": forge(header={"alg": ["HS256"]}),
    "alg lower case": forge(header={"alg": "hs256"}),
    "another digest": forge(header={"alg": "HS512"}, digest="sha512"),
    "alg of a key pair": forge(header={"alg": "RS256"}),
    "alg unheard of": forge(header={"alg": "ROT13"}),
    "critical extension": forge(header={"alg": "HS256", "crit": ["x"], "x": 1}),
    "empty crit": forge(header={"alg": "HS256", "crit": []}),
    "detached payload": forge(header={"alg": "HS256", "b64": False, "crit": ["b64"]}),
    "key in the header": forge(header={"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, secret=b"x" * 32),
    "kid number": forge(header={"alg": "HS256", "kid": 7}),
    "kid null": forge(header={"alg": "HS256", "kid": None}),
    "kid list": forge(header={"alg": "RS256", "kid": ["a"]}),
    "kid object": forge(header={"alg": "RS256", "kid": {"a": 1}}),
    "kid far too long": forge(header={"alg": "HS256", "kid": "k" * 257}),
    "kid of an empty file": forge(header={"alg": "HS256", "kid": "/dev/null"}, secret=b""),
    "another secret": forge(secret=b"x" * 32),
    "empty secret": forge(secret=b""),
    "half the secret": forge(secret=SECRET[:16]),
    "secret in hex": forge(secret=SECRET.hex().encode()),
    "no signature": forge().rsplit(".", 1)[0] + ".",
    "two segments": forge().rsplit(".", 1)[0],
    "signature cut": forge()[:-2],
    "signature padded": forge() + "==",
    "signature of other claims": ".".join([*forge(with_claims(sub="mallory")).split(".")[:2], forge().split(".")[2]]),
    "header is a list": forge(header=b"[]"),
    "header is no JSON": forge(header=b"{"),
    "header nested deep": forge(header=b"[" * 4000),
    "header with a huge number": forge(header=b'{"alg": "HS256", "n": ' + b"9" * 5000 + b"}"),
    "header not UTF-8": forge(header=b'{"alg": "HS256\xff"}'),
    "one byte too long": forge(with_claims(x="x" * (TOKEN_BYTES_MAX - 100))),
    "far too long": "e" * 1_000_000,
}

SIGNED_BUT_WRONG = {
    "payload is a list": forge([GOOD]),
    "payload is a number": forge(b"1"),
    "payload is no JSON": forge(b"{"),
    "payload empty": forge(b""),
    "payload nested deep": forge(b"[" * 5000),
    "payload with a huge number": forge(b'{"exp": ' + b"9" * 5000 + b"}"),
    "payload not UTF-8": forge(b'{"sub": "\xff"}'),
    "no exp": forge(with_claims(exp=...)),
    "exp null": forge(with_claims(exp=None)),
    "exp text": forge(with_claims(exp=str(NOW + 60))),
    "exp true": forge(with_claims(exp=True)),
    "exp list": forge(with_claims(exp=[NOW + 60])),
    "exp not a number": forge(with_claims(exp=math.nan)),
    "exp never": forge(with_claims(exp=math.inf)),
    "exp in milliseconds of another age": forge(with_claims(exp=2.0**54)),
    "exp huge": forge(with_claims(exp=10**400)),
    "exp negative": forge(with_claims(exp=-1)),
    "expired": forge(with_claims(exp=NOW - 10)),
    "nbf text": forge(with_claims(nbf="now")),
    "nbf true": forge(with_claims(nbf=True)),
    "nbf null": forge(with_claims(nbf=None)),
    "nbf in the future": forge(with_claims(nbf=NOW + 600)),
    "iat in the future": forge(with_claims(iat=NOW + 600)),
    "no aud": forge(with_claims(aud=...)),
    "wrong aud": forge(with_claims(aud="other")),
    "aud in part": forge(with_claims(aud="collabx")),
    "aud empty list": forge(with_claims(aud=[])),
    "aud object": forge(with_claims(aud={"collab": 1})),
    "aud nested": forge(with_claims(aud=[["collab"]])),
    "no sub": forge(with_claims(sub=...)),
    "sub empty": forge(with_claims(sub="")),
    "sub blank": forge(with_claims(sub="  ")),
    "sub number": forge(with_claims(sub=7)),
    "sub too long": forge(with_claims(sub="a" * 256)),
    "sub with a line end": forge(with_claims(sub="a\nb")),
    "sub half a surrogate pair": forge(with_claims(sub="a\ud83d")),
    "name number": forge(with_claims(name=7)),
    "name empty": forge(with_claims(name="")),
    "name too long": forge(with_claims(name="a" * 101)),
    "name with a control": forge(with_claims(name="a\x1bb")),
    "name half a surrogate pair": forge(with_claims(name="\ude00")),
    "color word": forge(with_claims(color="red")),
    "color with CSS": forge(with_claims(color="#aabbcc;x:url(y)")),
    "color number": forge(with_claims(color=1)),
    "grants text": forge(with_claims(grants="editor")),
    "grants null": forge(with_claims(grants=None)),
    "grants unknown role": forge(with_claims(grants={"**": "root"})),
    "grants bad pattern": forge(with_claims(grants={"a**": "editor"})),
    "grants up the tree": forge(with_claims(grants={"../x": "editor"})),
    "grants role as number": forge(with_claims(grants={"**": 4})),
}


def test_token_that_the_forgeries_vary_is_good() -> None:
    """Without this the refusals below would mean nothing."""
    assert VERIFIER.verify(forge(), NOW).user == "alice"


@pytest.mark.parametrize("token", FORGED_SIGNATURES.values(), ids=FORGED_SIGNATURES)
def test_forged_token_is_refused(token: str) -> None:
    assert refusal(token).endswith(".")


@pytest.mark.parametrize("token", SIGNED_BUT_WRONG.values(), ids=SIGNED_BUT_WRONG)
def test_token_with_wrong_claims_is_refused_though_signed(token: str) -> None:
    assert "signature" not in refusal(token)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "A token is required."),
        ("x" * 9000, "The token is longer than 8192 bytes, or is not plain ASCII."),
        ("é" * 10, "The token is longer than 8192 bytes, or is not plain ASCII."),
        ("a.b", "The token is not a valid JSON Web Token."),
        (UNSIGNED, "The token is not signed with one of HS256, RS256, ES256, EdDSA."),
        (forge(header={"alg": "RS256"}), "The token is signed with a key that this server does not know."),
        (forge(secret=b"x" * 32), "The token's signature does not match."),
        (forge([1]), "The token's claims are not a JSON object."),
        (forge(with_claims(exp=NOW - 10)), "The token has expired. Sign in again."),
        (forge(with_claims(exp=...)), "The token lacks 'exp'."),
        (forge(with_claims(sub=...)), "The token lacks 'sub'."),
        (forge(with_claims(aud="x")), "The token is not for the audience 'collab'."),
        (forge(with_claims(exp="soon")), "The token's 'exp' is not a time in seconds since 1970."),
        (forge(with_claims(name="a\n")), "The token's 'name' has control characters, or more than 100 characters."),
        (forge(with_claims(color="red")), "The token's 'color' must look like '#3366ff'."),
        (forge(with_claims(grants={"a": "root"})), "A role is one of viewer, commenter, editor, owner."),
    ],
)
def test_reason_is_a_sentence(token: str, says: str) -> None:
    assert refusal(token) == says


@pytest.mark.parametrize(
    ("token", "slug"),
    [
        ("", "token-missing"),
        ("a.b", "token-malformed"),
        (forge(with_claims(sub=...)), "token-malformed"),
        (UNSIGNED, "token-forged"),
        (forge(secret=b"x" * 32), "token-forged"),
        (forge(header={"alg": "ES256", "kid": "new"}), "token-key-unknown"),
        (forge(with_claims(aud="x")), "token-audience"),
        (forge(with_claims(nbf=NOW + 600)), "token-not-yet-valid"),
        (forge(with_claims(exp=NOW - 10)), "token-expired"),
    ],
)
def test_reason_begins_with_a_stable_slug(token: str, slug: str) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        VERIFIER.verify(token, NOW)
    assert caught.value.slug == slug
    assert caught.value.reason == f"{slug}: {caught.value}"


def test_no_reason_holds_a_part_of_the_token() -> None:
    for token in (*FORGED_SIGNATURES.values(), *SIGNED_BUT_WRONG.values()):
        reason = refusal(token)
        assert not any(len(part) > 8 and part in reason for part in token.split("."))


@given(text=st.text(max_size=200) | st.text("eyJhbGciOiJIUzI1NiJ9._-=", max_size=200))
def test_no_text_raises_anything_but_not_authenticated(text: str) -> None:
    refusal(text)


@given(at=st.integers(min_value=0), to=st.characters(codec="ascii"))
def test_token_with_one_character_changed_is_refused(at: int, to: str) -> None:
    token = forge()
    at %= len(token)
    if token[at] != to:
        refusal(token[:at] + to + token[at + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(changes=st.dictionaries(st.sampled_from([*GOOD, "name", "color", "nbf", "iat"]), JSON, min_size=1))
def test_any_claims_give_a_principal_or_not_authenticated(
    changes: dict[str, Any],
) -> None:
    try:
        principal = VERIFIER.verify(forge(with_claims(**changes)), NOW)
    except NotAuthenticated:
        return
    assert principal.user.encode()
    assert principal.name.encode()
    assert principal.expires_at is not None


# --- keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 31])
def test_short_secret_is_refused_with_the_way_to_a_good_one(length: int) -> None:
    with pytest.raises(InvalidRequest, match=f"has {length} bytes.*openssl rand"):
        SharedSecret(b"x" * length)


def public_keys() -> list[bytes]:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    return [
        RSA_PEM,
        RSA_PEM.replace(b"\n", b"\r\n"),
        b"  \n" + RSA_PEM,
        curve.public_bytes(serialization.Encoding.PEM, form),
        curve.public_bytes(serialization.Encoding.DER, form),
        edwards.public_bytes(serialization.Encoding.PEM, form),
        edwards.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    ]


@pytest.mark.parametrize("index", range(len(public_keys())))
def test_public_key_is_no_secret(index: int) -> None:
    with pytest.raises(InvalidRequest, match="public key"):
        SharedSecret(public_keys()[index])


def test_secret_does_not_show_in_its_repr() -> None:
    assert SECRET.decode() not in repr(VERIFIER)


def test_derived_keys_differ_from_the_secret_and_from_each_other() -> None:
    assert len({SECRET, KEY.derive("relay"), KEY.derive("links")}) == 3
    assert KEY.derive("relay") == SharedSecret(SECRET).derive("relay")
    assert KEY.derive("relay") != SharedSecret(b"x" * 32).derive("relay")
    assert len(KEY.derive("relay")) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"user": ""},
        {"user": "a\x00"},
        {"name": "x" * 101},
        {"color": "red"},
        {"grants": {"a//b": Role.EDITOR}},
        {"grants": {f"{'x' * 200}{n}": Role.EDITOR for n in range(100)}},
        {"ttl_s": 0},
        {"ttl_s": -5},
        {"ttl_s": 1e20},
    ],
)
def test_nothing_is_signed_that_would_not_verify(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        sign(KEY, **{"user": "ada", "grants": {}, "now_s": NOW, "ttl_s": 60, **changes})


def test_signature_is_the_one_every_other_library_makes() -> None:
    token = sign(KEY, user="ada", grants={}, now_s=NOW, ttl_s=60)
    signed, signature = token.rsplit(".", 1)
    assert signature == b64(hmac.new(SECRET, signed.encode(), hashlib.sha256).digest())
    assert json.loads(PyJWS().decode(token, SECRET, ["HS256"]))["aud"] == "collab"
