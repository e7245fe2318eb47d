"""The relay over a real Redis: the contract, and what is Redis' own. Faults: ``tests/faults/test_relay_redis.py``."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from collab.errors import InvalidRequest
from collab.ids import DocumentName, WriterId
from collab.observe.metrics import Metrics
from collab.relay import redis as module
from collab.relay.base import Relay
from collab.relay.envelope import encode
from collab.relay.redis import RedisRelay
from tests.metering import sample
from tests.relay.contract import FENCE, NOTES, OTHER, Ear, Join, Make, RelayContract, Replica, fence, row
from tests.waiting import eventually

pytestmark = pytest.mark.services

KEY = b"k" * 32


@pytest.fixture
def prefix() -> str:
    """Channels of this test alone: the server is shared."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Somebody else who may talk to Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


class Trap(list[Any]):
    """Breaks when something is put into it."""

    def append(self, _: Any) -> None:
        raise ZeroDivisionError


class Closing(Trap):
    """Breaks, and closes the relay meanwhile."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.task: Any = None

    def append(self, frame: Any) -> None:
        self.task = asyncio.create_task(self._relay.close())
        super().append(frame)


def metrics(replica: Replica) -> Metrics:
    assert isinstance(replica.relay, RedisRelay)
    return replica.relay.metrics


class TestRedisRelay(RelayContract):
    """The contract."""

    @pytest.fixture
    def make(self, redis_url: str, prefix: str) -> Make:
        return lambda writer: RedisRelay(redis_url, key=KEY, writer=writer, prefix=prefix)

    async def channels(self, redis: Any, prefix: str) -> list[bytes]:
        return sorted(await redis.pubsub_channels(f"{prefix}:*"))

    def know_each_other(self, *replicas: Replica) -> bool:
        return all(len(each.relay._others) == len(replicas) - 1 for each in replicas)  # type: ignore[attr-defined]

    async def test_redis_hears_hashes_and_no_names(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        await alice.open(DocumentName("secret plan"))
        channels = await self.channels(redis, prefix)
        assert len(channels) == 2
        assert channels[0] == f"{prefix}:beats".encode()
        assert channels[1].removeprefix(f"{prefix}:doc:".encode()).isalnum()
        assert b"plan" not in b"".join(channels)

    async def test_redis_delivers_what_is_open_here_and_nothing_else(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        for _ in range(3):
            await alice.open(NOTES, OTHER)
            assert len(await self.channels(redis, prefix)) == 3
            await alice.relay.unsubscribe(NOTES)
            await alice.relay.unsubscribe(OTHER)
            await alice.open(FENCE)  # when this is confirmed, so is what was said before
            assert len(await self.channels(redis, prefix)) == 2
            await alice.relay.unsubscribe(FENCE)

    async def test_subscribing_returns_when_redis_has_confirmed_it(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        before = set(await self.channels(redis, prefix))
        await asyncio.gather(*(alice.relay.subscribe(DocumentName(f"d{n}")) for n in range(200)))
        assert len(set(await self.channels(redis, prefix)) - before) == 200

    async def test_coming_up_is_told_since_frames_may_have_been_lost_before(self, join: Join) -> None:
        alice = await join()
        assert alice.ear.interruptions == 1
        assert sample(metrics(alice), "relay_interruptions_total") == 1

    async def test_forged_altered_and_foreign_frames_are_refused_and_counted(
        self, join: Join, redis: Any, prefix: str
    ) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        (channel,) = (c for c in await self.channels(redis, prefix) if b":doc:" in c)
        good = encode(row(NOTES, 1), sender=WriterId(1), key=KEY)
        forged = [
            b"",
            b"garbage",
            good[:-1],
            good + b"x",
            good.replace(b"payload", b"pAyload"),
            encode(row(NOTES, 1), sender=WriterId(1), key=b"x" * 32),
        ]
        for envelope in forged:
            await redis.publish(channel, envelope)
        await fence(alice, bob)
        assert bob.heard == []
        assert sample(metrics(bob), "relay_frames_refused_total") == len(forged)

    async def test_a_frame_sent_again_or_on_another_channel_is_the_frame_it_was(
        self, join: Join, redis: Any, prefix: str
    ) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        (channel,) = (c for c in await self.channels(redis, prefix) if b":doc:" in c)
        await redis.publish(channel, encode(row(OTHER, 1), sender=WriterId(1), key=KEY))
        await fence(alice, bob)
        assert bob.heard == [], "a frame of a document that is not open here"
        await bob.open(OTHER)
        await redis.publish(channel, encode(row(OTHER, 1), sender=WriterId(1), key=KEY))
        await fence(alice, bob)
        assert bob.heard == [row(OTHER, 1)]

    async def test_who_claims_to_be_us_is_not_heard(self, join: Join, redis: Any, prefix: str) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        (channel,) = (c for c in await self.channels(redis, prefix) if b":doc:" in c)
        await redis.publish(channel, encode(row(NOTES, 1), sender=WriterId(1001), key=KEY))
        await fence(alice, bob)
        assert bob.heard == []

    async def test_a_row_too_large_for_pub_sub_is_left_to_the_store(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        alice.relay.publish(row(NOTES, 1, bytes(module.FRAME_BYTES_MAX)))
        alice.relay.publish(row(NOTES, 2, bytes(module.FRAME_BYTES_MAX + 1)))
        alice.relay.publish(row(NOTES, 3))
        await fence(alice, bob)
        assert [frame.row.seq for frame in bob.heard] == [1, 3]  # type: ignore[union-attr]
        assert sample(metrics(alice), "relay_frames_dropped_total") == 1

    @pytest.mark.parametrize(("bound", "value"), [("QUEUE_FRAMES_MAX", 10), ("QUEUE_BYTES_MAX", 1000)])
    async def test_a_full_queue_is_dropped_whole_and_it_is_said(
        self, join: Join, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
    ) -> None:
        monkeypatch.setattr(module, bound, value)
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        told = alice.ear.interruptions
        for seq in range(1, 12):  # no await: nothing is sent meanwhile
            alice.relay.publish(row(NOTES, seq, b"x" * 90))
        assert alice.ear.interruptions == told + 1
        await fence(alice, bob)
        first = 12 - len(bob.heard)
        assert first > 1
        assert bob.heard == [row(NOTES, seq, b"x" * 90) for seq in range(first, 12)]
        assert sample(metrics(alice), "relay_frames_dropped_total") == first - 1

    async def test_frames_are_counted(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        for seq in range(1, 1200):
            alice.relay.publish(row(NOTES, seq))
        await fence(alice, bob)
        assert sample(metrics(alice), "relay_frames_published_total") == 1200
        assert sample(metrics(bob), "relay_frames_received_total") == 1200
        assert sample(metrics(alice), "relay_frames_dropped_total") == 0

    async def test_a_burst_does_not_keep_others_from_their_turn(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        turns_heard: set[int] = set()
        turn = 0

        async def others() -> None:
            nonlocal turn
            while len(bob.heard) < 2000:
                turns_heard.add(len(bob.heard))
                turn += 1
                await asyncio.sleep(0)

        for seq in range(2000):
            alice.relay.publish(row(NOTES, seq))
        await asyncio.wait_for(others(), 30)
        gaps = [b - a for a, b in zip(sorted(turns_heard), sorted(turns_heard)[1:], strict=False)]
        assert max(gaps) <= module.READ_BURST

    async def test_a_listener_that_breaks_its_promise_does_not_end_the_relay(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        told = bob.ear.interruptions
        bob.ear.frames = Trap()
        alice.relay.publish(row(NOTES, 1))
        await eventually(lambda: bob.ear.interruptions == told + 2)
        assert [
            r.exc_info is not None or "ZeroDivisionError" in r.getMessage()
            for r in caplog.records
            if "crashed" in r.getMessage()
        ] == [True]
        bob.ear.frames = []
        await fence(alice, bob)

    async def test_closing_in_the_moment_of_a_failure_returns(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        closing = bob.ear.frames = Closing(bob.relay)
        alice.relay.publish(row(NOTES, 1))
        await eventually(lambda: closing.task)
        async with asyncio.timeout(10):
            await closing.task

    async def test_two_deployments_on_one_redis_do_not_hear_each_other(
        self, join: Join, redis_url: str, prefix: str
    ) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        stranger = RedisRelay(redis_url, key=KEY, writer=WriterId(7), prefix=f"{prefix}-other")
        await stranger.open(Ear())
        await eventually(lambda: stranger.up)
        stranger.publish(row(NOTES, 1))
        await eventually(lambda: sample(stranger.metrics, "relay_frames_published_total") == 1)
        await stranger.close()
        await fence(alice, bob)
        assert bob.heard == []


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port", ""])
def test_what_is_no_redis_url_is_refused_in_words(url: str) -> None:
    with pytest.raises(InvalidRequest, match="The Redis URL cannot be read"):
        RedisRelay(url, key=KEY, writer=WriterId(1))


def test_the_url_cannot_change_how_failures_are_handled() -> None:
    relay = RedisRelay("redis://localhost?socket_timeout=99&protocol=3", key=KEY, writer=WriterId(1))
    options = relay._pool.connection_kwargs
    assert (options["protocol"], options["socket_timeout"]) == (2, module.ANSWER_S)
