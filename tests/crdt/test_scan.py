"""The guard's small readers of clocks, texts, JSON and values."""

from collections.abc import Callable
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.content import read_content
from collab.crdt.guard import inspect_update
from collab.crdt.scan import read_clock, read_parent, read_span, read_text, refuse, skip_json, skip_values
from collab.errors import ProtocolError, UpdateRefused
from collab.protocol.limits import CLOCK_END, DEFAULT, STORED
from tests.protocol.build import item, string, uint, update


@pytest.mark.parametrize("reader", [read_clock, read_span, read_text, read_parent, skip_json])
@pytest.mark.parametrize(
    "data", ["", "80", "8080", "808080", "80808080", "8080808080", "808080808080", "80808080808080"]
)
def test_reading_past_the_end_is_an_index_error(reader: Callable[[bytes, int], Any], data: str) -> None:
    with pytest.raises(IndexError):
        reader(bytes.fromhex(data), 0)


def test_a_clock_has_31_bits() -> None:
    assert read_clock(b"\x05", 0) == (5, 1)
    assert read_clock(uint(CLOCK_END - 1), 0) == (CLOCK_END - 1, 5)
    with pytest.raises(UpdateRefused, match="clock"):
        read_clock(uint(CLOCK_END), 0)


def test_bytes_shorter_than_their_length_are_an_index_error() -> None:
    assert read_span(b"\x02abc", 0) == (1, 3)
    with pytest.raises(IndexError):
        read_span(b"\x02a", 0)


def test_a_parent_is_a_root_or_an_id() -> None:
    assert read_parent(b"\x01" + string("root"), 0) == (None, 6)
    assert read_parent(b"\x00" + uint(300) + uint(5) + b"x", 0) == ((300, 5), 4)
    with pytest.raises(UpdateRefused, match="unknown kind"):
        read_parent(b"\x02", 0)


def test_a_text_is_utf8() -> None:
    assert read_text(string("zoë"), 0) == ("zoë", 5)
    with pytest.raises(UpdateRefused, match="UTF-8"):
        read_text(b"\x03\xed\xa0\xbd", 0)


@pytest.mark.parametrize("json", ["null", "{}", '{"a":[1,"\\u00e9"]}', '"😀"'])
def test_json_is_skipped(json: str) -> None:
    assert skip_json(string(json) + b"\0", 0) == len(string(json))


@pytest.mark.parametrize("json", ["", "nul", "NaN", "[" * 65 + "]" * 65, '"\\ud83d"', "undefined"])
def test_json_that_the_browser_or_the_engine_cannot_parse_is_refused(json: str) -> None:
    with pytest.raises(UpdateRefused, match="JSON"):
        skip_json(string(json), 0)


@pytest.mark.parametrize(
    ("json", "passes"),
    [
        (str(2**63 - 1), True),
        (str(2**63), False),
        (f'{{"a":[{2**64 - 1}]}}', False),
        (str(2**64), True),
        (f"-{2**63}", True),
        (f"{2**63}.0", True),
        (f"{2**63}e0", True),
        (f'"{2**63}"', True),
        (f"{'9' * 300}", True),
    ],
)
def test_json_with_an_unsigned_number_of_64_bits_is_refused(json: str, passes: bool) -> None:
    if passes:
        assert skip_json(string(json), 0) == len(string(json))
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        doc.apply_update(update((1, 0, [item(5, string(json))])))
    else:
        with pytest.raises(UpdateRefused, match="whole number"):
            skip_json(string(json), 0)


# --- values --------------------------------------------------------------------------------------------

_SCALARS = [
    bytes.fromhex(value)
    for value in (
        "7f",
        "7e",
        "79",
        "78",
        "7d05",
        "7dc101",
        "7c00000000",
        "7b" + 8 * "00",
        "7a" + 8 * "ff",
        "77026869",
        "7401ff",
    )
]
_NESTED = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda values: b"\x75" + uint(len(values)) + b"".join(values))
        | st.dictionaries(st.text(max_size=3), inner, max_size=5).map(
            lambda fields: b"\x76" + uint(len(fields)) + b"".join(string(k) + v for k, v in fields.items())
        )
    ),
    max_leaves=10,
)


@given(st.lists(_NESTED, max_size=5), st.binary())
def test_values_are_skipped_exactly(values: list[bytes], after: bytes) -> None:
    data = b"".join(values)
    assert skip_values(data + after, 0, len(values), DEFAULT) == len(data)


@pytest.mark.parametrize("value", [*_SCALARS, b"\x75\x01\x7e", b"\x76\x01\x01a\x7e"], ids=bytes.hex)
def test_a_value_that_is_cut_short_is_refused(value: bytes) -> None:
    assert skip_values(value, 0, 1, DEFAULT) == len(value)
    for end in range(len(value)):
        with pytest.raises((IndexError, UpdateRefused)):
            skip_values(value[:end], 0, 1, DEFAULT)


@given(st.lists(_NESTED, min_size=1, max_size=5), st.data())
def test_values_that_are_cut_short_are_refused(values: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(values)
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises((IndexError, UpdateRefused)):
        skip_values(cut, 0, len(values), DEFAULT)


@pytest.mark.parametrize("tag", [0, 115, *range(128, 256, 13)])
def test_a_value_of_an_unknown_kind_is_refused(tag: int) -> None:
    with pytest.raises(UpdateRefused, match="unknown kind"):
        skip_values(bytes([tag]) + bytes(20), 0, 1, DEFAULT)


@pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01a"])
def test_nesting_of_values_is_bounded_without_recursion(opening: bytes) -> None:
    assert skip_values(opening * 64 + b"\x7e", 0, 1, DEFAULT) == 64 * len(opening) + 1
    for levels in (65, 200_000):
        with pytest.raises(UpdateRefused, match="too deep"):
            skip_values(opening * levels + b"\x7e", 0, 1, DEFAULT)


@pytest.mark.parametrize("data", ["75ffffffff0f7e", "76ffffffff0f0161", "757e"])
def test_more_values_than_bytes_are_refused(data: str) -> None:
    with pytest.raises(UpdateRefused, match="more values"):
        skip_values(bytes.fromhex(data), 0, 1, DEFAULT)


@pytest.mark.parametrize("value", ["7d8080808080808020", "7dc080808080808020", "7d8000", "7dff00"])
def test_a_padded_or_too_large_integer_is_refused(value: str) -> None:
    with pytest.raises(ProtocolError, match=r"larger than 2\^53-1|more bytes than it needs"):
        skip_values(bytes.fromhex(value), 0, 1, DEFAULT)


def test_a_stored_integer_may_be_padded() -> None:
    assert skip_values(b"\x7d\xff\x00\x05", 0, 1, STORED) == 3


_BIGINTS = [0, 5, -5, 2**53 - 1, 2**53, 2**53 + 1, 2**62, 2**63 - 513, 2**63 - 512, 2**63 - 2, 1 - 2**63, -(2**63)]
_AROUND_BIGINT = {
    "alone": lambda value: value,
    "in an array": lambda value: b"\x75\x02\x7e" + value,
    "in an object": lambda value: b"\x76\x01" + string("k") + value,
}
_KEYS = pytest.mark.parametrize("key", [None, "a map's key or an attribute"])


def _passed_on(content: bytes, key: str | None) -> Any:
    """Return the value that a client reads from the engine if another client sent this content."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.apply_update(update((7, 0, [item(8, b"\x01" + content, key=key)])))
    encoded = inspect_update(doc.get_update())
    value = read_content(encoded, encoded.structs[0]).elements[0]
    while isinstance(value, (list, dict)):
        value = value[-1] if isinstance(value, list) else value["k"]
    return value


@_KEYS
@pytest.mark.parametrize("around", _AROUND_BIGINT)
@pytest.mark.parametrize("bigint", _BIGINTS)
def test_the_engine_keeps_the_value_of_every_other_bigint(bigint: int, around: str, key: str | None) -> None:
    content = _AROUND_BIGINT[around](b"\x7a" + bigint.to_bytes(8, "big", signed=True))
    assert skip_values(content, 0, 1, DEFAULT) == len(content)
    assert _passed_on(content, key) == bigint


@_KEYS
@pytest.mark.parametrize("around", _AROUND_BIGINT)
def test_the_bigint_that_the_engine_changes_is_refused(around: str, key: str | None) -> None:
    content = _AROUND_BIGINT[around](b"\x7a" + (2**63 - 1).to_bytes(8, "big"))
    assert _passed_on(content, key) == 2**63, "the engine now keeps the value: accept it"
    with pytest.raises(UpdateRefused, match="bigint 9223372036854775807"):
        skip_values(content, 0, 1, DEFAULT)
    assert skip_values(content, 0, 1, STORED) == len(content)


def test_a_refusal_is_a_sentence() -> None:
    with pytest.raises(UpdateRefused, match=r"^The update is late\.$"):
        refuse("is late")
