"""The relay when Redis is killed, hangs, disconnects or refuses: listeners are told, and frames flow again.

Each test has a Redis of its own.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from collab.ids import DocumentName, WriterId
from collab.relay.redis import RedisRelay
from tests.metering import sample
from tests.relay.contract import NOTES, RecordingListener, Replica, row
from tests.services.private import PrivateRedis
from tests.waiting import eventually

pytestmark = pytest.mark.services

KEY = b"k" * 32
PROMPT_S = 8
"""How long a call may take at most, whatever Redis does: some answer times, on a busy machine."""


@pytest.fixture
def server() -> Iterator[PrivateRedis]:
    server = PrivateRedis().start()
    yield server
    server.close()


def operator(server: PrivateRedis) -> Any:
    """Return a client with which a test controls the server."""
    return Redis.from_url(server.url)


@dataclass
class Pair:
    """Two replicas with one document open."""

    alice: Replica
    bob: Replica
    seq: int = 0
    told: tuple[int, int] = field(default=(0, 0))

    async def start(self) -> None:
        for replica in (self.alice, self.bob):
            await replica.relay.open(replica.listener)
        await self.until_up()
        for replica in (self.alice, self.bob):
            await replica.open(NOTES)
        await self.until_frames_flow()
        self.note()

    async def close(self) -> None:
        async with asyncio.timeout(PROMPT_S):
            await self.alice.relay.close()
            await self.bob.relay.close()

    def note(self) -> None:
        """Remember how often each listener was told that frames may have been lost."""
        self.told = (self.alice.listener.interruptions, self.bob.listener.interruptions)

    @property
    def told_again(self) -> bool:
        """True if both were told since ``note``."""
        return self.alice.listener.interruptions > self.told[0] and self.bob.listener.interruptions > self.told[1]

    async def until_up(self) -> None:
        await eventually(lambda: self.alice.relay.up and self.bob.relay.up)

    async def until_down(self) -> None:
        await eventually(lambda: not self.alice.relay.up and not self.bob.relay.up)

    async def until_frames_flow(self) -> None:
        """Return when frames arrive in both directions."""
        for sender, receiver in ((self.alice, self.bob), (self.bob, self.alice)):
            self.seq += 1
            frame = row(NOTES, self.seq)
            sender.relay.publish(frame)
            await eventually(lambda receiver=receiver, frame=frame: frame in receiver.heard)  # type: ignore[misc]


def make_pair(url: str) -> Pair:
    alice, bob = (Replica(RedisRelay(url, key=KEY, writer=WriterId(n)), RecordingListener()) for n in (1, 2))
    return Pair(alice, bob)


@pytest.fixture
async def pair(server: PrivateRedis) -> AsyncIterator[Pair]:
    pair = make_pair(server.url)
    await pair.start()
    yield pair
    await pair.close()


async def test_killed_redis_is_noticed_and_used_again(server: PrivateRedis, pair: Pair) -> None:
    server.kill()
    await pair.until_down()
    assert pair.told_again, "the listeners were not told of the outage"
    pair.note()
    server.start()
    await pair.until_up()
    assert pair.told_again, "the listeners were not told of the recovery"
    await pair.until_frames_flow()


async def test_redis_can_be_restarted_repeatedly(server: PrivateRedis, pair: Pair) -> None:
    for _ in range(5):
        server.kill()
        server.start()
        await eventually(lambda: pair.told_again)
        await pair.until_up()
        await pair.until_frames_flow()
        pair.note()


async def test_document_opened_during_an_outage_is_subscribed_afterwards(server: PrivateRedis, pair: Pair) -> None:
    server.kill()
    await pair.until_down()
    late = DocumentName("late")
    async with asyncio.timeout(PROMPT_S):
        for replica in (pair.alice, pair.bob):
            await replica.open(late)
            await replica.relay.unsubscribe(NOTES)
    pair.note()
    server.start()
    await pair.until_up()
    assert pair.told_again
    pair.alice.relay.publish(row(NOTES, 9))
    pair.alice.relay.publish(row(late, 1))
    await eventually(lambda: row(late, 1) in pair.bob.heard)
    assert row(NOTES, 9) not in pair.bob.heard


async def test_frames_published_during_an_outage_are_dropped_and_counted(server: PrivateRedis, pair: Pair) -> None:
    server.kill()
    await pair.until_down()
    relay = pair.alice.relay
    assert isinstance(relay, RedisRelay)
    dropped = sample(relay.metrics, "relay_frames_dropped_total")
    for seq in range(100, 200):
        relay.publish(row(NOTES, seq))
    assert sample(relay.metrics, "relay_frames_dropped_total") == dropped + 100
    server.start()
    await pair.until_up()
    await pair.until_frames_flow()
    assert not any(frame == row(NOTES, seq) for frame in pair.bob.heard for seq in range(100, 200))


async def test_hanging_redis_blocks_nothing_and_is_taken_for_dead(server: PrivateRedis, pair: Pair) -> None:
    server.stall()
    async with asyncio.timeout(PROMPT_S):
        await pair.alice.open(DocumentName("while hanging"))
        pair.alice.relay.publish(row(NOTES, 50))
    await pair.until_down()
    assert pair.told_again
    pair.note()
    server.resume()
    await pair.until_up()
    assert pair.told_again
    await pair.until_frames_flow()
    pair.bob.relay.publish(row(DocumentName("while hanging"), 1))
    await eventually(lambda: row(DocumentName("while hanging"), 1) in pair.alice.heard)


async def test_hanging_redis_is_noticed_without_any_traffic(server: PrivateRedis, pair: Pair) -> None:
    """Its sockets stay open and no read fails, so only the heartbeat finds it."""
    server.stall()
    await pair.until_down()
    server.resume()
    await pair.until_up()


async def test_hanging_redis_does_not_delay_closing(server: PrivateRedis, pair: Pair) -> None:
    server.stall()
    for _ in range(2000):
        pair.alice.relay.publish(row(NOTES, 1, bytes(4000)))
    await pair.close()
    server.resume()


class Proxy:
    """A TCP proxy before Redis that can fall silent towards subscribers without closing their connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._links: list[tuple[asyncio.Event, asyncio.Event]] = []  # has subscribed, gets nothing any more
        self._open = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await eventually(lambda: not self._open)

    def silence_subscribers(self) -> int:
        """Silence the present subscribers, but not later ones; return their number."""
        listening = [silent for subscribed, silent in self._links if subscribed.is_set() and not silent.is_set()]
        for silent in listening:
            silent.set()
        return len(listening)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subscribed, silent = asyncio.Event(), asyncio.Event()
        self._links.append((subscribed, silent))
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open += 1
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pump(reader, redis_writer, asyncio.Event(), subscribed))
            both.create_task(self._pump(redis_reader, writer, silent, asyncio.Event()))
        self._open -= 1

    @staticmethod
    async def _pump(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, silent: asyncio.Event, subscribed: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65536):
                if b"SUBSCRIBE" in chunk:
                    subscribed.set()
                if not silent.is_set():
                    sink.write(chunk)
                    await sink.drain()
        sink.close()


async def test_silent_subscription_is_found_by_the_heartbeat(server: PrivateRedis) -> None:
    """Publishing still works and no connection ends, so only the heartbeat can find it."""
    proxy = Proxy(server.port)
    async with proxy as url:
        pair = make_pair(url)
        await pair.start()
        assert proxy.silence_subscribers() == 2
        await eventually(lambda: pair.told_again)
        await pair.until_up()
        await pair.until_frames_flow()
        await pair.close()


@pytest.mark.parametrize("type", ["pubsub", "normal"])
async def test_connection_closed_by_redis_is_noticed(server: PrivateRedis, pair: Pair, type: str) -> None:
    """Killed subscribers lose messages until they are back, and redis-py would not say so."""
    async with operator(server) as redis:
        for _ in range(3):
            await redis.execute_command("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes")
            await eventually(lambda: pair.told_again)
            await pair.until_up()
            await pair.until_frames_flow()
            pair.note()


async def test_slow_subscriber_dropped_by_redis_is_told(server: PrivateRedis, pair: Pair) -> None:
    async with operator(server) as redis:
        await redis.config_set("client-output-buffer-limit", "pubsub 65536 65536 1")
        # One synchronous burst: the replicas cannot read while Redis gets more than it will buffer for them.
        with socket.create_connection(("127.0.0.1", server.port)) as flood:
            (channel,) = await redis.pubsub_channels("collab:doc:*")
            parts = (b"PUBLISH", channel, b"x" * 60_000)
            command = b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
            flood.settimeout(30)
            flood.sendall(command * 400)
            answers = b""
            while answers.count(b"\r\n") < 400:
                answers += flood.recv(65536)
        await eventually(lambda: pair.told_again)
        await pair.until_up()
        await pair.until_frames_flow()


async def test_redis_with_another_password_is_down_until_it_accepts_ours(server: PrivateRedis, pair: Pair) -> None:
    async with operator(server) as redis:
        await redis.config_set("requirepass", "other")
        await redis.execute_command("AUTH", "other")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await pair.until_down()
        pair.note()
        await redis.config_set("requirepass", "")
    await pair.until_up()
    assert pair.told_again
    await pair.until_frames_flow()


async def test_without_redis_every_call_returns_at_once(server: PrivateRedis) -> None:
    url = server.url
    server.kill()
    relay, listener = RedisRelay(url, key=KEY, writer=WriterId(1)), RecordingListener()
    async with asyncio.timeout(PROMPT_S):
        await relay.open(listener)
        await relay.subscribe(NOTES)
        await relay.unsubscribe(NOTES)
        await relay.subscribe(NOTES)
        relay.publish(row(NOTES, 1))
    assert not relay.up
    server.start()
    await eventually(lambda: relay.up)
    assert listener.interruptions == 1
    async with asyncio.timeout(PROMPT_S):
        await relay.close()


async def test_server_that_is_not_redis_counts_as_down() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as stranger:
        port = stranger.sockets[0].getsockname()[1]
        relay = RedisRelay(f"redis://127.0.0.1:{port}/0", key=KEY, writer=WriterId(1))
        async with asyncio.timeout(PROMPT_S):
            await relay.open(RecordingListener())
            await relay.subscribe(NOTES)
        assert not relay.up
        async with asyncio.timeout(PROMPT_S):
            await relay.close()
