"""What one connection did: one log line and a few metrics when it has ended.

They tell an operator why people were disconnected. They hold sizes and numbers only, never content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from collab.ids import DocumentName, UserId
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics

log = get_logger("connection")


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a connection, in the words of ``api.close_codes``: only there a close code has a meaning.

    ``label``: the code as a label of the metrics. ``reason``: the slug of our error, or what the peer did: ``left``,
    ``lost`` or ``closed``.
    """

    code: int
    label: str
    by: Literal["peer", "server"]
    reason: str


class ConnectionStats:
    """The statistics of one connection. Frames and bytes are counted by the connection itself."""

    __slots__ = (
        "_began_s",
        "_clock",
        "_dialect",
        "_document",
        "_documents",
        "_metrics",
        "_user",
        "bytes_in",
        "bytes_out",
        "frames_in",
        "frames_out",
    )

    def __init__(self, dialect: str, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._dialect = dialect
        self._metrics = metrics
        self._clock = clock
        self._began_s = clock()
        self._document: DocumentName | None = None
        self._documents = 0
        self._user: UserId | None = None
        self.frames_in = self.bytes_in = 0
        self.frames_out = self.bytes_out = 0

    def accepted(self) -> None:
        """Count the socket as open."""
        self._metrics.sockets_accepted.labels(self._dialect).inc()
        self._metrics.sockets.labels(self._dialect).inc()

    def set_context(self, document: DocumentName | None, user: UserId | None) -> None:
        """Note a document of this connection, and its user."""
        if document is not None:
            self._document = document
            self._documents += 1
        self._user = user

    def ended(self, ending: Ending) -> None:
        """Count the socket as closed, and log how it ended."""
        self._metrics.sockets.labels(self._dialect).dec()
        self._metrics.sockets_closed.labels(self._dialect, ending.label, ending.by).inc()
        log.info(
            "socket_closed",
            dialect=self._dialect,
            code=ending.code,
            by=ending.by,
            reason=ending.reason,
            document=self._document if self._documents == 1 else None,
            documents=self._documents,
            user=self._user,
            duration_s=round(self._clock() - self._began_s, 3),
            frames_in=self.frames_in,
            bytes_in=self.bytes_in,
            frames_out=self.frames_out,
            bytes_out=self.bytes_out,
        )
