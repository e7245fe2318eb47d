"""Where a session's messages go: to a socket, or to a REST request that waits for its answer."""

from typing import Protocol

from collab.errors import CollabError
from collab.protocol.dialect import Dialect
from collab.protocol.messages import FromServer


class EncodedMessage:
    """One message for many sessions, encoded once for each dialect and address."""

    __slots__ = ("_frames", "message")

    def __init__(self, message: FromServer) -> None:
        self.message = message
        self._frames: dict[tuple[str, str], bytes | None] = {}

    def frame(self, dialect: Dialect, address: str) -> bytes | None:
        """Return the bytes for this dialect, or None where it has no words for the message."""
        key = (dialect.name, address)
        if key not in self._frames:
            self._frames[key] = dialect.encode(self.message, address)
        return self._frames[key]


class Sink(Protocol):
    """The far side of one session. Both calls only take note: they never block and never raise."""

    dialect: str
    """How it speaks: one of ``observe.metrics.DIALECTS``."""

    def send(self, message: EncodedMessage) -> None:
        """Queue a message."""

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session."""
