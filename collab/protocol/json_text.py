"""JSON texts inside binary messages, checked before a recursive parser reads them.

They are passed on byte for byte, so every reader behind us (the browser's ``JSON.parse``, the CRDT engine's parser)
must accept the text as JSON, and read the same value from it.
"""

import json
import re
from typing import Any, NoReturn

DEPTH_MAX = 64
"""Nesting of objects and arrays. The engine and browsers read them recursively."""

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""An unterminated string matches to the end of the text, so that no byte is scanned twice."""


def check_json(raw: bytes, *, repeated_keys: bool = True) -> Any:
    """Return the value of a JSON text in UTF-8, with all numbers as floats.

    Raises ValueError for malformed JSON, and also for NaN and infinities, by name or by size (1e400); for nesting
    beyond DEPTH_MAX; and, unless ``repeated_keys``, for an object with the same key twice.
    """
    _check_depth(raw)
    return (_DECODER if repeated_keys else _STRICT_DECODER).decode(raw.decode())


def has_lone_surrogates(raw: bytes, value: Any) -> bool:
    r"""True if ``value``, which was read from ``raw``, holds a lone surrogate, such as ``"\ud83d"``.

    JSON allows it and ``JSON.stringify`` writes it, but UTF-8 cannot encode it.
    """
    if b"\\u" not in raw:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def has_unsigned_numbers(raw: bytes) -> bool:
    """True if a JSON text holds a whole number from 2^63 to 2^64-1, written in digits alone.

    The engine parses it as an unsigned integer, which it cannot represent, and fails. It parses larger ones as floats.
    """
    if not _LONG_NUMBER.search(raw):
        return False
    numbers: list[str] = []
    json.loads(raw, parse_int=numbers.append)
    return any(len(digits) <= 20 and 2**63 <= int(digits) < 2**64 for digits in numbers)


_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def _check_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(raw):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                if depth > DEPTH_MAX:
                    raise ValueError("nested too deep")
            case b"]" | b"}":
                depth -= 1


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError("a number out of range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key twice")
    return value


_DECODER = json.JSONDecoder(parse_float=_finite, parse_int=_finite, parse_constant=_no_constant)
_STRICT_DECODER = json.JSONDecoder(
    parse_float=_finite, parse_int=_finite, parse_constant=_no_constant, object_pairs_hook=_distinct
)
