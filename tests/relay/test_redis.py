"""The relay over a real Redis: the contract and its own cases. Its faults: ``tests/faults/test_relay_redis.py``."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from collab.errors import InvalidRequest
from collab.ids import DocumentName, WriterId
from collab.observe.metrics import Metrics
from collab.relay import publisher
from collab.relay.base import Relay
from collab.relay.envelope import encode
from collab.relay.redis import FRAME_BYTES_MAX, RedisRelay
from collab.relay.resp import READ_BURST
from tests.metering import sample
from tests.relay.contract import FENCE, NOTES, OTHER, Join, Make, RecordingListener, RelayContract, Replica, fence, row
from tests.waiting import eventually

pytestmark = pytest.mark.services

KEY = b"k" * 32


@pytest.fixture
def prefix() -> str:
    """A prefix for the channels of this test alone, because the server is shared."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Another client of the same Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


class Trap(list[Any]):
    """A list that raises when something is appended."""

    def append(self, _: Any) -> None:
        raise ZeroDivisionError


class Closing(Trap):
    """A list that raises when something is appended, and closes the relay meanwhile."""

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
    """The contract for ``RedisRelay``, and its own cases."""

    @pytest.fixture
    def make(self, redis_url: str, prefix: str) -> Make:
        return lambda writer: RedisRelay(redis_url, key=KEY, writer=writer, prefix=prefix)

    async def channels(self, redis: Any, prefix: str) -> list[bytes]:
        return sorted(await redis.pubsub_channels(f"{prefix}:*"))

    def know_each_other(self, *replicas: Replica) -> bool:
        return all(len(each.relay._others) == len(replicas) - 1 for each in replicas)  # type: ignore[attr-defined]

    async def test_redis_sees_hashes_instead_of_names(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        await alice.open(DocumentName("secret plan"))
        channels = await self.channels(redis, prefix)
        assert len(channels) == 2
        assert channels[0] == f"{prefix}:beats".encode()
        assert channels[1].removeprefix(f"{prefix}:doc:".encode()).isalnum()
        assert b"plan" not in b"".join(channels)

    async def test_redis_delivers_only_open_documents(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        for _ in range(3):
            await alice.open(NOTES, OTHER)
            assert len(await self.channels(redis, prefix)) == 3
            await alice.relay.unsubscribe(NOTES)
            await alice.relay.unsubscribe(OTHER)
            await alice.open(FENCE)  # when this is confirmed, so are the commands before it
            assert len(await self.channels(redis, prefix)) == 2
            await alice.relay.unsubscribe(FENCE)

    async def test_subscribe_returns_when_redis_has_confirmed(self, join: Join, redis: Any, prefix: str) -> None:
        alice = await join()
        before = set(await self.channels(redis, prefix))
        await asyncio.gather(*(alice.relay.subscribe(DocumentName(f"d{n}")) for n in range(200)))
        assert len(set(await self.channels(redis, prefix)) - before) == 200

    async def test_coming_up_counts_as_an_interruption(self, join: Join) -> None:
        alice = await join()
        assert alice.listener.interruptions == 1
        assert sample(metrics(alice), "relay_interruptions_total") == 1

    async def test_forged_and_altered_frames_are_refused_and_counted(self, join: Join, redis: Any, prefix: str) -> None:
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

    async def test_frame_replayed_on_another_channel_keeps_its_document(
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

    async def test_forged_frame_in_our_own_name_is_ignored(self, join: Join, redis: Any, prefix: str) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        (channel,) = (c for c in await self.channels(redis, prefix) if b":doc:" in c)
        await redis.publish(channel, encode(row(NOTES, 1), sender=WriterId(1001), key=KEY))
        await fence(alice, bob)
        assert bob.heard == []

    async def test_row_too_large_for_pub_sub_is_dropped(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        alice.relay.publish(row(NOTES, 1, bytes(FRAME_BYTES_MAX)))
        alice.relay.publish(row(NOTES, 2, bytes(FRAME_BYTES_MAX + 1)))
        alice.relay.publish(row(NOTES, 3))
        await fence(alice, bob)
        assert [frame.row.seq for frame in bob.heard] == [1, 3]  # type: ignore[union-attr]
        assert sample(metrics(alice), "relay_frames_dropped_total") == 1

    @pytest.mark.parametrize(("bound", "value"), [("QUEUE_FRAMES_MAX", 10), ("QUEUE_BYTES_MAX", 1000)])
    async def test_full_queue_is_dropped_and_reported(
        self, join: Join, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
    ) -> None:
        monkeypatch.setattr(publisher, bound, value)
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        told = alice.listener.interruptions
        for seq in range(1, 12):  # no await: nothing is sent meanwhile
            alice.relay.publish(row(NOTES, seq, b"x" * 90))
        assert alice.listener.interruptions == told + 1
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

    async def test_burst_lets_other_tasks_run(self, join: Join) -> None:
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
        assert max(gaps) <= READ_BURST

    async def test_listener_that_raises_does_not_end_the_relay(
        self, join: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        told = bob.listener.interruptions
        bob.listener.frames = Trap()
        alice.relay.publish(row(NOTES, 1))
        await eventually(lambda: bob.listener.interruptions == told + 2)
        assert [
            r.exc_info is not None or "ZeroDivisionError" in r.getMessage()
            for r in caplog.records
            if "crashed" in r.getMessage()
        ] == [True]
        bob.listener.frames = []
        await fence(alice, bob)

    async def test_close_during_a_failure_returns(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        closing = bob.listener.frames = Closing(bob.relay)
        alice.relay.publish(row(NOTES, 1))
        await eventually(lambda: closing.task)
        async with asyncio.timeout(10):
            await closing.task

    async def test_two_deployments_on_one_redis_are_separate(self, join: Join, redis_url: str, prefix: str) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        stranger = RedisRelay(redis_url, key=KEY, writer=WriterId(7), prefix=f"{prefix}-other")
        await stranger.open(RecordingListener())
        await eventually(lambda: stranger.up)
        stranger.publish(row(NOTES, 1))
        await eventually(lambda: sample(stranger.metrics, "relay_frames_published_total") == 1)
        await stranger.close()
        await fence(alice, bob)
        assert bob.heard == []


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost", "redis://localhost:port", "", "redis://localhost?colour=red"]
)
def test_invalid_redis_url_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(InvalidRequest, match="The Redis URL cannot be read"):
        RedisRelay(url, key=KEY, writer=WriterId(1))
