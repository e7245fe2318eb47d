"""How a Redis is reached and greeted: each form of URL against a real server that asks for what the URL gives."""

import asyncio
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio import Redis

from collab.relay.redis_server import RedisServer
from collab.relay.resp import Reply, command
from tests.services.private import PrivateRedis

pytestmark = pytest.mark.services


@pytest.fixture
def server() -> Iterator[PrivateRedis]:
    server = PrivateRedis().start()
    yield server
    server.close()


async def who_am_i(url: str) -> bytes:
    """Connect, and return what Redis knows of the connection."""
    connection = await RedisServer(url).connect()
    answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    connection.on_reply = answered.set_result
    connection.write(command(b"CLIENT", b"INFO"))
    await asyncio.wait([answered, connection.ended], return_when=asyncio.FIRST_COMPLETED)
    connection.end(ConnectionError())
    said: bytes = answered.result()
    return said


async def configure(server: PrivateRedis, *words: str) -> None:
    async with Redis.from_url(server.url) as redis:
        await redis.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_plain_url_connects(server: PrivateRedis) -> None:
    assert b"user=default" in await who_am_i(server.url)


async def test_database_and_client_name_are_set(server: PrivateRedis) -> None:
    said = await who_am_i(f"redis://127.0.0.1:{server.port}/3?client_name=collab")
    assert b" db=3 " in said
    assert b"name=collab" in said


async def test_user_and_password_are_given(server: PrivateRedis) -> None:
    await configure(server, "ACL", "SETUSER", "ada", "on", ">p@ss/word", "allchannels", "+@all")
    assert b"user=ada" in await who_am_i(f"redis://ada:p%40ss%2Fword@127.0.0.1:{server.port}")


async def test_password_alone_is_that_of_the_default_user(server: PrivateRedis) -> None:
    await configure(server, "CONFIG", "SET", "requirepass", "secret")
    assert b"user=default" in await who_am_i(f"redis://:secret@127.0.0.1:{server.port}")


@pytest.mark.parametrize(("user", "words"), [("", "NOAUTH"), (":wrong@", "WRONGPASS")])
async def test_refused_greeting_raises_what_redis_said(server: PrivateRedis, user: str, words: str) -> None:
    await configure(server, "CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(ConnectionError, match=words):
        await RedisServer(f"redis://{user}127.0.0.1:{server.port}").connect()


async def test_hanging_server_raises_in_time(server: PrivateRedis) -> None:
    server.stall()
    with pytest.raises(TimeoutError):
        await RedisServer(server.url).connect()
    server.resume()


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
    sink.close()


@asynccontextmanager
async def proxy(
    server: PrivateRedis, *, path: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Stand before Redis at a Unix socket, or with TLS at a port, which is yielded."""
    over = asyncio.Event()

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, redis_writer), pump(redis_reader, writer))
        over.set()

    if path is not None:
        listener = await asyncio.start_unix_server(link, path)
    else:
        listener = await asyncio.start_server(link, "127.0.0.1", 0, ssl=tls)
    async with listener:
        yield 0 if path is not None else listener.sockets[0].getsockname()[1]
        await over.wait()


async def test_unix_socket_is_reached(server: PrivateRedis) -> None:
    directory = Path(tempfile.mkdtemp(prefix="crd-", dir="/tmp"))  # a socket's path must be short
    async with proxy(server, path=str(directory / "redis")):
        assert b" db=2 " in await who_am_i(f"unix://{directory}/redis?db=2")
    shutil.rmtree(directory)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    private = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(private, SHA256())
    )
    file = tmp_path / "redis.pem"
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + made.public_bytes(Encoding.PEM))
    return file


async def test_tls_is_spoken_with_a_server_that_is_trusted(server: PrivateRedis, certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with proxy(server, tls=tls) as port:
        assert b"user=default" in await who_am_i(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}")
        with pytest.raises(ssl.SSLError):
            await RedisServer(f"rediss://127.0.0.1:{port}").connect()
