"""The frames of long answers, kept for a moment, since the next client that joins is often told the same.

A room answers many clients with the same bytes (``crdt/shared_diffs``). Framed once, a document that five hundred
clients open takes its size in memory once, however slowly they read.
"""

from collab.protocol.messages import FromServer, SyncStep2
from collab.serve.sink import EncodedMessage

LONG_BYTES = 4096
"""Shorter answers are framed each time."""

MESSAGES_MAX = 4


class SharedFrames:
    """The long answers of one room."""

    def __init__(self) -> None:
        self._kept: list[EncodedMessage] = []

    def encoded(self, message: FromServer) -> EncodedMessage:
        """Return the message with its frames: those of an earlier message if it has the same bytes object."""
        if not isinstance(message, SyncStep2) or len(message.update) < LONG_BYTES:
            return EncodedMessage(message)
        for each in self._kept:
            if isinstance(each.message, SyncStep2) and each.message.update is message.update:
                return each
        encoded = EncodedMessage(message)
        self._kept = [*self._kept, encoded][-MESSAGES_MAX:]
        return encoded

    def forget(self) -> None:
        """Forget them all: called once a second, so that they take no memory when nobody joins."""
        self._kept.clear()
