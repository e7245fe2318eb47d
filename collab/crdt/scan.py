"""Positions in bytes: the small readers below the guard's loop.

``varint.Reader`` is the comfortable way to read a message. A large update holds a hundred thousand numbers,
and there a method call and an attribute for each is what costs; these functions take the bytes and a position
and give the value and the next position. Reading past the end raises IndexError, which the guard turns into
its refusal once for all of them.
"""

from typing import NoReturn

from collab.errors import UpdateRefused
from collab.protocol.json_text import check_json, has_lone_surrogates, has_unsigned_numbers
from collab.protocol.limits import CLIENT_MAX, CLOCK_END

_PLAIN_JSON = frozenset((b"null", b"true", b"false", b"{}", b'""'))
"""Values of nearly all formatting marks: not worth a parser."""


def refuse(why: str) -> NoReturn:
    """Raise UpdateRefused: "The update ``why``."."""
    raise UpdateRefused(f"The update {why}.")


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A varUint, at most 2^53-1 and in no more bytes than it needs.

    Each step adds the next seven bits and takes back the "more follows" bit of the byte before, which stands
    just above that byte's own bits; a sum below the next bound therefore means that no more follows.
    """
    value = data[at]
    if value < 1 << 7:
        return value, at + 1
    value += (data[at + 1] << 7) - (1 << 7)
    if value < 1 << 14:
        return (value, at + 2) if value >= 1 << 7 else refuse(_PADDED)
    value += (data[at + 2] << 14) - (1 << 14)
    if value < 1 << 21:
        return (value, at + 3) if value >= 1 << 14 else refuse(_PADDED)
    value += (data[at + 3] << 21) - (1 << 21)
    if value < 1 << 28:
        return (value, at + 4) if value >= 1 << 21 else refuse(_PADDED)
    value += (data[at + 4] << 28) - (1 << 28)
    if value < 1 << 35:
        return (value, at + 5) if value >= 1 << 28 else refuse(_PADDED)
    for size, shift in ((6, 35), (7, 42), (8, 49)):
        value += (data[at + size - 1] << shift) - (1 << shift)
        if value < 1 << (shift + 7):
            if value < 1 << shift:
                refuse(_PADDED)
            if value > CLIENT_MAX:
                break
            return value, at + size
    refuse("holds a number that is too large")


_PADDED = "holds a number in more bytes than it needs"


def clock(data: bytes, at: int) -> tuple[int, int]:
    """A clock or a length."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value, at = varint(data, at)
    if value >= CLOCK_END:
        refuse("holds a clock that is too large")
    return value, at


def span(data: bytes, at: int) -> tuple[int, int]:
    """Where length-prefixed bytes begin and end."""
    length, at = varint(data, at)
    end = at + length
    if end > len(data):
        raise IndexError
    return at, end


def text(data: bytes, at: int) -> tuple[str, int]:
    """Length-prefixed UTF-8."""
    at, end = span(data, at)
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        refuse("holds a text that is not UTF-8")


def read_parent(data: bytes, at: int) -> tuple[tuple[int, int] | None, int]:
    """Return an item's parent, an id or None for a root, and the position behind it."""
    is_root, at = varint(data, at)
    if is_root == 1:
        return None, text(data, at)[1]
    if is_root != 0:
        refuse("names a parent of an unknown sort")
    client, at = varint(data, at)
    tick, at = clock(data, at)
    return (client, tick), at


def skip_json(data: bytes, at: int) -> int:
    """Past a JSON text, which must be one for the browser and for the engine."""
    at, end = span(data, at)
    raw = data[at:end]
    if raw not in _PLAIN_JSON:
        try:
            value = check_json(raw)
        except ValueError:
            refuse("holds JSON that is no JSON, or nested too deep")
        if has_lone_surrogates(raw, value):
            refuse("holds JSON with half a character")
        if has_unsigned_numbers(raw):
            refuse("holds JSON with a whole number from 2^63 to 2^64")
    return end


def skip_values(data: bytes, at: int, count: int, depth_max: int) -> int:
    """Past ``count`` lib0 values ("any"), without recursion. Source: lib0 0.2 ``readAny``."""
    size = len(data)
    outer: list[tuple[int, bool]] = []
    keyed = False
    while True:
        if count > size - at:  # which is below zero after a value that goes past the end
            refuse("claims more values than it holds")
        while count == 0:
            if not outer:
                return at
            count, keyed = outer.pop()
        count -= 1
        if keyed:
            _, at = text(data, at)
        tag = data[at]
        at += 1
        if tag in (ARRAY, OBJECT):
            if len(outer) >= depth_max:
                refuse("holds values that are nested too deep")
            outer.append((count, keyed))
            keyed = tag == OBJECT
            count, at = varint(data, at)
        else:
            at = _skip_scalar(data, at, tag)


BYTES, ARRAY, OBJECT, STRING, TRUE, FALSE, BIGINT, FLOAT64, FLOAT32, INTEGER, NULL, UNDEFINED = range(116, 128)
"""The first bytes of lib0 values."""

_NO_BYTES = (TRUE, FALSE, NULL, UNDEFINED)


def _skip_scalar(data: bytes, at: int, tag: int) -> int:
    if tag == STRING:
        return text(data, at)[1]
    if tag in _NO_BYTES:
        return at
    if tag == INTEGER:
        return signed(data, at)[1]
    if tag == BYTES:
        return span(data, at)[1]
    if tag in (FLOAT64, BIGINT):
        at += 8
    elif tag == FLOAT32:
        at += 4
    else:
        refuse("holds a value of an unknown kind")
    return at


def signed(data: bytes, at: int) -> tuple[int, int]:
    """A varInt: six bits and a sign in its first byte. JavaScript cannot read one beyond 2^53-1."""
    byte = data[at]
    at += 1
    value, shift = byte & 0x3F, 6
    is_negative = byte & 0x40
    while byte >= 0x80:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if value > CLIENT_MAX or shift > 55:
            refuse("holds a number that is too large")
    return (-value if is_negative else value), at
