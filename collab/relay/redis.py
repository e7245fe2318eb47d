"""The relay over Redis pub/sub.

Each open document has a channel of its own, so that Redis does the filtering. The channel's name is a hash, so that the
document's name cannot be a pattern. All replicas share one channel for heartbeats. A ``Link`` is one connection; here
is what outlives it: the open documents, what is known of the other replicas, and the next try.
"""

import asyncio
import hashlib
import re

from collab.backoff import Backoff
from collab.errors import ProtocolError
from collab.ids import DocumentName, WriterId
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.relay.base import Listener, PresenceFrame, RelayFrame, RowFrame, SharingFrame
from collab.relay.envelope import decode, encode, is_from
from collab.relay.link import SILENCE_S, Link, LinkState
from collab.relay.neighbours import Neighbours
from collab.relay.redis_server import RedisServer

log = get_logger("relay")

RETRY_S_MIN, RETRY_S_MAX = 0.05, 2.0

FRAME_BYTES_MAX = 1024 * 1024
"""Larger rows are not sent, and the other replicas read them from the store: Redis drops subscribers for less."""

_BEAT = re.compile(rb"[0-9a-f]{16}")


class RedisRelay:
    """The relay of one replica. ``key`` seals frames and is the same on every replica; ``writer`` is this replica.

    Raises InvalidRequest when ``url`` is not a Redis URL.
    """

    def __init__(
        self, url: str, *, key: bytes, writer: WriterId, prefix: str = "collab", metrics: Metrics | None = None
    ) -> None:
        self._server = RedisServer(url)
        self._key = key
        self._writer = writer
        self._prefix = prefix
        self._others = Neighbours()
        self.metrics = metrics or Metrics()
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        self._logged_down = False
        self._refused_any = False
        self._channels: dict[DocumentName, bytes] = {}

    @property
    def up(self) -> bool:
        """True if this replica has heard its own heartbeat through Redis within the last seconds."""
        return self._link is not None and self._link.state is LinkState.UP

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
        if self._link is not None and self._link.subscriber is not None:
            self._link.subscriber.add([channel])
            await self._link.subscriber.confirmed(channel)

    async def unsubscribe(self, document: DocumentName) -> None:
        """Unsubscribe: here at once, in Redis a moment later."""
        channel = self._channels.pop(document, None)
        if channel is not None and self._link is not None and self._link.subscriber is not None:
            self._link.subscriber.remove(channel)

    def publish(self, frame: RelayFrame) -> None:
        """Publish a frame. It is dropped when Redis is away or it is too large; a full queue is dropped as a whole.

        Replicas that miss a row find it in the store.
        """
        publisher = None if self._link is None else self._link.publisher
        size = _payload_bytes(frame)
        if publisher is None or size > FRAME_BYTES_MAX:
            self.metrics.relay_frames_dropped.inc()
            return
        if not publisher.has_space(size):
            log.warning("relay_queue_full", dropped=publisher.drop())
            self.may_have_missed()
        channel = self._channels.get(frame.document) or self._channel(frame.document)
        publisher.put(channel, encode(frame, sender=self._writer, key=self._key))

    # --- the link -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._link = Link(
                self._server, self, beat_channel=self._beat_channel, beat=b"%016x" % self._writer, metrics=self.metrics
            )
            try:
                await self._link.run(self._channels.values())
            except OSError as lost:
                self._log_down(lost)
            except Exception:
                log.exception("relay_crashed")
            await asyncio.sleep(self._backoff.next_s())

    def _log_down(self, error: OSError) -> None:
        """Log an outage once."""
        if not self._logged_down:
            self._logged_down = True
            log.warning("relay_down", error=str(error) or "no answer in time")

    def came_up(self) -> None:
        """Tell that frames arrive again, and were lost before."""
        self._logged_down = self._refused_any = False
        self._backoff.reset()
        self._others.give_time(self._now_s())
        log.info("relay_up")
        self.may_have_missed()

    def went_down(self) -> None:
        """Tell that frames do not arrive any more."""
        if self._task is not None:  # not when the relay is being closed
            self.may_have_missed()

    def may_have_missed(self) -> None:
        """Tell that frames may have been lost."""
        self.metrics.relay_interruptions.inc()
        assert self._listener is not None
        self._listener.interrupted()

    # --- what it brings -----------------------------------------------------------------------------

    def heard(self, message: bytes) -> None:
        """Open an envelope and hand on its frame."""
        if is_from(message, self._writer):
            return
        try:
            sender, frame = decode(message, key=self._key)
        except ProtocolError as error:
            self._refuse(error)
            return
        self._others.hear(sender, self._now_s())
        if frame.document in self._channels:
            self.metrics.relay_frames_received.inc()
            assert self._listener is not None
            self._listener.relayed(frame)

    def _refuse(self, error: ProtocolError) -> None:
        self.metrics.relay_frames_refused.inc()
        if not self._refused_any:  # once until the next reconnect, so that forged frames cannot fill the log
            self._refused_any = True
            log.warning("relay_frame_refused", reason=str(error))

    def heard_beat(self, beat: bytes) -> None:
        """Take note of another replica."""
        if _BEAT.fullmatch(beat):
            self._others.hear(WriterId(int(beat, 16)), self._now_s())

    def heard_itself(self) -> None:
        """Report the replicas that have fallen silent. This one hears itself, so the fault is not on its side."""
        for writer in self._others.take_silent(self._now_s() - SILENCE_S):
            log.info("replica_lost", origin=writer)
            assert self._listener is not None
            self._listener.replica_lost(writer)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    # --- names --------------------------------------------------------------------------------------

    @property
    def _beat_channel(self) -> bytes:
        return f"{self._prefix}:beats".encode()

    def _channel(self, document: DocumentName) -> bytes:
        return f"{self._prefix}:doc:{hashlib.sha256(document.encode()).hexdigest()}".encode()


def _payload_bytes(frame: RelayFrame) -> int:
    match frame:
        case RowFrame():
            return len(frame.row.payload)
        case PresenceFrame():
            return len(frame.payload)
        case SharingFrame():
            return 0
