"""JSON texts inside binary messages, checked before anybody parses them with a recursive reader.

They are passed on byte for byte, so what counts is that every reader behind us (the browser's
``JSON.parse``, the CRDT engine's parser) takes the text for JSON, and takes it for the same JSON.
"""

import json
import re
from typing import Any, NoReturn

DEPTH_MAX = 64
"""Nesting of objects and arrays. The engine reads them recursively, and so do browsers."""

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A string left open runs to the end of the text: nothing is looked at twice."""


def check_json(raw: bytes, *, repeated_keys: bool = True) -> Any:
    """The value of a JSON text in UTF-8. Raises ValueError with the reason if it is none, or not one for us.

    Refused beside what the grammar refuses: NaN and infinities, by name or by size (1e400); nesting beyond
    DEPTH_MAX; and, unless ``repeated_keys``, an object that says two things under one key. All numbers come
    back as floats.
    """
    _check_depth(raw)
    return (_DECODER if repeated_keys else _STRICT_DECODER).decode(raw.decode())


def has_lone_surrogates(raw: bytes, value: Any) -> bool:
    r"""Whether ``value``, read from ``raw``, holds half a character: ``"\ud83d"`` without its other half.

    JSON's grammar allows it and ``JSON.stringify`` writes it; UTF-8 has no bytes for it.
    """
    if b"\\u" not in raw:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def has_unsigned_numbers(raw: bytes) -> bool:
    """Whether a JSON text holds a whole number of 64 bits that takes them all, written in digits alone.

    The engine takes it for an unsigned integer, has none, and fails. What is larger still it takes for a float.
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
