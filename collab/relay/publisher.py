"""What this replica publishes: everything of one turn of the loop goes out in one write.

Rooms that commit together publish in the same turn, and a system call costs more than all else on this path. While
Redis reads more slowly than that, messages wait here, up to a bound.
"""

import asyncio

from collab.observe.metrics import Metrics
from collab.relay.resp import RespConnection, command, refuse_error

QUEUE_FRAMES_MAX = 10_000
QUEUE_BYTES_MAX = 8 * 1024 * 1024


class Publisher:
    """The messages that wait to be published on one connection."""

    def __init__(self, connection: RespConnection, metrics: Metrics) -> None:
        self._connection = connection
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        connection.on_reply = refuse_error
        connection.on_writable = self._flush

    def has_space(self, size: int) -> bool:
        """Return True if a message of ``size`` bytes may be put."""
        return len(self._waiting) < QUEUE_FRAMES_MAX and self._waiting_bytes + size <= QUEUE_BYTES_MAX

    def put(self, channel: bytes, message: bytes) -> None:
        """Publish a message with those of the same turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(_PUBLISH % (len(channel), channel, len(message), message))
        self._waiting_bytes += len(message)

    def put_first(self, channel: bytes, message: bytes) -> None:
        """Publish a message before all that wait, and do not count it."""
        self._connection.write(command(b"PUBLISH", channel, message))

    def drop(self) -> int:
        """Drop what waits; return how many messages that were."""
        dropped = len(self._waiting)
        self._metrics.relay_frames_dropped.inc(dropped)
        self._waiting.clear()
        self._waiting_bytes = 0
        return dropped

    def _flush(self) -> None:
        if self._waiting and self._connection.is_writable:
            self._connection.write(b"".join(self._waiting))
            self._metrics.relay_frames_published.inc(len(self._waiting))
            self._waiting.clear()
            self._waiting_bytes = 0


_PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
