"""lib0's numbers, bytes and texts."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.protocol.varint import UINT_MAX, Reader, Writer, read_var_int, read_var_uint


def _written(value: int) -> bytes:
    writer = Writer()
    writer.var_uint(value)
    return writer.to_bytes()


def _read(data: bytes, at: int = 0) -> int:
    reader = Reader(data)
    reader.position = at
    return reader.var_uint()


_READERS = pytest.mark.parametrize("read", [read_var_uint, _read], ids=["read_var_uint", "Reader"])
"""The fast function and the comfortable reader must keep one law."""


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32 - 1, "ffffffff0f"), (UINT_MAX, "ffffffffffffff0f")],
)
def test_numbers_have_the_bytes_that_lib0_writes(value: int, data: str) -> None:
    assert _written(value).hex() == data
    assert Reader(bytes.fromhex(data)).var_uint() == value


@given(st.integers(0, UINT_MAX), st.binary())
def test_every_number_is_read_back_with_the_position_behind_it(value: int, after: bytes) -> None:
    data = b"\xff" + _written(value) + after
    assert read_var_uint(data, 1) == (value, len(data) - len(after))
    reader = Reader(_written(value))
    assert reader.var_uint() == value
    reader.end()


@_READERS
@pytest.mark.parametrize("value", [0, 2**6, *(2**bits - 1 for bits in (7, 14, 21, 28, 35, 42, 49))])
def test_a_padded_number_is_refused(read: Callable[[bytes, int], object], value: int) -> None:
    shortest = _written(value)
    padded = shortest[:-1] + bytes([shortest[-1] | 0x80, 0])
    with pytest.raises(ProtocolError, match="more bytes than it needs"):
        read(padded + b"\x05", 0)


@_READERS
@pytest.mark.parametrize(
    "data", ["ffffffffffffff1f", "ffffffffffffffff00", "ffffffffffffffff01", "ff" * 20, "80" * 200_000]
)
def test_a_number_beyond_javascript_is_refused(read: Callable[[bytes, int], object], data: str) -> None:
    with pytest.raises(ProtocolError, match=r"larger than 2\^53-1"):
        read(bytes.fromhex(data), 0)


@pytest.mark.parametrize("size", range(8))
def test_a_number_that_is_cut_short_is_refused(size: int) -> None:
    data = b"\x80" * size
    with pytest.raises(IndexError):
        read_var_uint(data, 0)
    with pytest.raises(ProtocolError, match="ends in the middle"):
        Reader(data).var_uint()


# --- signed numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [("00", 0), ("40", 0), ("3f", 63), ("7f", -63), ("8001", 64), ("c101", -65), ("bfffffffffffff1f", UINT_MAX)],
)
def test_signed_numbers_are_read_as_lib0_writes_them(data: str, value: int) -> None:
    assert read_var_int(bytes.fromhex(data), 0) == (value, len(data) // 2)


@pytest.mark.parametrize("sign", [0, 0x40])
def test_a_signed_number_beyond_javascript_is_refused(sign: int) -> None:
    too_large = bytes([0x80 | sign, *b"\x80" * 6, 0x20])
    with pytest.raises(ProtocolError, match="larger"):
        read_var_int(too_large, 0)
    with pytest.raises(ProtocolError, match="larger"):
        read_var_int(bytes([0x80 | sign]) + b"\x80" * 20, 0)
    assert math.log2(UINT_MAX + 1) == 53


@pytest.mark.parametrize(("data", "value"), [("8000", 0), ("bf00", 63), ("ff00", -63), ("818000", 1)])
def test_a_padded_signed_number_is_refused_unless_allowed(data: str, value: int) -> None:
    with pytest.raises(ProtocolError, match="more bytes than it needs"):
        read_var_int(bytes.fromhex(data), 0)
    assert read_var_int(bytes.fromhex(data), 0, may_be_padded=True) == (value, len(data) // 2)


@pytest.mark.parametrize("data", ["", "80", "c080"])
def test_a_signed_number_that_is_cut_short_is_an_index_error(data: str) -> None:
    with pytest.raises(IndexError):
        read_var_int(bytes.fromhex(data), 0)


# --- bytes and texts -----------------------------------------------------------------------------------------


@given(st.text())
def test_the_length_of_a_text_counts_bytes(text: str) -> None:
    writer = Writer()
    writer.var_string(text)
    reader = Reader(writer.to_bytes())
    assert reader.var_uint() == len(text.encode())
    assert Reader(writer.to_bytes()).var_string() == text


def test_raw_bytes_are_written_unchanged() -> None:
    writer = Writer()
    writer.byte(7)
    writer.raw(b"\xff\x00")
    writer.var_bytes(b"ab")
    assert writer.to_bytes() == b"\x07\xff\x00\x02ab"


def test_a_reader_knows_its_position() -> None:
    reader = Reader(b"\x05\x06")
    assert reader.byte() == 5
    assert (reader.position, reader.remaining) == (1, 1)


def test_a_byte_past_the_end_is_refused() -> None:
    with pytest.raises(ProtocolError, match="ends in the middle"):
        Reader(b"").byte()


@pytest.mark.parametrize("data", [b"\x02a", b"\xff\xff\xff\xff\x0f"])
def test_bytes_shorter_than_their_length_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="shorter than it announces"):
        Reader(data).var_bytes()


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ProtocolError, match="UTF-8"):
        Reader(b"\x02\xc3\x28").var_string()


def test_bytes_left_over_are_refused() -> None:
    reader = Reader(b"\x01\x02")
    reader.byte()
    with pytest.raises(ProtocolError, match="extra bytes at its end"):
        reader.end()
