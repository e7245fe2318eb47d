"""Read or skip the small parts of an update, from the bytes and a position to the value and the next position.

``varint.Reader`` is the comfortable way to read a message. A large update holds a hundred thousand numbers, and there a
method call and an attribute for each would cost more than the numbers. All of these raise UpdateRefused for content
that is not allowed; reading past the end raises IndexError and a malformed number ProtocolError, which ``guard`` turns
into a refusal in one place.
"""

from typing import NoReturn

from collab.crdt.steps import BYTES_PER_STEP, Steps, finish
from collab.errors import UpdateRefused
from collab.protocol.json_text import check_json, has_lone_surrogates, has_unsigned_numbers
from collab.protocol.limits import CLOCK_END, Limits
from collab.protocol.varint import read_var_int, read_var_uint

_PLAIN_JSON = frozenset((b"null", b"true", b"false", b"{}", b'""'))
"""The values of nearly all formatting marks, which need no parser."""


_JSON_MARKS = (b",", b":", b"[", b"{", b"\\", b".")

JSON_PARTS_MAX = 50_000
"""Commas, colons, brackets, escapes and decimal points in one JSON value, which is read in one go. An embed is a
formula, a mention, or an image as one long string, which is read quickly."""


def refuse(why: str) -> NoReturn:
    """Raise UpdateRefused with the sentence "The update ``why``."."""
    raise UpdateRefused(f"The update {why}.")


def read_clock(data: bytes, at: int) -> tuple[int, int]:
    """Return a clock or a length, which stays below CLOCK_END."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value, at = read_var_uint(data, at)
    if value >= CLOCK_END:
        refuse("contains a clock that is too large")
    return value, at


def read_span(data: bytes, at: int) -> tuple[int, int]:
    """Return where length-prefixed bytes begin and where they end."""
    length, at = read_var_uint(data, at)
    end = at + length
    if end > len(data):
        raise IndexError
    return at, end


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """Return length-prefixed UTF-8."""
    at, end = read_span(data, at)
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        refuse("contains text that is not valid UTF-8")


def read_parent(data: bytes, at: int) -> tuple[tuple[int, int] | None, int]:
    """Return the parent of an item: an id, or None for a root."""
    is_root, at = read_var_uint(data, at)
    if is_root == 1:
        return None, read_text(data, at)[1]
    if is_root != 0:
        refuse("names a parent of an unknown kind")
    client, at = read_var_uint(data, at)
    clock, at = read_clock(data, at)
    return (client, clock), at


def skip_json(data: bytes, at: int) -> int:
    """Return the position behind a JSON text, which both browsers and the engine must be able to read."""
    at, end = read_span(data, at)
    raw = data[at:end]
    if raw not in _PLAIN_JSON:
        if len(raw) > JSON_PARTS_MAX and sum(map(raw.count, _JSON_MARKS)) > JSON_PARTS_MAX:
            refuse(f"contains a JSON value of more than {JSON_PARTS_MAX} parts")
        try:
            value = check_json(raw)
        except ValueError:
            refuse("contains JSON that is malformed or nested too deep")
        if has_lone_surrogates(raw, value):
            refuse("contains JSON with half of a surrogate pair")
        if has_unsigned_numbers(raw):
            refuse("contains JSON with a whole number from 2^63 to 2^64-1")
    return end


def skip_values(data: bytes, at: int, count: int, limits: Limits) -> int:
    """Return the position behind ``count`` lib0 values ("any"). It does not recurse. Source: lib0 0.2 ``readAny``."""
    return finish(skip_values_in_steps(data, at, count, limits))


def skip_values_in_steps(data: bytes, at: int, count: int, limits: Limits) -> Steps[int]:
    """Do the same in steps: one struct may hold millions of values."""
    size = len(data)
    pause = at + BYTES_PER_STEP
    outer: list[tuple[int, bool]] = []
    keyed = False
    while True:
        if at >= pause:
            pause = at + BYTES_PER_STEP
            yield
        if count > size - at:  # which is below zero after a value that goes past the end
            refuse("announces more values than it contains")
        while count == 0:
            if not outer:
                return at
            count, keyed = outer.pop()
        count -= 1
        if keyed:
            _, at = read_text(data, at)
        tag = data[at]
        at += 1
        if tag in (ARRAY, OBJECT):
            if len(outer) >= limits.any_depth_max:
                refuse("contains values that are nested too deep")
            outer.append((count, keyed))
            keyed = tag == OBJECT
            count, at = read_var_uint(data, at)
        else:
            at = _skip_scalar(data, at, tag, limits.is_stored)


BYTES, ARRAY, OBJECT, STRING, TRUE, FALSE, BIGINT, FLOAT64, FLOAT32, INTEGER, NULL, UNDEFINED = range(116, 128)
"""The first bytes of lib0 values."""

_NO_BYTES = (TRUE, FALSE, NULL, UNDEFINED)
_LARGEST_BIGINT = (2**63 - 1).to_bytes(8, "big")


def _skip_scalar(data: bytes, at: int, tag: int, is_stored: bool) -> int:
    if tag == STRING:
        return read_text(data, at)[1]
    if tag in _NO_BYTES:
        return at
    if tag == INTEGER:
        return read_var_int(data, at, may_be_padded=is_stored)[1]
    if tag == BYTES:
        return read_span(data, at)[1]
    if tag == BIGINT:
        if not is_stored and data[at : at + 8] == _LARGEST_BIGINT:
            refuse("contains the bigint 9223372036854775807, whose value would change")
        return at + 8
    if tag == FLOAT64:
        return at + 8
    if tag == FLOAT32:
        return at + 4
    return refuse("contains a value of an unknown kind")
