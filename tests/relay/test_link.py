"""The life of a link, as its table says; what it does in real life: ``tests/faults/test_relay_redis.py``."""

from itertools import product

import pytest

from collab.ids import WriterId
from collab.observe.metrics import Metrics
from collab.relay.link import NEXT, Link, LinkState
from collab.relay.redis import RedisRelay
from collab.relay.redis_server import RedisServer

URL = "redis://127.0.0.1:1"


async def make_link() -> Link:
    relay = RedisRelay(URL, key=b"k" * 32, writer=WriterId(1))
    return Link(RedisServer(URL), relay, beat_channel=b"beats", beat=b"1", metrics=Metrics())


def test_every_state_is_in_the_table_and_only_a_lost_link_has_no_future() -> None:
    assert set(NEXT) == set(LinkState)
    assert [state for state, following in NEXT.items() if not following] == [LinkState.LOST]


@pytest.mark.parametrize(("state", "following"), list(product(LinkState, LinkState)))
async def test_link_changes_as_the_table_says(state: LinkState, following: LinkState) -> None:
    link = await make_link()
    link.state = state
    if following in NEXT[state]:
        link._enter(following)
        assert link.state is following
    else:
        with pytest.raises(AssertionError, match="cannot become"):
            link._enter(following)


async def test_link_without_a_server_is_lost_and_says_why() -> None:
    link = await make_link()
    with pytest.raises(OSError, match="Connect"):
        await link.run([])
    assert link.state is LinkState.LOST
    assert link.publisher is None
    assert link.subscriber is None
