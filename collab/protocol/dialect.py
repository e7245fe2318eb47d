"""The interface of a wire framing.

``ywebsocket.YWebsocket`` and ``hocuspocus.Hocuspocus`` are the two dialects. One WebSocket frame is binary and holds
exactly one message.
"""

from typing import NamedTuple, Protocol

from collab.protocol.messages import FromClient, FromServer


class Frame(NamedTuple):
    """One decoded frame. ``address`` names the document on this socket; it is "" in y-websocket, where the URL does."""

    address: str
    message: FromClient


class Dialect(Protocol):
    """Translates between messages and the bytes of one framing. It has no state: one instance serves every socket."""

    name: str

    def decode(self, frame: bytes) -> Frame:
        """Return the message in a frame. Raises ProtocolError for bytes that are no frame of this dialect."""

    def encode(self, message: FromServer, address: str = "") -> bytes | None:
        """Return the frame, or None if this dialect cannot express the message."""
