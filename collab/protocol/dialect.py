"""What the shell needs of a wire framing, whichever it is.

``ywebsocket.YWebsocket`` and ``hocuspocus.Hocuspocus`` are the two dialects. One WebSocket frame holds
exactly one message, always binary.
"""

from typing import NamedTuple, Protocol

from collab.protocol.messages import FromClient, FromServer


class Frame(NamedTuple):
    """One decoded frame. ``address``: which document on this socket ("" in y-websocket, whose URL tells)."""

    address: str
    message: FromClient


class Dialect(Protocol):
    """Bytes of one wire framing ↔ messages. Stateless: one instance serves every socket."""

    name: str

    def decode(self, frame: bytes) -> Frame:
        """Raises ProtocolError when the bytes are no frame of this dialect."""

    def encode(self, message: FromServer, address: str = "") -> bytes | None:
        """The frame, or None where this dialect has no words for the message."""
