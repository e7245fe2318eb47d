"""The relay over Redis pub/sub.

Pub/sub forgets: a subscriber that was away for a moment has lost what was said meanwhile, and redis-py's own
``PubSub`` connects anew without a word. So this module holds two plain connections, one to listen and one to
speak, as *one life*: when either fails, or the replica does not hear its own heartbeat, both are dropped, a
new life begins, everything is subscribed again, and the listener is told that frames may have been lost. A
server that hangs is found by the heartbeat alone, since its sockets stay open. All replicas beat on one channel, so
each also knows which others are there, and tells when one falls silent.

Each open document has its own channel, so Redis does the filtering; a channel's name is a hash, so a
document's name can be no pattern. Nobody here ever waits for Redis but this module's own tasks.
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
"""A replica says that it is there this often …"""

SILENCE_S = 3.0
"""… and takes the connection for dead when it has not heard itself for so long, and another replica for lost."""

ANSWER_S = 1.0
"""How long Redis may take to connect, to answer, or to confirm a subscription that somebody waits for."""

RETRY_S_MIN, RETRY_S_MAX = 0.05, 2.0

QUEUE_FRAMES_MAX = 10_000
QUEUE_BYTES_MAX = 8 * 1024 * 1024
FRAME_BYTES_MAX = 1024 * 1024
"""A larger row is left to the other replicas' next look at the store: Redis drops subscribers for less."""

REPLICAS_MAX = 1_000

BATCH_FRAMES_MAX = 500
READ_BURST = 100
"""Messages that may lie ready and be handled in a row before others get their turn."""

_FAILURES = (RedisError, OSError)
"""What losing Redis looks like; TimeoutError is an OSError."""

_OPTIONS = {
    "protocol": 2,
    "retry": Retry(NoBackoff(), 0),
    "socket_timeout": ANSWER_S,
    "socket_connect_timeout": ANSWER_S,
    "driver_info": None,
}
"""Of every connection, whatever the URL says: it fails at once, and this module decides what then."""

_BEAT = re.compile(rb"[0-9a-f]{16}")

_Message = tuple[bytes, bytes]
"""A channel and what is said on it."""


class RedisRelay:
    """One replica's end. ``key`` seals frames and is the same on every replica; ``writer`` is this replica.

    Raises InvalidRequest when ``url`` is no Redis URL.
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
        """Other replicas by their beat, and when it was last heard, in the loop's seconds."""
        self.metrics = metrics or Metrics()
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = False
        self._told_down = False
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        self._channels: dict[DocumentName, bytes] = {}
        self._channels_changed = asyncio.Event()
        self._queue: deque[_Message] = deque()
        self._queue_bytes = 0
        self._queue_filled = asyncio.Event()
        # Of the present life:
        self._is_alive = False
        self._hears = asyncio.Event()
        self._confirmed: set[bytes] = set()
        self._awaited: dict[bytes, asyncio.Future[None]] = {}
        self._refused_any = False

    @property
    def up(self) -> bool:
        """Whether this replica has heard itself through Redis within the last seconds."""
        return self._up

    async def open(self, listener: Listener) -> None:
        """Start to connect, and to connect anew for ever."""
        assert self._task is None
        self._listener = listener
        self._task = asyncio.create_task(self._run(), name="relay")

    async def close(self) -> None:
        """Hang up. What is still queued is lost, as anything here may be."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def subscribe(self, document: DocumentName) -> None:
        """Returns when Redis has confirmed it, or when Redis is away or too slow to wait for."""
        channel = self._channels[document] = self._channel(document)
        self._channels_changed.set()
        if self._is_alive and channel not in self._confirmed:
            confirmed = self._awaited.setdefault(channel, asyncio.get_running_loop().create_future())
            try:
                await asyncio.wait([confirmed], timeout=ANSWER_S)
            finally:
                self._awaited.pop(channel, None)

    async def unsubscribe(self, document: DocumentName) -> None:
        """Takes effect at once here, and in Redis when it gets there."""
        self._channels.pop(document, None)
        self._channels_changed.set()

    def publish(self, frame: RelayFrame) -> None:
        """Queue it. Dropped when nobody could hear it, when it is too large, or with all others when too many wait.

        Whoever misses it finds the row in the store.
        """
        size = len(frame.row.payload) if isinstance(frame, RowFrame) else len(frame.payload)
        if not self._is_alive or size > FRAME_BYTES_MAX:
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

    # --- lives ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._live()
            except _FAILURES as lost:
                self._tell_down(lost)
            except Exception:
                log.exception("relay_crashed")
            await asyncio.sleep(self._backoff.next_s())

    async def _live(self) -> None:
        """From connecting to the first thing that fails, which is raised."""
        listening, speaking = self._connection(), self._connection()
        tasks: list[asyncio.Task[None]] = []
        try:
            await listening.connect()  # type: ignore[no-untyped-call]
            await speaking.connect()  # type: ignore[no-untyped-call]
            self._is_alive = True
            # No TaskGroup: one that is cancelled while it fails tells of the failure only, and we would live on.
            tasks += [
                asyncio.create_task(self._listen(listening), name="relay-listen"),
                asyncio.create_task(self._follow(listening), name="relay-follow"),
                asyncio.create_task(self._speak(speaking), name="relay-speak"),
            ]
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._end_of_life()
            # With an end: redis-py waits no longer for a connection to close than for one to open.
            await asyncio.gather(*tasks, listening.disconnect(), speaking.disconnect(), return_exceptions=True)

    def _connection(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection

    def _came_up(self) -> None:
        if not self._up:
            self._up = True
            self._told_down = False
            self._backoff.reset()
            # While this replica was deaf it could not hear them: they have the time of a silence to be heard again.
            self._others = dict.fromkeys(self._others, asyncio.get_running_loop().time())
            log.info("relay_up")
            self._interrupted()

    def _end_of_life(self) -> None:
        self._is_alive = self._refused_any = False
        self._hears.clear()
        self._confirmed.clear()
        self._drop_queue()
        for confirmed in self._awaited.values():
            if not confirmed.done():
                confirmed.set_result(None)  # nobody shall wait for a life that is over
        was_up, self._up = self._up, False
        if was_up and self._task is not None:  # not when it was closed
            self._interrupted()

    def _tell_down(self, error: BaseException) -> None:
        """Once an outage."""
        if not self._told_down:
            self._told_down = True
            log.warning("relay_down", error=str(error) or "no answer in time")

    def _interrupted(self) -> None:
        self.metrics.relay_interruptions.inc()
        assert self._listener is not None
        self._listener.interrupted()

    # --- listening ------------------------------------------------------------------------------------

    async def _listen(self, listening: AbstractConnection) -> None:
        """Hand on what comes. Ends when the connection does, or when the own heartbeat stays away."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENCE_S) as silence:
            while True:
                for _ in range(READ_BURST):
                    match await listening.read_response(timeout=math.inf):
                        case [b"message", self._beat_channel, self._beat]:
                            silence.reschedule(loop.time() + SILENCE_S)
                            self._came_up()
                            self._miss_others(loop.time())
                        case [b"message", self._beat_channel, bytes(beat)]:
                            self._hear_other(beat)
                        case [b"message", _, bytes(envelope)]:
                            self._receive(envelope)
                        case [b"subscribe", bytes(channel), _]:
                            self._confirm(channel)
                await asyncio.sleep(0)

    def _hear_other(self, beat: bytes) -> None:
        """Another replica is there. Whoever may write to Redis shall not fill our memory."""
        if beat in self._others or (len(self._others) < REPLICAS_MAX and _BEAT.fullmatch(beat)):
            self._others[beat] = asyncio.get_running_loop().time()

    def _miss_others(self, now_s: float) -> None:
        """This replica hears itself: whoever it does not hear is not there."""
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
            if not self._refused_any:  # once a life: whoever may write to Redis shall not fill our log
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
            self._hears.set()
        elif (awaited := self._awaited.get(channel)) is not None:
            if not awaited.done():
                awaited.set_result(None)
        elif self._up:
            # Nobody waits for it any more: the room was loaded before frames came.
            self._interrupted()

    async def _follow(self, listening: AbstractConnection) -> None:
        """Keep what Redis delivers the same as what is open here."""
        told: set[bytes] = set()
        while True:
            self._channels_changed.clear()
            # The first time all in one command: who hears the heartbeat then hears every document.
            wanted = {self._beat_channel, *self._channels.values()}
            gone, new = told - wanted, wanted - told
            told = wanted
            self._confirmed -= gone
            if gone:
                await listening.send_command("UNSUBSCRIBE", *gone)
            if new:
                await listening.send_command("SUBSCRIBE", *new)
            await self._channels_changed.wait()

    # --- speaking -------------------------------------------------------------------------------------

    async def _speak(self, speaking: AbstractConnection) -> None:
        """Publish what is queued, all that waits at once, and the heartbeat."""
        loop = asyncio.get_running_loop()
        await self._hears.wait()
        next_beat_s = loop.time()
        while True:
            batch = self._take_batch()
            frames = len(batch)
            if loop.time() >= next_beat_s:
                next_beat_s = loop.time() + BEAT_S
                batch.append((self._beat_channel, self._beat))
            if batch:
                await _publish(speaking, batch)
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


async def _publish(speaking: AbstractConnection, batch: list[_Message]) -> None:
    """One write for all, then one answer for each."""
    async with asyncio.timeout(ANSWER_S):
        commands = speaking.pack_commands([("PUBLISH", channel, said) for channel, said in batch])
        await speaking.send_packed_command(commands, check_health=False)
        for _ in batch:
            await speaking.read_response()
