"""The frames of both dialects, as the clients of the tests write and read them.

Only tests of the codec itself have frames of their own: ``tests/protocol`` compares it with recorded ones.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from collab.protocol.varint import Reader, Writer

SYNC, AWARENESS, AUTH, QUERY_AWARENESS, STATELESS, CLOSE, SYNC_STATUS = 0, 1, 2, 3, 5, 7, 8
"""Types of frames. The last three exist in Hocuspocus only."""
STEP1, STEP2, UPDATE = 0, 1, 2
"""Kinds of sync frames."""
TOKEN, DENIED, AUTHENTICATED = 0, 1, 2
"""Kinds of Hocuspocus' auth frames. A y-websocket server has the kind 0 for a denial."""

DialectName = Literal["y-websocket", "hocuspocus"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the server."""

    type: int
    kind: int | None
    """For sync frames, auth frames and sync statuses."""
    payload: bytes


def encode_frame(type_: int, kind: int | None = None, payload: bytes | None = None, *, document: str = "") -> bytes:
    """Return a frame, with its address if it is for a ``document`` of Hocuspocus."""
    writer = Writer()
    if document:
        writer.var_string(document)
    writer.var_uint(type_)
    if kind is not None:
        writer.var_uint(kind)
    if payload is not None:
        writer.var_bytes(payload)
    return writer.to_bytes()


def decode_frame(frame: bytes, *, document: str = "") -> Frame:
    """Return what a frame of the server holds. It must be for ``document`` if that is given."""
    reader = Reader(frame)
    if document:
        assert reader.var_string() == document
    type_ = reader.var_uint()
    kind = reader.var_uint() if type_ in (SYNC, AUTH, SYNC_STATUS) else None
    return Frame(type_, kind, reader.var_bytes() if reader.remaining else b"")


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """One frame of the server, as far as a client that edits needs to understand it."""

    sync: int | None = None
    """STEP1, STEP2 or UPDATE, with its ``payload``."""
    payload: bytes = b""
    saved: bool | None = None
    """The server's answer to one update: True if it is committed, False if it is refused."""


class FrameCodec(Protocol):
    """How the client of one dialect writes its frames and reads the server's."""

    def greeting(self) -> list[bytes]:
        """Return the frames that the client sends before any other."""

    def sync(self, kind: int, payload: bytes) -> bytes:
        """Return the frame of a sync message."""

    def read(self, frame: bytes) -> ServerMessage:
        """Return the message in a frame. Raises AssertionError if the server denies access."""


class YWebsocketCodec:
    """Frames without an address. An update that comes back to its author is committed."""

    def greeting(self) -> list[bytes]:
        """Return nothing: the token is in the URL."""
        return []

    def sync(self, kind: int, payload: bytes) -> bytes:
        """Return the frame of a sync message."""
        return encode_frame(SYNC, kind, payload)

    def read(self, frame: bytes) -> ServerMessage:
        """Return the message in a frame."""
        read = decode_frame(frame)
        assert read.type != AUTH, f"denied: {frame!r}"
        return ServerMessage(read.kind, read.payload) if read.type == SYNC else ServerMessage()


class HocuspocusCodec:
    """Frames that begin with the name of their document. A sync status answers each update."""

    def __init__(self, document: str, token: str) -> None:
        self._document = document
        self._token = token

    def greeting(self) -> list[bytes]:
        """Return the frame with the token."""
        return [encode_frame(AUTH, TOKEN, self._token.encode(), document=self._document)]

    def sync(self, kind: int, payload: bytes) -> bytes:
        """Return the frame of a sync message."""
        return encode_frame(SYNC, kind, payload, document=self._document)

    def read(self, frame: bytes) -> ServerMessage:
        """Return the message in a frame."""
        read = decode_frame(frame, document=self._document)
        assert read.type != AUTH or read.kind == AUTHENTICATED, f"denied: {frame!r}"
        match read.type:
            case 0:
                return ServerMessage(read.kind, read.payload)
            case 8:
                return ServerMessage(saved=read.kind == 1)
        return ServerMessage()
