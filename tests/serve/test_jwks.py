"""Published keys: a rotated key is found, and an issuer that is away signs nobody out."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from collab.access.tokens import SharedSecret, TokenVerifier
from collab.errors import KeysUnavailable, TokenKeyUnknown, TokenSignatureInvalid
from collab.serve.authenticator import Authenticator
from collab.serve.jwks import BYTES_MAX, REST_S, UNCONFIRMED_S_MAX, JwksClient, read_document
from tests.access.test_keys import CLAIMS, NOW, jwk, jwk_set, signed
from tests.deployment import SECRET
from tests.waiting import eventually

Write = Callable[[bytes], object]


class Issuer:
    """A web server of somebody who signs tokens; ``answers`` decides what it says next."""

    def __init__(self) -> None:
        self.status = 200
        self.body = jwk_set()
        self.requests = 0
        self.body_writer: Callable[[Write], object] = lambda write: write(self.body)
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests += 1
                self.send_response(issuer.status)
                if issuer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                try:
                    issuer.body_writer(self.wfile.write)
                except OSError:
                    self.close_connection = True  # the reader has had enough

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
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
def published(issuer: Issuer, clock: Clock) -> JwksClient:
    return JwksClient(issuer.url, clock=clock)


@pytest.fixture
def authenticator(published: JwksClient) -> Authenticator:
    return Authenticator(TokenVerifier(SharedSecret(SECRET.encode())), wall_clock=lambda: NOW, published=published)


def a_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


OLD, NEW = a_key(), a_key()
OLD_SET = jwk_set(jwk("ES256", OLD, kid="old"))
BOTH = jwk_set(jwk("ES256", OLD, kid="old"), jwk("ES256", NEW, kid="new"))


def token(private: EllipticCurvePrivateKey, kid: str) -> str:
    return signed("ES256", private=private, kid=kid)


async def test_a_token_signed_with_a_key_published_a_moment_ago_is_good(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    issuer.body = BOTH
    clock.now_s += REST_S
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    assert issuer.requests == 2


async def test_unknown_keys_make_it_read_once_in_ten_seconds(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(token(NEW, "made up"))
    clock.now_s += REST_S - 1
    for number in range(50):
        with pytest.raises(KeysUnavailable):  # it may have been published since: come back
            await authenticator.principal(token(NEW, f"made up {number}"))
    assert issuer.requests == 1
    clock.now_s += REST_S
    with pytest.raises(TokenSignatureInvalid):  # the key is known: nothing that could be read again would help
        await authenticator.principal(token(NEW, "old"))
    assert issuer.requests == 1


async def test_who_comes_at_once_waits_for_the_same_reading(issuer: Issuer, authenticator: Authenticator) -> None:
    issuer.body = OLD_SET
    everybody = await asyncio.gather(*(authenticator.principal(token(OLD, "old")) for _ in range(50)))
    assert {principal.user for principal in everybody} == {CLAIMS["sub"]}
    assert issuer.requests == 1


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
async def test_the_old_keys_count_while_the_issuer_is_away_or_wrong(
    issuer: Issuer, authenticator: Authenticator, clock: Clock, status: int, body: bytes
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.status, issuer.body = status, body
    clock.now_s += REST_S
    with pytest.raises(KeysUnavailable):  # it may be good, and nobody can tell: come back
        await authenticator.principal(token(NEW, "new"))
    assert (await authenticator.principal(token(OLD, "old"))).user == CLAIMS["sub"]
    with pytest.raises(KeysUnavailable):
        await authenticator.principal(token(NEW, "new"))
    assert issuer.requests == 2
    issuer.status, issuer.body = 200, BOTH
    clock.now_s += REST_S
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]


async def test_while_no_keys_were_ever_read_nobody_is_called_a_forger(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.close()
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await authenticator.principal(token(OLD, "old"))


async def test_a_key_that_was_withdrawn_counts_no_longer_than_until_the_next_reading(
    issuer: Issuer, published: JwksClient, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = BOTH
    await authenticator.principal(token(OLD, "old"))
    issuer.body = jwk_set(jwk("ES256", NEW, kid="new"))
    clock.now_s += REST_S
    await published.refresh()
    clock.now_s += REST_S
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(token(OLD, "old"))


async def test_the_only_key_is_withdrawn_by_a_set_without_it(
    issuer: Issuer, published: JwksClient, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.body = jwk_set()
    clock.now_s += REST_S
    await published.refresh()
    clock.now_s += REST_S
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(token(OLD, "old"))


async def test_keys_that_nobody_could_confirm_for_a_day_count_no_longer(
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


async def test_who_gives_up_waiting_takes_the_reading_from_nobody(
    issuer: Issuer, authenticator: Authenticator, clock: Clock
) -> None:
    issuer.body = OLD_SET
    await authenticator.principal(token(OLD, "old"))
    issuer.body = jwk_set(jwk("ES256", NEW, kid="new"))
    clock.now_s += REST_S
    stranger = asyncio.create_task(authenticator.principal(token(NEW, "made up")))
    await asyncio.sleep(0)
    stranger.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stranger
    assert (await authenticator.principal(token(NEW, "new"))).user == CLAIMS["sub"]
    with pytest.raises(KeysUnavailable):
        await authenticator.principal(token(OLD, "old"))
    assert issuer.requests == 2


async def test_a_reading_that_hangs_keeps_nobody_waiting_and_is_the_only_one(clock: Clock) -> None:
    hangs, readings = threading.Event(), []

    def read(url: str) -> bytes:
        readings.append(url)
        hangs.wait(30)
        return OLD_SET

    published = JwksClient("http://issuer", clock=clock, read=read, wait_s_max=0.01)
    try:
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                await published.refresh()
            clock.now_s += REST_S
        assert len(readings) == 1
    finally:
        hangs.set()
    await eventually(lambda: _has_keys(published))


async def _has_keys(published: JwksClient) -> bool:
    return published.keys.knows("old")


async def test_an_address_that_cannot_be_is_an_issuer_that_is_away(clock: Clock) -> None:
    with pytest.raises(KeysUnavailable):
        await JwksClient(f"http://{'a' * 64}.example/keys", clock=clock).refresh()


def test_an_answer_that_never_ends_is_left(issuer: Issuer) -> None:
    gone = threading.Event()

    def drip(write: Write) -> None:
        try:
            while not gone.wait(0.001):
                write(b" ")
        finally:
            gone.set()

    issuer.body_writer = drip
    try:
        with pytest.raises(TimeoutError, match="longer than"):
            read_document(issuer.url, within_s=0.3)
    finally:
        gone.set()


def test_an_answer_that_does_not_come_is_not_waited_for(issuer: Issuer) -> None:
    gone = threading.Event()
    issuer.body_writer = lambda _write: gone.wait(30)
    try:
        with pytest.raises(OSError, match="timed out"):
            read_document(issuer.url, within_s=0.1)
    finally:
        gone.set()


def test_nobody_is_followed_to_another_address(issuer: Issuer) -> None:
    issuer.status = 302
    with pytest.raises(OSError, match="302"):
        read_document(issuer.url)
    assert issuer.requests == 1
