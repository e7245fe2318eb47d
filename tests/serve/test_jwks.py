"""Published keys: a rotated key is found, and an unreachable issuer signs no one out."""

import asyncio
import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from collab.access.tokens import SharedSecret, TokenVerifier
from collab.errors import KeysUnavailable, TokenKeyUnknown, TokenSignatureInvalid
from collab.serve.authenticator import Authenticator
from collab.serve.jwks import BYTES_MAX, COOLDOWN_S, UNCONFIRMED_S_MAX, JwksClient, read_document, tls_context
from collab.store.memory import MemoryStore
from tests.access.test_keys import CLAIMS, NOW, jwk, jwk_set, signed
from tests.deployment import SECRET
from tests.waiting import eventually

Write = Callable[[bytes], object]


class Issuer:
    """The web server of a token issuer; a test sets what it answers next."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status = 200
        self.body = jwk_set()
        self.headers: dict[str, str] = {}
        self.requests: list[str] = []
        self.encodings: list[str | None] = []
        self.write_body: Callable[[Write], object] = lambda write: write(self.body)
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                issuer.encodings.append(self.headers["Accept-Encoding"])
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    issuer.write_body(self.wfile.write)
                except OSError:
                    self.close_connection = True  # the reader has had enough

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Clock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    running = Issuer()
    yield running
    running.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwks(issuer: Issuer, clock: Clock) -> JwksClient:
    return JwksClient(issuer.url, clock=clock)


@pytest.fixture
def authenticator(jwks: JwksClient) -> Authenticator:
    verifier = TokenVerifier(SharedSecret(SECRET.encode()))
    return Authenticator(verifier, store=MemoryStore(), wall_clock=lambda: NOW, published=jwks)


@pytest.fixture
def silence() -> Iterator[threading.Event]:
    """An event that ends an issuer's silence, at the latest with the test."""
    over = threading.Event()
    yield over
    over.set()


def a_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


OLD, NEW = a_key(), a_key()
OLD_SET = jwk_set(jwk("ES256", OLD, kid="old"))
NEW_SET = jwk_set(jwk("ES256", NEW, kid="new"))
BOTH = jwk_set(jwk("ES256", OLD, kid="old"), jwk("ES256", NEW, kid="new"))


def token(private: EllipticCurvePrivateKey, kid: str) -> str:
    return signed("ES256", private=private, kid=kid)


# --- when the set is read ---------------------------------------------------------------------------


async def test_key_published_a_moment_ago_is_found(issuer: Issuer, authenticator: Authenticator, clock: Clock) -> None:
    issuer.body = OLD_SET
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    issuer.body = BOTH
    clock.now_s += COOLDOWN_S
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    assert len(issuer.requests) == 2


async def test_unknown_keys_cause_one_reading_per_cooldown(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(token(NEW, "made up"))
    clock.now_s += COOLDOWN_S - 1
    for number in range(50):
        with pytest.raises(KeysUnavailable):  # the key may have been published since: try again later
            await authenticator.principal(token(NEW, f"made up {number}"))
    assert len(issuer.requests) == 1
    clock.now_s += COOLDOWN_S
    with pytest.raises(TokenSignatureInvalid):  # the key is known: reading again would not help
        await authenticator.principal(token(NEW, "old"))
    assert len(issuer.requests) == 1


async def test_simultaneous_callers_share_one_reading(issuer: Issuer, authenticator: Authenticator) -> None:
    issuer.body = OLD_SET
    principals = await asyncio.gather(*(authenticator.principal(token(OLD, "old")) for _ in range(50)))
    assert {principal.user for principal in principals} == {CLAIMS["sub"]}
    assert len(issuer.requests) == 1


async def test_cancelled_caller_does_not_cancel_the_reading(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.body = NEW_SET
    clock.now_s += COOLDOWN_S
    stranger = asyncio.create_task(authenticator.principal(token(NEW, "made up")))
    await asyncio.sleep(0)
    stranger.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stranger
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]
    with pytest.raises(KeysUnavailable):
        await authenticator.principal(token(OLD, "old"))
    assert len(issuer.requests) == 2


async def test_run_reads_at_the_start_and_ends_its_reading(
    issuer: Issuer, jwks: JwksClient, silence: threading.Event
) -> None:
    issuer.write_body = lambda _write: silence.wait(30)
    running = asyncio.create_task(jwks.run())
    await eventually(lambda: issuer.requests)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "read keys"] == []


# --- how long keys are accepted ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, BOTH),
        (404, BOTH),
        (302, BOTH),
        (200, b""),
        (200, b"<html>"),
        (200, b"x" * (BYTES_MAX + 1)),
    ],
)
async def test_old_keys_are_accepted_while_the_issuer_is_away_or_wrong(
    issuer: Issuer, authenticator: Authenticator, clock: Clock, status: int, body: bytes
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.status, issuer.body = status, body
    clock.now_s += COOLDOWN_S
    with pytest.raises(KeysUnavailable):  # the token may be good, and there is no way to tell: try again later
        await authenticator.principal(token(NEW, "new"))
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    with pytest.raises(KeysUnavailable):
        await authenticator.principal(token(NEW, "new"))
    assert len(issuer.requests) == 2
    issuer.status, issuer.body = 200, BOTH
    clock.now_s += COOLDOWN_S
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]


async def test_token_is_not_called_forged_before_any_keys_were_read(
    issuer: Issuer, authenticator: Authenticator
) -> None:
    issuer.close()
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await authenticator.principal(token(OLD, "old"))


@pytest.mark.parametrize("left", [NEW_SET, jwk_set()], ids=["another key is left", "no key is left"])
async def test_withdrawn_key_is_accepted_until_the_next_reading(
    issuer: Issuer, jwks: JwksClient, authenticator: Authenticator, clock: Clock, left: bytes
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.body = left
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    clock.now_s += COOLDOWN_S
    await jwks.refresh()
    clock.now_s += COOLDOWN_S
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(token(OLD, "old"))


async def test_keys_unconfirmed_for_a_day_are_refused(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.status = 500
    clock.now_s += UNCONFIRMED_S_MAX - 1
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    clock.now_s += 1
    with pytest.raises(KeysUnavailable):
        await authenticator.principal(token(OLD, "old"))


# --- one reading ------------------------------------------------------------------------------------


async def test_silent_issuer_is_asked_once_at_a_time_and_given_up(
    issuer: Issuer, clock: Clock, silence: threading.Event
) -> None:
    issuer.write_body = lambda _write: silence.wait(30)
    jwks = JwksClient(issuer.url, clock=clock, read=partial(read_document, within_s=0.3))
    first = asyncio.create_task(jwks.refresh())
    await eventually(lambda: issuer.requests)
    clock.now_s += COOLDOWN_S
    answers = await asyncio.gather(first, jwks.refresh(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [KeysUnavailable] * 2
    assert len(issuer.requests) == 1


async def test_impossible_address_counts_as_an_issuer_that_is_away(clock: Clock) -> None:
    for url in (f"http://{'a' * 64}.example/keys", "http://[::1/keys", "http://127.0.0.1:port/keys"):
        with pytest.raises(KeysUnavailable):
            await JwksClient(url, clock=clock).refresh()


async def test_endless_answer_is_left(issuer: Issuer, silence: threading.Event) -> None:
    def drip(write: Write) -> None:
        while not silence.wait(0.001):
            write(b" ")

    issuer.write_body = drip
    with pytest.raises(TimeoutError, match="longer than"):
        await read_document(issuer.url, within_s=0.3)


async def test_answer_is_bounded_in_bytes(issuer: Issuer) -> None:
    issuer.body = b"x" * BYTES_MAX
    assert await read_document(issuer.url) == issuer.body
    issuer.body += b"x"
    with pytest.raises(OSError, match="larger than"):
        await read_document(issuer.url)


async def test_redirect_is_not_followed(issuer: Issuer) -> None:
    issuer.status, issuer.headers = 302, {"Location": "/elsewhere"}
    with pytest.raises(OSError, match="302"):
        await read_document(issuer.url)
    assert issuer.requests == ["/keys"]


async def test_compressed_answer_is_neither_asked_for_nor_inflated(issuer: Issuer) -> None:
    issuer.body, issuer.headers = gzip.compress(b" " * 100 * BYTES_MAX), {"Content-Encoding": "gzip"}
    assert len(issuer.body) < BYTES_MAX
    assert await read_document(issuer.url) == issuer.body
    assert issuer.encodings == ["identity"]


async def test_only_http_and_https_are_read() -> None:
    for url in ("file:///etc/hostname", "ftp://127.0.0.1/keys"):
        with pytest.raises(OSError, match="protocol"):
            await read_document(url)


async def test_environment_proxy_is_used_unless_excepted(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", issuer.url.removesuffix("/keys"))
    assert await read_document("http://issuer.invalid/keys") == issuer.body
    assert issuer.requests == ["http://issuer.invalid/keys"]
    monkeypatch.setenv("no_proxy", "issuer.invalid")
    with pytest.raises(OSError, match=r"."):
        await read_document("http://issuer.invalid/keys")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its private key, in one file."""
    private, now = a_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(private, SHA256())
    )
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "issuer.pem"
    path.write_bytes(key + signed.public_bytes(Encoding.PEM))
    return path


async def test_certificate_of_the_issuer_is_checked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    issuer = Issuer(tls)
    try:
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await read_document(issuer.url)
        tls_context.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await read_document(issuer.url) == issuer.body
        assert len(issuer.requests) == 1
    finally:
        tls_context.cache_clear()
        issuer.close()
