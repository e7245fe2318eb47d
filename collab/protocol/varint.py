"""lib0's variable-length encodings, read strictly: bytes that are cut short, padded or left over are refused.

Our own code, because pycrdt's writes a character count where lib0 wants a byte count (any string outside ASCII becomes
a corrupt frame) and reads past the end without an error.

A varUint is base 128, least significant seven bits first; the high bit means that more follows. It holds at most
2^53-1, which is what JavaScript can hold, and takes no more bytes than it needs: readers differ on padded ones.
A varInt is the same with six bits and a sign in its first byte. Source: lib0 0.2 ``encoding.js``, ``decoding.js``.
"""

from typing import NoReturn

from collab.errors import ProtocolError

UINT_MAX = 2**53 - 1


def read_var_uint(data: bytes, at: int) -> tuple[int, int]:
    """Return the varUint at position ``at`` and the position behind it.

    Raises ProtocolError when it is padded or above 2^53-1, and IndexError past the end of ``data``.

    The steps are written out because a large update holds a hundred thousand numbers. Each step adds the next seven
    bits and takes back the "more follows" bit of the byte before, which stands just above that byte's own bits; a sum
    below the next bound therefore means that no more follows.
    """
    value = data[at]
    if value < 1 << 7:
        return value, at + 1
    value += (data[at + 1] << 7) - (1 << 7)
    if value < 1 << 14:
        return (value, at + 2) if value >= 1 << 7 else _refuse_padded()
    value += (data[at + 2] << 14) - (1 << 14)
    if value < 1 << 21:
        return (value, at + 3) if value >= 1 << 14 else _refuse_padded()
    value += (data[at + 3] << 21) - (1 << 21)
    if value < 1 << 28:
        return (value, at + 4) if value >= 1 << 21 else _refuse_padded()
    value += (data[at + 4] << 28) - (1 << 28)
    if value < 1 << 35:
        return (value, at + 5) if value >= 1 << 28 else _refuse_padded()
    for size, shift in ((6, 35), (7, 42), (8, 49)):
        value += (data[at + size - 1] << shift) - (1 << shift)
        if value < 1 << (shift + 7):
            if value < 1 << shift:
                _refuse_padded()
            if value > UINT_MAX:
                break
            return value, at + size
    return _refuse_too_large()


def read_var_int(data: bytes, at: int, *, may_be_padded: bool = False) -> tuple[int, int]:
    """Return the varInt at position ``at`` and the position behind it.

    Raises ProtocolError when it is beyond ±(2^53-1), or padded unless it ``may_be_padded``; and IndexError past the
    end of ``data``. Minus zero is 0.
    """
    byte = data[at]
    at += 1
    value, shift = byte & 0x3F, 6
    is_negative = byte & 0x40
    while byte >= 0x80:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if value > UINT_MAX or shift > 55:
            _refuse_too_large()
    if byte == 0 and shift > 6 and not may_be_padded:
        _refuse_padded()
    return (-value if is_negative else value), at


def _refuse_padded() -> NoReturn:
    raise ProtocolError("A number is encoded in more bytes than it needs.")


def _refuse_too_large() -> NoReturn:
    raise ProtocolError("A number is larger than 2^53-1.")


_CUT_SHORT = "The message ends in the middle."
_CLAIMS_TOO_MUCH = "The message is shorter than it announces."


class Reader:
    """Reads one payload from front to back; every method raises ProtocolError rather than read past the end."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data)
        self.position = 0
        """Number of bytes read so far."""

    @property
    def remaining(self) -> int:
        """Number of bytes not read yet."""
        return self._end - self.position

    def byte(self) -> int:
        """Read one byte, 0 to 255."""
        if self.position >= self._end:
            raise ProtocolError(_CUT_SHORT)
        value = self._data[self.position]
        self.position += 1
        return value

    def var_uint(self) -> int:
        """Read an integer, 0 to 2^53-1."""
        try:
            value = self._data[self.position]
            if value < 0x80:  # nearly all of them
                self.position += 1
            else:
                value, self.position = read_var_uint(self._data, self.position)
        except IndexError:
            raise ProtocolError(_CUT_SHORT) from None
        return value

    def count(self) -> int:
        """Read how many things follow; each takes at least one byte, so there cannot be more than bytes remain."""
        value = self.var_uint()
        if value > self.remaining:
            raise ProtocolError(_CLAIMS_TOO_MUCH)
        return value

    def var_bytes(self) -> bytes:
        """Read length-prefixed bytes."""
        length = self.var_uint()
        start = self.position
        if length > self._end - start:
            raise ProtocolError(_CLAIMS_TOO_MUCH)
        self.position += length
        return self._data[start : self.position]

    def var_string(self) -> str:
        """Read length-prefixed UTF-8."""
        try:
            return self.var_bytes().decode()
        except UnicodeDecodeError:
            raise ProtocolError("A string in the message is not valid UTF-8.") from None

    def end(self) -> None:
        """Raise ProtocolError unless everything has been read."""
        if self.position != self._end:
            raise ProtocolError("The message has extra bytes at its end.")


class Writer:
    """Collects one payload."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = bytearray()

    def byte(self, value: int) -> None:
        """Write one byte, 0 to 255."""
        self._out.append(value)

    def var_uint(self, value: int) -> None:
        """Write an integer, 0 to 2^53-1."""
        assert 0 <= value <= UINT_MAX
        while value > 0x7F:
            self._out.append(0x80 | (value & 0x7F))
            value >>= 7
        self._out.append(value)

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._out += data

    def var_bytes(self, data: bytes) -> None:
        """Write bytes behind their length."""
        length = len(data)
        if length < 0x80:  # nearly all of them
            self._out.append(length)
        else:
            self.var_uint(length)
        self._out += data

    def var_string(self, text: str) -> None:
        """Write a text in UTF-8 behind its length in bytes."""
        self.var_bytes(text.encode())

    def to_bytes(self) -> bytes:
        """Return the payload written so far."""
        return bytes(self._out)
