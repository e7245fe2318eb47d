"""The framing of ``y-websocket``: one document on each socket, named by the URL.

Frame (integers are varUints)::

    0 sync message                            2 0 reason: permission denied, only from us
    1 awareness update (length-prefixed)      3 query awareness

It has no messages for a token, for "saved" or for "refused". Newer clients understand the echo of their own content
as "saved", so an update is echoed to its author, but only after its commit. Versions up to 3.1 read only the first
message of a frame. Source: y-websocket 1.5 to 3.1 and y-protocols 1.0; golden bytes in
``tests/vectors``.
"""

from typing import assert_never

from collab.protocol.awareness import decode_awareness, encode_awareness
from collab.protocol.dialect import Frame
from collab.protocol.messages import (
    Authenticated,
    AwarenessUpdate,
    Closed,
    Denied,
    FromClient,
    FromServer,
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    TokenWanted,
    Unknown,
    Update,
)
from collab.protocol.sync import read_sync, write_sync
from collab.protocol.varint import Reader, Writer

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = 0, 1, 2, 3
_PERMISSION_DENIED = 0

_KEYSTROKE = bytes((_SYNC, 2))
"""How an update begins. Nearly all frames are short updates, and are read and written without further ado."""
_SHORT_BYTES = 0x80
"""From here on a length has more than one byte."""


class YWebsocket:
    """The y-websocket dialect."""

    name = "y-websocket"

    def decode(self, frame: bytes) -> Frame:
        """Return the message in a frame. Raises ProtocolError for bytes that are no frame of this dialect."""
        if (update := _keystroke(frame)) is not None:
            return Frame("", update)
        reader = Reader(frame)
        type_ = reader.var_uint()
        message: FromClient
        match type_:
            case 0:
                message = read_sync(reader)
            case 1:
                message = AwarenessUpdate(decode_awareness(reader.var_bytes()))
            case 3:
                message = QueryAwareness()
            case _:
                return Frame("", Unknown(type_))
        reader.end()
        return Frame("", message)

    def encode(self, message: FromServer, address: str = "") -> bytes | None:
        """Return the frame, or None if this dialect cannot express the message."""
        if isinstance(message, Update | Saved) and 0 < len(message.update) < _SHORT_BYTES:
            return _KEYSTROKE + bytes((len(message.update),)) + message.update
        writer = Writer()
        match message:
            case SyncStep1() | SyncStep2() | Update():
                writer.byte(_SYNC)
                write_sync(writer, message)
            case Saved(update):
                if not update:
                    return None
                writer.byte(_SYNC)
                write_sync(writer, Update(update))
            case AwarenessUpdate(entries):
                writer.byte(_AWARENESS)
                writer.var_bytes(encode_awareness(entries))
            case Denied(reason):
                writer.byte(_AUTH)
                writer.byte(_PERMISSION_DENIED)
                writer.var_string(reason)
            case Authenticated() | TokenWanted() | Refused() | Closed() | Stateless():
                return None
            case _:
                assert_never(message)
        return writer.to_bytes()


def _keystroke(frame: bytes) -> Update | None:
    """Return the update if the frame is exactly one short update."""
    is_short = len(frame) > 3 and frame[2] < _SHORT_BYTES and frame[2] == len(frame) - 3
    return Update(frame[3:]) if is_short and frame.startswith(_KEYSTROKE) else None
