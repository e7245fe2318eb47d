"""lib0's variable-length encodings, strictly: what is truncated, over-long or left over is refused.

Own code, since pycrdt's writes a character count where lib0 wants a byte count (any non-ASCII string
becomes a corrupt frame) and reads silently past the end. Source: lib0 0.2 ``encoding.js``/``decoding.js``.

varUint: base 128, least significant 7 bits first, high bit means more; at most 2^53-1 in 8 bytes.
"""

from collab.errors import ProtocolError

UINT_MAX = 2**53 - 1


class Reader:
    """Reads one payload from front to back; raises ProtocolError rather than read past the end."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data)
        self.position = 0
        """Bytes read so far."""

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._end - self.position

    def byte(self) -> int:
        """One raw byte, 0–255."""
        if self.position >= self._end:
            raise ProtocolError("The message ends in the middle.")
        value = self._data[self.position]
        self.position += 1
        return value

    def var_uint(self) -> int:
        """An integer, 0 to 2^53-1."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 49:
                raise ProtocolError("A number in the message is too long.")
        if value > UINT_MAX:
            raise ProtocolError("A number in the message is too large.")
        return value

    def count(self) -> int:
        """A number of things that follow; each takes at least one byte, so more than remain is a lie."""
        value = self.var_uint()
        if value > self.remaining:
            raise ProtocolError("The message claims more than it holds.")
        return value

    def var_bytes(self) -> bytes:
        """Length-prefixed bytes."""
        length = self.count()
        start = self.position
        self.position += length
        return self._data[start : self.position]

    def var_string(self) -> str:
        """Length-prefixed UTF-8."""
        try:
            return self.var_bytes().decode()
        except UnicodeDecodeError:
            raise ProtocolError("A text in the message is not UTF-8.") from None

    def end(self) -> None:
        """Everything must have been read."""
        if self.position != self._end:
            raise ProtocolError("The message goes on after its end.")


class Writer:
    """Collects one payload."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = bytearray()

    def byte(self, value: int) -> None:
        """One raw byte, 0–255."""
        self._out.append(value)

    def var_uint(self, value: int) -> None:
        """An integer, 0 to 2^53-1."""
        assert 0 <= value <= UINT_MAX
        while value > 0x7F:
            self._out.append(0x80 | (value & 0x7F))
            value >>= 7
        self._out.append(value)

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._out += data

    def var_bytes(self, data: bytes) -> None:
        """Length-prefixed bytes."""
        self.var_uint(len(data))
        self._out += data

    def var_string(self, text: str) -> None:
        """Length-prefixed UTF-8; the length counts bytes, not characters."""
        self.var_bytes(text.encode())

    def to_bytes(self) -> bytes:
        """What was written so far."""
        return bytes(self._out)
