"""The framing of Hocuspocus: many documents on one socket, each frame with the address of its document.

Frame (integers are varUints, texts length-prefixed UTF-8)::

    frame   = address type body  |  0A alone, which answers a ping
    address = name | name NUL session         repeated unchanged in every answer
    0 sync message                            5 stateless: text
    1 awareness update (length-prefixed)      7 close: empty from a client, reason from us
    2 auth                                    8 sync status, only from us: 1 saved, 0 refused
    3 query awareness
    auth    = 0 token [client version]  |  from us: 0 alone (token wanted), 1 reason (denied), 2 scope

Providers of versions 2 and 3 throw on a type they do not know, so the server sends only these: no ping, and no
answer to messages between servers (4, 6). Source: @hocuspocus/provider 2.15 to 4.8 and common 4.7; golden
bytes in ``tests/vectors``.
"""

from typing import assert_never

from collab.errors import ProtocolError
from collab.protocol.awareness import decode_awareness, encode_awareness
from collab.protocol.dialect import Frame
from collab.protocol.limits import ADDRESS_CHARACTERS_MAX
from collab.protocol.messages import (
    Authenticate,
    Authenticated,
    AwarenessUpdate,
    Closed,
    Denied,
    FromClient,
    FromServer,
    Leave,
    Pong,
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

_SYNC, _AWARENESS, _AUTH, _STATELESS, _CLOSE, _SYNC_STATUS = 0, 1, 2, 5, 7, 8
_TOKEN, _PERMISSION_DENIED, _AUTHENTICATED = 0, 1, 2
_PONG = b"\x0a"

SESSION_SEPARATOR = "\0"
"""Between the document's name and a session id, in an address of a provider with session awareness."""


class Hocuspocus:
    """The Hocuspocus dialect."""

    name = "hocuspocus"

    def decode(self, frame: bytes) -> Frame:
        """Return the message in a frame. Raises ProtocolError for bytes that are no frame of this dialect."""
        if frame == _PONG:
            return Frame("", Pong())
        reader = Reader(frame)
        address = reader.var_string()
        if not address or len(address) > ADDRESS_CHARACTERS_MAX:
            raise ProtocolError("The message names no document.")
        type_ = reader.var_uint()
        message: FromClient
        match type_:
            case 0:
                message = read_sync(reader)
            case 1:
                message = AwarenessUpdate(decode_awareness(reader.var_bytes()))
            case 2:
                message = _read_auth(reader)
            case 3:
                message = QueryAwareness()
            case 5:
                message = Stateless(reader.var_string())
            case 7:
                message = Leave()
            case _:
                return Frame(address, Unknown(type_))
        reader.end()
        return Frame(address, message)

    def encode(self, message: FromServer, address: str = "") -> bytes:
        """Return the frame."""
        writer = Writer()
        writer.var_string(address)
        match message:
            case SyncStep1() | SyncStep2() | Update():
                writer.byte(_SYNC)
                write_sync(writer, message)
            case AwarenessUpdate(entries):
                writer.byte(_AWARENESS)
                writer.var_bytes(encode_awareness(entries))
            case Authenticated() | Denied() | TokenWanted():
                writer.byte(_AUTH)
                _write_auth(writer, message)
            case Stateless(payload):
                writer.byte(_STATELESS)
                writer.var_string(payload)
            case Closed(reason):
                writer.byte(_CLOSE)
                writer.var_string(reason)
            case Saved():
                writer.byte(_SYNC_STATUS)
                writer.byte(1)
            case Refused():
                writer.byte(_SYNC_STATUS)
                writer.byte(0)
            case _:
                assert_never(message)
        return writer.to_bytes()


def read_address(head: bytes) -> str:
    """Return the address at the beginning of a frame. Raises ProtocolError."""
    return Reader(head).var_string()


def _read_auth(reader: Reader) -> Authenticate:
    if reader.var_uint() != _TOKEN:
        raise ProtocolError("The authentication message has no token.")
    token = reader.var_string()
    return Authenticate(token, reader.var_string() if reader.remaining else None)


def _write_auth(writer: Writer, message: Authenticated | Denied | TokenWanted) -> None:
    match message:
        case TokenWanted():
            writer.byte(_TOKEN)
        case Denied(reason):
            writer.byte(_PERMISSION_DENIED)
            writer.var_string(reason)
        case Authenticated(can_write):
            writer.byte(_AUTHENTICATED)
            writer.var_string("read-write" if can_write else "readonly")
