"""The relay over Redis pub/sub.

Pub/sub does not store messages: a subscriber that was disconnected for a moment has lost some, and redis-py's own
``PubSub`` reconnects without saying so. This module therefore opens two plain connections, one to subscribe and one to
publish, which begin and end together. When either fails, or the replica does not hear its own heartbeat, both are
closed and opened anew, everything is subscribed again, and the listener is told that frames may have been lost.
Only the heartbeat finds a server that hangs, because its sockets stay open. All replicas share one channel for
heartbeats, so each knows the others, and notices when one falls silent.

Each open document has a channel of its own, so that Redis does the filtering. The channel's name is a hash, so that the
document's name cannot be a pattern. Only this module's own tasks ever wait for Redis.
"""

import asyncio
import hashlib
import math
import re
from collections import deque
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from collab.backoff import Backoff
from collab.errors import InvalidRequest, ProtocolError
from collab.ids import DocumentName, WriterId
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.relay.base import Listener, RelayFrame, RowFrame
from collab.relay.envelope import decode, encode, is_from

log = get_logger("relay")

BEAT_S = 1.0
"""How often a replica sends its heartbeat."""

SILENCE_S = 3.0
"""How long without its own heartbeat a replica takes Redis for dead, and without another's that replica for lost."""

ANSWER_S = 1.0
"""How long Redis may take to connect, to answer, or to confirm a subscription that ``subscribe`` waits for."""

RETRY_S_MIN, RETRY_S_MAX = 0.05, 2.0

QUEUE_FRAMES_MAX = 10_000
QUEUE_BYTES_MAX = 8 * 1024 * 1024
FRAME_BYTES_MAX = 1024 * 1024
"""Larger rows are not sent, and the other replicas read them from the store: Redis drops subscribers for less."""

REPLICAS_MAX = 1_000
"""How many replicas are remembered, so that forged heartbeats cannot fill the memory."""

BATCH_FRAMES_MAX = 500
READ_BURST = 100
"""How many waiting messages are handled before other tasks get their turn."""

_FAILURES = (RedisError, OSError)
"""The errors that mean that Redis is lost; TimeoutError is an OSError."""

_OPTIONS = {
    "protocol": 2,
    "retry": Retry(NoBackoff(), 0),
    "socket_timeout": ANSWER_S,
    "socket_connect_timeout": ANSWER_S,
    "driver_info": None,
}
"""Options of every connection, whatever the URL says: it fails at once, and this module decides how to go on."""

_BEAT = re.compile(rb"[0-9a-f]{16}")

_Message = tuple[bytes, bytes]
"""A channel and a message on it."""


class RedisRelay:
    """The relay of one replica. ``key`` seals frames and is the same on every replica; ``writer`` is this replica.

    Raises InvalidRequest when ``url`` is not a Redis URL.
    """

    def __init__(
        self, url: str, *, key: bytes, writer: WriterId, prefix: str = "collab", metrics: Metrics | None = None
    ) -> None:
        try:
            self._pool = ConnectionPool.from_url(url)
        except ValueError as error:
            raise InvalidRequest(f"The Redis URL cannot be read: {error}.") from None
        self._pool.connection_kwargs.update(_OPTIONS)
        self._key = key
        self._writer = writer
        self._prefix = prefix
        self._beat_channel = f"{prefix}:beats".encode()
        self._beat = _beat(writer)
        self._others: dict[bytes, float] = {}
        """When the heartbeat of each other replica was last heard, in the loop's seconds."""
        self.metrics = metrics or Metrics()
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = False
        self._logged_down = False
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        self._channels: dict[DocumentName, bytes] = {}
        self._channels_changed = asyncio.Event()
        self._queue: deque[_Message] = deque()
        self._queue_bytes = 0
        self._queue_filled = asyncio.Event()
        # Of the present two connections:
        self._is_connected = False
        self._is_subscribed = asyncio.Event()
        self._confirmed: set[bytes] = set()
        self._awaited: dict[bytes, asyncio.Future[None]] = {}
        self._refused_any = False

    @property
    def up(self) -> bool:
        """True if this replica has heard its own heartbeat through Redis within the last seconds."""
        return self._up

    async def open(self, listener: Listener) -> None:
        """Start to connect, and to reconnect until closed."""
        assert self._task is None
        self._listener = listener
        self._task = asyncio.create_task(self._run(), name="relay")

    async def close(self) -> None:
        """Disconnect. Queued frames are lost, as any frame may be."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def subscribe(self, document: DocumentName) -> None:
        """Subscribe; return when Redis has confirmed it, or is away or too slow to wait for."""
        channel = self._channels[document] = self._channel(document)
        self._channels_changed.set()
        if self._is_connected and channel not in self._confirmed:
            confirmed = self._awaited.setdefault(channel, asyncio.get_running_loop().create_future())
            try:
                await asyncio.wait([confirmed], timeout=ANSWER_S)
            finally:
                self._awaited.pop(channel, None)

    async def unsubscribe(self, document: DocumentName) -> None:
        """Unsubscribe: here at once, in Redis a moment later."""
        self._channels.pop(document, None)
        self._channels_changed.set()

    def publish(self, frame: RelayFrame) -> None:
        """Queue a frame. It is dropped when Redis is away or it is too large; a full queue is dropped as a whole.

        Replicas that miss a row find it in the store.
        """
        size = len(frame.row.payload) if isinstance(frame, RowFrame) else len(frame.payload)
        if not self._is_connected or size > FRAME_BYTES_MAX:
            self.metrics.relay_frames_dropped.inc()
            return
        if len(self._queue) >= QUEUE_FRAMES_MAX or self._queue_bytes + size > QUEUE_BYTES_MAX:
            log.warning("relay_queue_full", dropped=len(self._queue))
            self._drop_queue()
            self._interrupted()
        envelope = encode(frame, sender=self._writer, key=self._key)
        self._queue.append((self._channels.get(frame.document) or self._channel(frame.document), envelope))
        self._queue_bytes += len(envelope)
        self._queue_filled.set()

    # --- the two connections --------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._stay_connected()
            except _FAILURES as lost:
                self._log_down(lost)
            except Exception:
                log.exception("relay_crashed")
            await asyncio.sleep(self._backoff.next_s())

    async def _stay_connected(self) -> None:
        """Connect, and carry frames until something fails, which is raised."""
        subscriber, publisher = self._connection(), self._connection()
        tasks: list[asyncio.Task[None]] = []
        try:
            await subscriber.connect()  # type: ignore[no-untyped-call]
            await publisher.connect()  # type: ignore[no-untyped-call]
            self._is_connected = True
            # Not a TaskGroup: cancelled while it fails, it raises only the failure, and the relay would not end.
            tasks += [
                asyncio.create_task(self._receive_all(subscriber), name="relay-subscriber"),
                asyncio.create_task(self._sync_subscriptions(subscriber), name="relay-subscriptions"),
                asyncio.create_task(self._publish_all(publisher), name="relay-publisher"),
            ]
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._forget_connections()
            # This ends: redis-py waits no longer for a connection to close than for one to open.
            await asyncio.gather(*tasks, subscriber.disconnect(), publisher.disconnect(), return_exceptions=True)

    def _connection(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection

    def _came_up(self) -> None:
        if not self._up:
            self._up = True
            self._logged_down = False
            self._backoff.reset()
            # Disconnected, this replica could not hear the others: give them the usual time to be heard again.
            self._others = dict.fromkeys(self._others, asyncio.get_running_loop().time())
            log.info("relay_up")
            self._interrupted()

    def _forget_connections(self) -> None:
        self._is_connected = self._refused_any = False
        self._is_subscribed.clear()
        self._confirmed.clear()
        self._drop_queue()
        for confirmed in self._awaited.values():
            if not confirmed.done():
                confirmed.set_result(None)  # these connections will not confirm it any more
        was_up, self._up = self._up, False
        if was_up and self._task is not None:  # not when the relay is being closed
            self._interrupted()

    def _log_down(self, error: BaseException) -> None:
        """Log an outage once."""
        if not self._logged_down:
            self._logged_down = True
            log.warning("relay_down", error=str(error) or "no answer in time")

    def _interrupted(self) -> None:
        self.metrics.relay_interruptions.inc()
        assert self._listener is not None
        self._listener.interrupted()

    # --- subscribing ----------------------------------------------------------------------------------

    async def _receive_all(self, subscriber: AbstractConnection) -> None:
        """Handle messages until the connection fails, or this replica's own heartbeat stays away."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENCE_S) as silence:
            while True:
                for _ in range(READ_BURST):
                    match await subscriber.read_response(timeout=math.inf):
                        case [b"message", self._beat_channel, self._beat]:
                            silence.reschedule(loop.time() + SILENCE_S)
                            self._came_up()
                            self._drop_silent(loop.time())
                        case [b"message", self._beat_channel, bytes(beat)]:
                            self._hear_other(beat)
                        case [b"message", _, bytes(envelope)]:
                            self._receive(envelope)
                        case [b"subscribe", bytes(channel), _]:
                            self._confirm(channel)
                await asyncio.sleep(0)

    def _hear_other(self, beat: bytes) -> None:
        """Take note of another replica's heartbeat."""
        if beat in self._others or (len(self._others) < REPLICAS_MAX and _BEAT.fullmatch(beat)):
            self._others[beat] = asyncio.get_running_loop().time()

    def _drop_silent(self, now_s: float) -> None:
        """Report the replicas that have fallen silent. This one hears itself, so the fault is not on its side."""
        for beat in [beat for beat, heard_s in self._others.items() if now_s - heard_s > SILENCE_S]:
            del self._others[beat]
            log.info("replica_lost", origin=int(beat, 16))
            assert self._listener is not None
            self._listener.replica_lost(WriterId(int(beat, 16)))

    def _receive(self, envelope: bytes) -> None:
        if is_from(envelope, self._writer):
            return
        try:
            sender, frame = decode(envelope, key=self._key)
        except ProtocolError as error:
            self.metrics.relay_frames_refused.inc()
            if not self._refused_any:  # once until the next reconnect, so that forged frames cannot fill the log
                self._refused_any = True
                log.warning("relay_frame_refused", reason=str(error))
            return
        self._hear_other(_beat(sender))
        if frame.document in self._channels:
            self.metrics.relay_frames_received.inc()
            assert self._listener is not None
            self._listener.relayed(frame)

    def _confirm(self, channel: bytes) -> None:
        self._confirmed.add(channel)
        if channel == self._beat_channel:
            self._is_subscribed.set()
        elif (awaited := self._awaited.get(channel)) is not None:
            if not awaited.done():
                awaited.set_result(None)
        elif self._up:
            # ``subscribe`` gave up waiting, and the room was loaded: frames since then were lost.
            self._interrupted()

    async def _sync_subscriptions(self, subscriber: AbstractConnection) -> None:
        """Keep the subscriptions in Redis equal to the documents that are open here."""
        subscribed: set[bytes] = set()
        while True:
            self._channels_changed.clear()
            # The first time, all in one command: once the heartbeat is heard, every document is.
            open_channels = {self._beat_channel, *self._channels.values()}
            gone, new = subscribed - open_channels, open_channels - subscribed
            subscribed = open_channels
            self._confirmed -= gone
            if gone:
                await subscriber.send_command("UNSUBSCRIBE", *gone)
            if new:
                await subscriber.send_command("SUBSCRIBE", *new)
            await self._channels_changed.wait()

    # --- publishing -----------------------------------------------------------------------------------

    async def _publish_all(self, publisher: AbstractConnection) -> None:
        """Publish the queue in batches, and the heartbeat."""
        loop = asyncio.get_running_loop()
        await self._is_subscribed.wait()
        next_beat_s = loop.time()
        while True:
            batch = self._take_batch()
            frames = len(batch)
            if loop.time() >= next_beat_s:
                next_beat_s = loop.time() + BEAT_S
                batch.append((self._beat_channel, self._beat))
            if batch:
                await _publish(publisher, batch)
            self.metrics.relay_frames_published.inc(frames)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_beat_s):
                    await self._queue_filled.wait()

    def _take_batch(self) -> list[_Message]:
        batch: list[_Message] = []
        while self._queue and len(batch) < BATCH_FRAMES_MAX:
            batch.append(self._queue.popleft())
            self._queue_bytes -= len(batch[-1][1])
        if not self._queue:
            self._queue_filled.clear()
        return batch

    def _drop_queue(self) -> None:
        self.metrics.relay_frames_dropped.inc(len(self._queue))
        self._queue.clear()
        self._queue_bytes = 0
        self._queue_filled.clear()

    def _channel(self, document: DocumentName) -> bytes:
        return f"{self._prefix}:doc:{hashlib.sha256(document.encode()).hexdigest()}".encode()


def _beat(writer: WriterId) -> bytes:
    return f"{writer:016x}".encode()


async def _publish(publisher: AbstractConnection, batch: list[_Message]) -> None:
    """Publish a batch with one write, then read an answer for each message."""
    async with asyncio.timeout(ANSWER_S):
        commands = publisher.pack_commands([("PUBLISH", channel, payload) for channel, payload in batch])
        await publisher.send_packed_command(commands, check_health=False)
        for _ in batch:
            await publisher.read_response()
