"""WebSocket frames (RFC 6455), server side: bytes in, one event at a time; messages out, as bytes.

Everything a client sends passes here first, so what a frame may cost is decided at its head: a message beyond the
limit is skipped without being kept, and every call of ``next_event`` reads one frame at most, so that the caller can
stop at any of them. No extension is spoken: a frame is then the same for every receiver, and is encoded once.
"""

import codecs
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, TypeAlias

try:
    from websockets.speedups import apply_mask
except ImportError:  # no wheel for this platform
    from websockets.utils import apply_mask

HEAD_BYTES_MAX = 1024
"""How much of an oversized message is kept: enough to see whom it is for."""

CONTROL_BYTES_MAX = 125
REASON_BYTES_MAX = 123
"""Bytes of reason that a close frame can hold."""


class Opcode(IntEnum):
    """The types of frames. All others are reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """The codes that this module uses itself."""

    PROTOCOL_ERROR = 1002
    NO_CODE = 1005
    INVALID_TEXT = 1007


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text message."""

    text: str


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message beyond the limit has begun with ``head``. The rest of it is skipped."""

    head: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with a pong of the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping, or a sign of life that nobody asked for."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer closes, with ``NO_CODE`` if it gives no code. Nothing follows."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The peer has broken the protocol. Nothing can be read any more."""

    code: CloseCode
    reason: str


class Part(Enum):
    """A frame that is no event of its own."""

    PART = "part"
    """A part of a message, or of what is skipped."""


PART: Final = Part.PART

Event: TypeAlias = bytes | Text | Oversized | Ping | Pong | Close | Fault | Part
"""What one frame means. ``bytes`` are a whole binary message."""


class Skipping(Enum):
    """What becomes of the payloads of data frames."""

    NO = "no"
    TO_BE_TOLD = "to be told"
    """The message in progress is too large. Its head is still collected."""
    THIS_MESSAGE = "this message"
    ALL = "all"


_LAST = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_WHOLE_BINARY = _LAST | Opcode.BINARY
_SIZE_16, _SIZE_64 = 126, 127
_HEAD_BYTES = 6
"""Bytes of the head of a small masked frame."""
_NOWHERE = -1
"""Between two frames."""


class FrameReader:
    """The frames of one connection. Its memory: what ``feed`` was given, and the message in progress."""

    __slots__ = (
        "_at",
        "_control",
        "_data",
        "_decoder",
        "_is_last",
        "_kind",
        "_left",
        "_mask",
        "_message",
        "_opcode",
        "_skipping",
        "message_bytes_max",
    )

    def __init__(self, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        """May be changed at any time; it counts for the frames that begin afterwards."""
        self._data = b""
        self._at = 0
        self._left = _NOWHERE
        """Bytes of the frame in progress that have not arrived."""
        self._opcode = 0
        self._is_last = True
        self._mask = b""
        """The mask, turned so that it begins with the next byte."""
        self._kind = Opcode.CONTINUATION
        """TEXT or BINARY while a message is in progress."""
        self._message: bytearray | None = None
        """What has arrived of the message in progress. Empty parts add nothing to it."""
        self._decoder: codecs.IncrementalDecoder | None = None
        """Checks the text message in progress."""
        self._control = b""
        self._skipping = Skipping.NO

    def feed(self, data: bytes) -> None:
        """Take bytes from the network. Call ``next_event`` until it returns None."""
        if self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data, self._at = data, 0

    def read_whole(self, data: bytes) -> bytes | None:
        """Return the message if ``data``, and all that waits, is one small binary frame. Else take no bytes.

        It does what ``feed`` and ``next_event`` would do, in a few operations, for what clients send most.
        """
        if (
            len(data) < _HEAD_BYTES
            or data[0] != _WHOLE_BINARY
            or data[1] != len(data) - _HEAD_BYTES + _MASKED
            or len(data) > CONTROL_BYTES_MAX + _HEAD_BYTES
            or self._data
            or self._left != _NOWHERE
            or self._kind
            or len(data) - _HEAD_BYTES > self.message_bytes_max
            or self._skipping is Skipping.ALL
        ):
            return None
        return apply_mask(data[_HEAD_BYTES:], data[2:_HEAD_BYTES])

    @property
    def has_data(self) -> bool:
        """True if bytes wait that ``next_event`` has not looked at."""
        return self._at < len(self._data)

    def skip_messages(self) -> None:
        """Read on, but drop the payload of every data frame: only the peer's close frame is of interest."""
        self._skipping = Skipping.ALL
        self._message = self._decoder = None

    def drop(self) -> None:
        """Let go of everything that waits, and of the message in progress: the connection has ended."""
        self._data, self._at, self._message, self._decoder = b"", 0, None, None

    def next_event(self) -> Event | None:
        """Return what the next frame means, or None if more bytes are needed for it."""
        if self._left == _NOWHERE:
            if not self._kind and (message := self._whole_message()) is not None:
                return message
            if (fault := self._begin()) is not None:
                return fault
            if self._left == _NOWHERE:
                self._forget_read()
                return None
        event = self._control_event() if self._opcode >= Opcode.CLOSE else self._data_event()
        if event is None:
            self._forget_read()
        return event

    def _forget_read(self) -> None:
        """Let go of what has been read: it may be a small part of a large read."""
        self._data, self._at = self._data[self._at :], 0

    def _whole_message(self) -> bytes | None:
        """Return the message if the next frame is a complete binary one, since almost all are."""
        data, at = self._data, self._at
        have = len(data) - at
        if have < _HEAD_BYTES or data[at] != _WHOLE_BINARY or self._skipping is not Skipping.NO:
            return None
        begin, size = at + _HEAD_BYTES, data[at + 1] - _MASKED
        if size == _SIZE_16 and have >= _HEAD_BYTES + 2:
            begin, size = begin + 2, data[at + 2] << 8 | data[at + 3]
        elif not 0 <= size < _SIZE_16:
            return None
        end = begin + size
        if size > self.message_bytes_max or end > len(data):
            return None
        self._at = end
        return apply_mask(data[begin:end], data[begin - 4 : begin])

    # --- the head of a frame ----------------------------------------------------------------------------

    def _begin(self) -> Fault | None:
        """Read the head of the next frame, if all of it has arrived."""
        data, at = self._data, self._at
        have = len(data) - at
        if have < 2:
            return None
        first, second = data[at], data[at + 1]
        if (reason := self._fault_of_head(first, second)) is not None:
            return self._fail(CloseCode.PROTOCOL_ERROR, reason)
        size = second & ~_MASKED
        size_bytes = {_SIZE_16: 2, _SIZE_64: 8}.get(size, 0)
        mask_at = at + 2 + size_bytes
        if len(data) < mask_at + 4:
            return None
        if size_bytes:
            size = int.from_bytes(data[at + 2 : mask_at])
            if size >> 63:
                return self._fail(CloseCode.PROTOCOL_ERROR, "A length has more than 63 bits.")
        self._at = mask_at + 4
        self._mask = data[mask_at : mask_at + 4]
        self._opcode, self._is_last = first & 0x0F, first >= _LAST
        self._left = size
        if self._opcode < Opcode.CLOSE:
            self._begin_data(size)
        return None

    def _fault_of_head(self, first: int, second: int) -> str | None:
        """Return what is wrong with the first two bytes of a frame."""
        opcode = first & 0x0F
        if first & _RESERVED:
            return "A reserved bit is set."
        if not second & _MASKED:
            return "A frame is not masked."
        if opcode >= Opcode.CLOSE:
            if opcode > Opcode.PONG:
                return "An opcode is reserved."
            if not first & _LAST or second & ~_MASKED > CONTROL_BYTES_MAX:
                return "A control frame is fragmented or too long."
        elif opcode > Opcode.BINARY:
            return "An opcode is reserved."
        elif opcode == Opcode.CONTINUATION and not self._kind:
            return "A continuation does not follow a fragment."
        elif opcode != Opcode.CONTINUATION and self._kind:
            return "A message begins before the last one has ended."
        return None

    def _begin_data(self, size: int) -> None:
        """Decide what becomes of the payload of a data frame."""
        if self._opcode != Opcode.CONTINUATION:
            self._kind = Opcode(self._opcode)
            if self._skipping is Skipping.NO and self._kind == Opcode.TEXT:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
        collected = 0 if self._message is None else len(self._message)
        if self._skipping is Skipping.NO and collected + size > self.message_bytes_max:
            self._skipping = Skipping.TO_BE_TOLD
            self._decoder = None

    def _fail(self, code: CloseCode, reason: str) -> Fault:
        """Read nothing any more."""
        self.drop()
        return Fault(code, reason)

    # --- its payload ------------------------------------------------------------------------------------

    def _take(self, size: int) -> bytes:
        """Return, unmasked, at most ``size`` bytes of the payload that have arrived."""
        data, begin = self._data, self._at
        piece = data[begin : begin + size]
        taken = len(piece)
        self._at = begin + taken
        self._left -= taken
        mask = self._mask
        if turned := taken & 3:
            self._mask = mask[turned:] + mask[:turned]
        return apply_mask(piece, mask)

    def _control_event(self) -> Event | None:
        self._control += self._take(self._left)
        if self._left:
            return None
        payload, self._control = self._control, b""
        self._left = _NOWHERE
        match self._opcode:
            case Opcode.PING:
                return Ping(payload)
            case Opcode.PONG:
                return Pong(payload)
        return self._close_event(payload)

    def _close_event(self, payload: bytes) -> Close | Fault:
        if not payload:
            return Close(CloseCode.NO_CODE, "")
        code = int.from_bytes(payload[:2])
        if len(payload) == 1 or not is_close_code(code):
            return self._fail(CloseCode.PROTOCOL_ERROR, "A close code is not valid.")
        try:
            return Close(code, payload[2:].decode())
        except UnicodeDecodeError:
            return self._fail(CloseCode.INVALID_TEXT, "A close reason is not UTF-8.")

    def _data_event(self) -> Event | None:
        if self._skipping is not Skipping.NO:
            return self._skip()
        piece = self._take(self._left)
        is_complete = not self._left and self._is_last
        if self._decoder is not None:
            try:
                self._decoder.decode(piece, final=is_complete)
            except UnicodeDecodeError:
                return self._fail(CloseCode.INVALID_TEXT, "A text message is not UTF-8.")
        if not is_complete or self._message is not None:
            if self._message is None:
                self._message = bytearray()
            self._message += piece
        return self._end_frame(piece)

    def _end_frame(self, piece: bytes) -> Event | None:
        """Return the message if it is complete. ``piece`` is all of it if none is collected."""
        if self._left:
            return None
        self._left = _NOWHERE
        if not self._is_last:
            return PART
        message = piece if self._message is None else bytes(self._message)
        kind, self._kind, self._message, self._decoder = self._kind, Opcode.CONTINUATION, None, None
        return message if kind == Opcode.BINARY else Text(message.decode())

    def _skip(self) -> Event | None:
        """Drop what has arrived of a payload, but tell of an oversized message once its head is there."""
        if self._skipping is Skipping.TO_BE_TOLD:
            return self._tell_oversized()
        dropped = min(self._left, len(self._data) - self._at)
        self._at += dropped
        self._left -= dropped
        if self._left:
            return None
        self._left = _NOWHERE
        if self._is_last:
            self._kind = Opcode.CONTINUATION
            if self._skipping is Skipping.THIS_MESSAGE:
                self._skipping = Skipping.NO
        return PART

    def _tell_oversized(self) -> Event | None:
        head = bytes((self._message or b"")[:HEAD_BYTES_MAX])
        head += self._take(min(self._left, HEAD_BYTES_MAX - len(head)))
        if self._left and len(head) < HEAD_BYTES_MAX:
            self._message = bytearray(head)
            return None
        self._message = None
        self._skipping = Skipping.THIS_MESSAGE
        return Oversized(head)


def is_close_code(code: int) -> bool:
    """True if a close frame may hold this code."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def encode_frame(opcode: Opcode, payload: bytes) -> bytes:
    """Return one unmasked frame that is a whole message, or a control frame."""
    size = len(payload)
    if size < _SIZE_16:
        return bytes((_LAST | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((_LAST | opcode, _SIZE_16, size >> 8, size & 0xFF)) + payload
    return bytes((_LAST | opcode, _SIZE_64)) + size.to_bytes(8) + payload


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a close frame. A reason that is too long is cut."""
    if code == CloseCode.NO_CODE:
        return encode_frame(Opcode.CLOSE, b"")
    return encode_frame(Opcode.CLOSE, code.to_bytes(2) + shorten(reason).encode())


def shorten(reason: str) -> str:
    """Cut a reason to what a close frame can hold, between two characters."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")


class Frame:
    """One binary message, encoded once for all its receivers."""

    __slots__ = ("_wire", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._wire: bytes | None = None

    @property
    def wire(self) -> bytes:
        """The message as it is written to a connection: its WebSocket frame, made on first use."""
        wire = self._wire
        if wire is None:
            self._wire = wire = encode_frame(Opcode.BINARY, self.payload)
        return wire
