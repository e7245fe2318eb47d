"""A WebSocket as the server sees it, and what it tells the connection that uses it.

``api.websocket`` implements it on a transport of the event loop, ``api.asgi_socket`` on any ASGI server.
"""

from typing import Protocol

from collab.errors import CollabError
from collab.protocol.websocket import Frame
from collab.serve.connection_stats import Ending


class SocketClosed(Exception):
    """The peer, the network or our transport has closed the socket."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__(f"{ending.code} {ending.reason}")

    @property
    def clean(self) -> bool:
        """True if the client meant it: a closed tab, not a lost network."""
        return self.ending.reason == "left"


class Receiver(Protocol):
    """What a socket tells its connection. No call raises, and none comes inside a call of the socket's own methods."""

    def received(self, message: bytes) -> None:
        """Take a binary message."""

    def received_text(self) -> None:
        """Take note of a text message; its content is dropped."""

    def received_oversized(self, head: bytes) -> None:
        """Take note of a message of more than ``message_bytes_max``. ``head`` is its beginning; the rest is dropped."""

    def congested(self) -> None:
        """Take note that the peer takes less than it is sent: what is written waits in memory."""

    def drained(self) -> None:
        """Take note that most of what waited has gone out."""

    def closed(self, closed: SocketClosed) -> None:
        """Take note that the socket is closed. This is the last call, after every message that was read."""


class Socket(Protocol):
    """A WebSocket that was accepted. It knows the close code of every error."""

    message_bytes_max: int
    """Size limit of one message. It may change at any time, and counts for messages that begin later."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes written and not yet given to the kernel."""

    @property
    def cancelled(self) -> Ending:
        """The end of a connection whose task was cancelled before it could be closed."""

    def attach(self, receiver: Receiver) -> None:
        """Begin to read, and pass everything to ``receiver``. Nothing is read before."""

    async def run(self) -> None:
        """Carry messages until the socket is closed, or return at once where the event loop does that by itself."""

    def write(self, frame: Frame) -> None:
        """Send a frame. It never blocks, and does nothing once the socket is closed."""

    def pause(self) -> None:
        """Pass no more messages to the receiver; what the peer sends stays in the kernel."""

    def resume(self) -> None:
        """Go on after ``pause``, from the next turn of the event loop on."""

    def close(self, error: CollabError | None) -> Ending:
        """Send a close frame behind everything written, and pass no more messages. ``closed`` follows, later."""

    def check_alive(self) -> None:
        """Send a ping, or drop the connection if the last one was not answered and the peer takes nothing."""
