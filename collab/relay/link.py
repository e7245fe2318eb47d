"""The life of one connection to Redis, which is two: one to subscribe and one to publish. They end together.

Pub/sub stores no messages: a subscriber that was away for a moment has lost some. So a link never mends itself. When a
connection fails, or the replica does not hear its own heartbeat any more, the link is over, and the relay makes another
and says that frames may have been lost. Only the heartbeat finds a server that hangs, because its sockets stay open.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import NoReturn, Protocol

from collab.observe.metrics import Metrics
from collab.relay.publisher import Publisher
from collab.relay.redis_server import RedisServer
from collab.relay.resp import RespConnection
from collab.relay.subscriber import Subscriber

BEAT_S = 1.0
"""How often a replica sends its heartbeat."""

SILENCE_S = 3.0
"""How long without its own heartbeat a replica takes Redis for dead, and without another's that replica for lost."""


class LinkState(Enum):
    """How far a link has come."""

    CONNECTING = auto()
    SUBSCRIBING = auto()
    """Both connections are open; whether messages arrive is not known yet."""
    UP = auto()
    """The own heartbeat came back."""
    LOST = auto()


NEXT: Mapping[LinkState, frozenset[LinkState]] = {
    LinkState.CONNECTING: frozenset({LinkState.SUBSCRIBING, LinkState.LOST}),
    LinkState.SUBSCRIBING: frozenset({LinkState.UP, LinkState.LOST}),
    LinkState.UP: frozenset({LinkState.LOST}),
    LinkState.LOST: frozenset(),
}


class LinkUser(Protocol):
    """The relay, as a link sees it."""

    def came_up(self) -> None:
        """Take note that messages arrive."""

    def went_down(self) -> None:
        """Take note that a link that was up is lost."""

    def may_have_missed(self) -> None:
        """Take note that a subscription was confirmed so late that messages may have been missed."""

    def heard(self, message: bytes) -> None:
        """Take a message from a document's channel."""

    def heard_itself(self) -> None:
        """Take note that the own heartbeat came back."""

    def heard_beat(self, beat: bytes) -> None:
        """Take another replica's heartbeat."""


class Link:
    """One attempt to be connected: ``run`` makes it, and returns only when it is over."""

    def __init__(
        self, server: RedisServer, user: LinkUser, *, beat_channel: bytes, beat: bytes, metrics: Metrics
    ) -> None:
        self.state = LinkState.CONNECTING
        self._server = server
        self._user = user
        self._beat_channel = beat_channel
        self._beat = beat
        self._metrics = metrics
        self._connections: list[RespConnection] = []
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.subscriber: Subscriber | None = None
        self.publisher: Publisher | None = None
        """Both are there from SUBSCRIBING on, until the link is lost."""

    async def run(self, channels: Iterable[bytes]) -> NoReturn:
        """Connect, subscribe to ``channels`` as they are by then, and carry messages; raise why it is over."""
        try:
            for _ in ("to subscribe", "to publish"):
                self._connections.append(await self._server.connect())
            self._subscribe(channels)
            ends = [connection.ended for connection in self._connections]
            ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            raise ended.pop().result()
        finally:
            self._lose()

    def _subscribe(self, channels: Iterable[bytes]) -> None:
        self._enter(LinkState.SUBSCRIBING)
        subscribing, publishing = self._connections
        self.publisher = Publisher(publishing, self._metrics)
        self.subscriber = Subscriber(subscribing, on_message=self._hear, on_confirmed=self._confirmed)
        # All in one command, the heartbeat last: once that is heard, every document is.
        self.subscriber.add([*channels, self._beat_channel])
        self._await_beat()

    def _lose(self) -> None:
        was_up = self.state is LinkState.UP
        self._enter(LinkState.LOST)
        for timer in self._timers.values():
            timer.cancel()
        for connection in self._connections:
            connection.end(ConnectionError("The other connection to Redis ended."))
        if self.publisher is not None:
            self.publisher.drop()
        self.publisher = self.subscriber = None
        if was_up:
            self._user.went_down()

    def _enter(self, state: LinkState) -> None:
        assert state in NEXT[self.state], f"a link that is {self.state.name} cannot become {state.name}"
        self.state = state

    # --- what is heard ------------------------------------------------------------------------------

    def _hear(self, channel: bytes, message: bytes) -> None:
        if channel != self._beat_channel:
            self._user.heard(message)
        elif message != self._beat:
            self._user.heard_beat(message)
        else:
            self._await_beat()
            if self.state is LinkState.SUBSCRIBING:
                self._enter(LinkState.UP)
                self._user.came_up()
            self._user.heard_itself()

    def _confirmed(self, channel: bytes) -> None:
        if channel == self._beat_channel:
            self._send_beat()
        elif self.state is LinkState.UP:
            self._user.may_have_missed()

    # --- the heartbeat ------------------------------------------------------------------------------

    def _send_beat(self) -> None:
        if self.publisher is not None:
            self.publisher.put_first(self._beat_channel, self._beat)
            self._start_timer("beat", BEAT_S, self._send_beat)

    def _await_beat(self) -> None:
        self._start_timer("silence", SILENCE_S, self._end_of_patience)

    def _end_of_patience(self) -> None:
        self._connections[0].end(TimeoutError())

    def _start_timer(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(seconds, act)
