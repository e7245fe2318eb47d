"""The guard's small readers: numbers, texts and values, and what is none."""

import math
from collections.abc import Callable
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.scan import clock, refuse, skip_json, skip_values, span, text, varint
from collab.errors import UpdateRefused
from collab.protocol.limits import CLIENT_MAX, CLOCK_END
from tests.protocol.build import item, string, uint, update


@given(st.integers(0, CLIENT_MAX), st.binary())
def test_a_number_is_read_with_the_place_after_it(value: int, after: bytes) -> None:
    assert varint(b"\xff" + uint(value) + after, 1) == (value, 1 + len(uint(value)))


@pytest.mark.parametrize("bits", [7, 14, 21, 28, 35, 42, 49])
def test_a_number_in_more_bytes_than_it_needs_is_refused(bits: int) -> None:
    largest = uint(2**bits - 1)
    padded = largest[:-1] + bytes([largest[-1] | 0x80, 0])
    with pytest.raises(UpdateRefused, match="more bytes than it needs"):
        varint(padded + b"\x05", 0)


@pytest.mark.parametrize("data", ["ffffffffffffff1f", "ffffffffffffffff01", "ff" * 20])
def test_a_number_beyond_javascript_is_refused(data: str) -> None:
    with pytest.raises(UpdateRefused, match="too large"):
        varint(bytes.fromhex(data), 0)


@pytest.mark.parametrize("reader", [varint, clock, span, text, skip_json])
@pytest.mark.parametrize(
    "data", ["", "80", "8080", "808080", "80808080", "8080808080", "808080808080", "80808080808080"]
)
def test_reading_past_the_end_is_an_index_error(reader: Callable[[bytes, int], Any], data: str) -> None:
    with pytest.raises(IndexError):
        reader(bytes.fromhex(data), 0)


def test_a_clock_has_31_bits() -> None:
    assert clock(b"\x05", 0) == (5, 1)
    assert clock(uint(CLOCK_END - 1), 0) == (CLOCK_END - 1, 5)
    with pytest.raises(UpdateRefused, match="clock"):
        clock(uint(CLOCK_END), 0)


def test_bytes_shorter_than_they_claim_are_an_index_error() -> None:
    assert span(b"\x02abc", 0) == (1, 3)
    with pytest.raises(IndexError):
        span(b"\x02a", 0)


def test_a_text_is_utf8() -> None:
    assert text(string("zoë"), 0) == ("zoë", 5)
    with pytest.raises(UpdateRefused, match="UTF-8"):
        text(b"\x03\xed\xa0\xbd", 0)


@pytest.mark.parametrize("json", ["null", "{}", '{"a":[1,"\\u00e9"]}', '"😀"'])
def test_json_is_skipped(json: str) -> None:
    assert skip_json(string(json) + b"\0", 0) == len(string(json))


@pytest.mark.parametrize("json", ["", "nul", "NaN", "[" * 65 + "]" * 65, '"\\ud83d"', "undefined"])
def test_what_the_browser_or_the_engine_would_not_parse_is_refused(json: str) -> None:
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
def test_whole_numbers_that_the_engine_cannot_read_are_refused(json: str, passes: bool) -> None:
    if passes:
        assert skip_json(string(json), 0) == len(string(json))
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        doc.apply_update(update((1, 0, [item(5, string(json))])))
    else:
        with pytest.raises(UpdateRefused, match="whole number"):
            skip_json(string(json), 0)


# --- values ----------------------------------------------------------------------------------------------

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
    assert skip_values(data + after, 0, len(values), 64) == len(data)


@pytest.mark.parametrize("value", [*_SCALARS, b"\x75\x01\x7e", b"\x76\x01\x01a\x7e"], ids=bytes.hex)
def test_a_value_that_is_cut_is_not_skipped(value: bytes) -> None:
    assert skip_values(value, 0, 1, 64) == len(value)
    for end in range(len(value)):
        with pytest.raises((IndexError, UpdateRefused)):
            skip_values(value[:end], 0, 1, 64)


@given(st.lists(_NESTED, min_size=1, max_size=5), st.data())
def test_values_that_are_cut_are_not_skipped(values: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(values)
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises((IndexError, UpdateRefused)):
        skip_values(cut, 0, len(values), 64)


@pytest.mark.parametrize("tag", [0, 115, *range(128, 256, 13)])
def test_a_value_of_an_unknown_kind_is_refused(tag: int) -> None:
    with pytest.raises(UpdateRefused, match="unknown kind"):
        skip_values(bytes([tag]) + bytes(20), 0, 1, 64)


@pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01a"])
def test_nesting_of_values_is_bounded_without_recursion(opening: bytes) -> None:
    assert skip_values(opening * 64 + b"\x7e", 0, 1, 64) == 64 * len(opening) + 1
    for levels in (65, 200_000):
        with pytest.raises(UpdateRefused, match="too deep"):
            skip_values(opening * levels + b"\x7e", 0, 1, 64)


@pytest.mark.parametrize("data", ["75ffffffff0f7e", "76ffffffff0f0161", "757e"])
def test_more_values_than_bytes_are_refused(data: str) -> None:
    with pytest.raises(UpdateRefused, match="more values"):
        skip_values(bytes.fromhex(data), 0, 1, 64)


@pytest.mark.parametrize("sign", [0, 0x40])
def test_an_integer_is_one_that_javascript_holds(sign: int) -> None:
    largest = bytes([0x7D, 0xBF | sign, *b"\xff" * 6, 0x1F])
    assert skip_values(largest, 0, 1, 64) == len(largest)
    too_large = bytes([0x7D, 0x80 | sign, *b"\x80" * 6, 0x20])
    with pytest.raises(UpdateRefused, match="too large"):
        skip_values(too_large, 0, 1, 64)
    with pytest.raises(UpdateRefused, match="too large"):
        skip_values(bytes([0x7D, 0x80 | sign]) + b"\x80" * 20, 0, 1, 64)
    assert math.log2(CLIENT_MAX + 1) == 53


def test_a_refusal_is_a_sentence() -> None:
    with pytest.raises(UpdateRefused, match=r"^The update is late\.$"):
        refuse("is late")
