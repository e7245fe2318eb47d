"""The values in an update, and which of them are equivalent.

The engine encodes values anew: it orders the keys of objects as it likes, writes a number in the shortest form, a
bigint as a number where a double can hold it, and rounds the decimals of JSON in their last bit. So equal content may
have other bytes, and values must be compared as values.
"""

import math
import struct
from typing import Any

from collab.crdt.scan import (
    ARRAY,
    BIGINT,
    BYTES,
    FALSE,
    FLOAT32,
    FLOAT64,
    NULL,
    OBJECT,
    STRING,
    TRUE,
    read_span,
    read_text,
)
from collab.crdt.scan import UNDEFINED as _UNDEFINED
from collab.protocol.json_text import check_json
from collab.protocol.varint import read_var_int, read_var_uint


class Undefined:
    """JavaScript's ``undefined``, which is different from its ``null``."""


UNDEFINED = Undefined()
_CONSTANTS = {TRUE: True, FALSE: False, NULL: None, _UNDEFINED: UNDEFINED}
_FIXED = {FLOAT32: struct.Struct(">f"), FLOAT64: struct.Struct(">d"), BIGINT: struct.Struct(">q")}


def read_values(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    """Return ``count`` lib0 values ("any") that have passed the guard, and the position behind them.

    Numbers are floats and bigints are ints. It recurses as deep as the guard allows.
    """
    values: list[Any] = []
    for _ in range(count):
        value, at = _read_value(data, at)
        values.append(value)
    return values, at


def read_json(data: bytes, at: int) -> Any:
    """Return the value of a length-prefixed JSON text that has passed the guard. All numbers are floats."""
    at, end = read_span(data, at)
    return check_json(data[at:end])


def equivalent(one: Any, other: Any) -> bool:
    """True if readers of the document take two values for the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equivalent(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equivalent, one, other))
    if type(one) in (int, float) and type(other) in (int, float):
        return _equivalent_numbers(one, other)
    return type(one) is type(other) and bool(one == other)


def _equivalent_numbers(one: float, other: float) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    one, other = float(one), float(other)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-15, abs_tol=1e-300)


def _read_value(data: bytes, at: int) -> tuple[Any, int]:
    tag = data[at]
    at += 1
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in _FIXED:
        form = _FIXED[tag]
        return form.unpack_from(data, at)[0], at + form.size
    if tag == STRING:
        return read_text(data, at)
    if tag == BYTES:
        at, end = read_span(data, at)
        return data[at:end], end
    if tag == ARRAY:
        count, at = read_var_uint(data, at)
        return read_values(data, at, count)
    if tag == OBJECT:
        return _read_object(data, at)
    value, at = read_var_int(data, at, may_be_padded=True)
    return float(value), at


def _read_object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    count, at = read_var_uint(data, at)
    entries: dict[str, Any] = {}
    for _ in range(count):
        key, at = read_text(data, at)
        entries[key], at = _read_value(data, at)
    return entries, at
