"""Publishing: one write for a turn of the loop, a bounded wait for a slow Redis, and what is counted."""

import asyncio

import hiredis
import pytest

from collab.observe.metrics import Metrics
from collab.relay import publisher as module
from collab.relay.publisher import Publisher
from collab.relay.resp import command
from tests.metering import sample
from tests.relay.wire import Wire


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def publisher(wire: Wire, metrics: Metrics) -> Publisher:
    return Publisher(wire, metrics)


async def test_messages_of_one_turn_are_one_write(wire: Wire, publisher: Publisher, metrics: Metrics) -> None:
    for word in (b"a", b"b"):
        publisher.put(b"channel", word)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"".join(command(b"PUBLISH", b"channel", word) for word in (b"a", b"b"))]
    publisher.put(b"channel", b"c")
    await asyncio.sleep(0)
    assert wire.written[1:] == [command(b"PUBLISH", b"channel", b"c")]
    assert sample(metrics, "relay_frames_published_total") == 3


async def test_messages_wait_while_redis_takes_no_more(wire: Wire, publisher: Publisher) -> None:
    wire.pause_writing()
    publisher.put(b"channel", b"a")
    await asyncio.sleep(0)
    publisher.put(b"channel", b"b")
    await asyncio.sleep(0)
    assert wire.written == []
    wire.resume_writing()
    assert wire.written == [b"".join(command(b"PUBLISH", b"channel", word) for word in (b"a", b"b"))]


async def test_first_message_overtakes_and_is_not_counted(wire: Wire, publisher: Publisher, metrics: Metrics) -> None:
    publisher.put(b"channel", b"a")
    publisher.put_first(b"beats", b"b")
    await asyncio.sleep(0)
    assert wire.written == [command(b"PUBLISH", b"beats", b"b"), command(b"PUBLISH", b"channel", b"a")]
    assert sample(metrics, "relay_frames_published_total") == 1


@pytest.mark.parametrize(("bound", "value"), [("QUEUE_FRAMES_MAX", 2), ("QUEUE_BYTES_MAX", 20)])
async def test_space_ends_and_comes_back(
    wire: Wire, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(module, bound, value)
    for _ in range(2):
        assert publisher.has_space(10)
        publisher.put(b"channel", b"x" * 10)
    assert not publisher.has_space(10)
    await asyncio.sleep(0)
    assert publisher.has_space(10)


async def test_dropped_messages_are_counted_and_never_sent(wire: Wire, publisher: Publisher, metrics: Metrics) -> None:
    for word in (b"a", b"b"):
        publisher.put(b"channel", word)
    assert publisher.drop() == 2
    publisher.put(b"channel", b"c")
    await asyncio.sleep(0)
    assert wire.written == [command(b"PUBLISH", b"channel", b"c")]
    assert sample(metrics, "relay_frames_dropped_total") == 2


async def test_answer_that_is_an_error_raises(wire: Wire, publisher: Publisher) -> None:
    wire.say(3)
    with pytest.raises(ConnectionError, match="NOAUTH"):
        wire.say(hiredis.ReplyError("NOAUTH"))
