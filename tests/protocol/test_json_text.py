"""JSON texts that every reader accepts, and reads in the same way."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.protocol.json_text import DEPTH_MAX, check_json, has_lone_surrogates

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON, st.booleans())
def test_every_json_text_is_read(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert check_json(raw) == value
    assert check_json(raw, repeated_keys=False) == value


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"9" * 400, b"01", b"'a'", b"null x", b"\xff",
     b'"\xed\xa0\x80"', b'"\x01"', b"\xef\xbb\xbf1", b"undefined", b'{"a":1,}', b"9" * 5000],
)  # fmt: skip
def test_json_that_some_reader_would_not_accept_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own message
        check_json(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_is_bounded(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    check_json(opening * DEPTH_MAX + b"1" + closing * DEPTH_MAX)
    with pytest.raises(ValueError, match="too deep"):
        check_json(opening * (DEPTH_MAX + 1) + b"1" + closing * (DEPTH_MAX + 1))


def test_hostile_nesting_is_refused_without_recursion() -> None:
    with pytest.raises(ValueError, match="too deep"):
        check_json(b"[" * 1_000_000)


def test_brackets_in_strings_or_side_by_side_are_not_nesting() -> None:
    raw = json.dumps({"code": '[[{{"\\' * 100, "list": [[]] * 200}).encode()
    assert check_json(raw)["code"].startswith("[[{{")


def test_an_unterminated_string_is_scanned_once() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        check_json(b"[]" * 65 + b'"' + b'\\"' * 500_000)


def test_an_object_with_a_key_twice_is_refused_on_request() -> None:
    raw = b'{"user":{"name":"a","name":"b"}}'
    assert check_json(raw) == {"user": {"name": "b"}}
    with pytest.raises(ValueError, match="twice"):
        check_json(raw, repeated_keys=False)


@pytest.mark.parametrize(
    ("raw", "lone"),
    [(rb'"\ud83d"', True), (rb'{"\udc00":1}', True), (rb'"\ud83d\ude00"', False), (rb'"\u00e9"', False),
     (b'"plain"', False), (rb'"\\ud83d"', False)],
)  # fmt: skip
def test_lone_surrogates_are_found(raw: bytes, lone: bool) -> None:
    assert has_lone_surrogates(raw, check_json(raw)) is lone


def test_numbers_are_finite() -> None:
    assert math.isclose(check_json(b"1e308"), 1e308)
