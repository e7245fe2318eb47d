"""Where a session's messages go: to a socket, or to a REST request that waits for its answer."""

from typing import Protocol

from collab.errors import CollabError
from collab.protocol.dialect import Dialect
from collab.protocol.hocuspocus import SESSION_SEPARATOR
from collab.protocol.messages import FromServer
from collab.protocol.websocket import Frame


class EncodedMessage:
    """One message for many sessions, encoded once for each dialect and address.

    The frame for a single session's address is of use to nobody else, and is not kept: a long answer is kept for a
    while (``shared_frames``).
    """

    __slots__ = ("_frames", "message")

    def __init__(self, message: FromServer) -> None:
        self.message = message
        self._frames: dict[tuple[str, str], Frame | None] = {}

    def frame(self, dialect: Dialect, address: str) -> Frame | None:
        """Return the frame for this dialect, or None where it has no words for the message."""
        key = (dialect.name, address)
        if key in self._frames:
            return self._frames[key]
        payload = dialect.encode(self.message, address)
        frame = None if payload is None else Frame(payload)
        if SESSION_SEPARATOR not in address:
            self._frames[key] = frame
        return frame


class Sink(Protocol):
    """The far side of one session. Both calls only take note: they never block and never raise."""

    dialect: str
    """How it speaks: one of ``observe.metrics.DIALECTS``."""

    def send(self, message: EncodedMessage) -> None:
        """Queue a message."""

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session."""
