"""lib0's numbers, bytes and texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.protocol.varint import UINT_MAX, Reader, Writer


def _written(value: int) -> bytes:
    writer = Writer()
    writer.var_uint(value)
    return writer.to_bytes()


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32 - 1, "ffffffff0f"), (UINT_MAX, "ffffffffffffff0f")],
)
def test_numbers_are_written_as_lib0_writes_them(value: int, data: str) -> None:
    assert _written(value).hex() == data
    assert Reader(bytes.fromhex(data)).var_uint() == value


@given(st.integers(0, UINT_MAX))
def test_every_number_comes_back(value: int) -> None:
    reader = Reader(_written(value))
    assert reader.var_uint() == value
    reader.end()


@pytest.mark.parametrize("data", ["", "80", "ffff", "ffffffffffffff1f", "ffffffffffffffff00", "80" * 200_000])
def test_a_number_that_is_cut_or_too_large_is_refused(data: str) -> None:
    with pytest.raises(ProtocolError):
        Reader(bytes.fromhex(data)).var_uint()


@given(st.text())
def test_a_text_is_measured_in_bytes_not_characters(text: str) -> None:
    writer = Writer()
    writer.var_string(text)
    reader = Reader(writer.to_bytes())
    assert reader.var_uint() == len(text.encode())
    assert Reader(writer.to_bytes()).var_string() == text


def test_raw_bytes_are_written_as_they_are() -> None:
    writer = Writer()
    writer.byte(7)
    writer.raw(b"\xff\x00")
    writer.var_bytes(b"ab")
    assert writer.to_bytes() == b"\x07\xff\x00\x02ab"


def test_a_reader_knows_where_it_is() -> None:
    reader = Reader(b"\x05\x06")
    assert reader.byte() == 5
    assert (reader.position, reader.remaining) == (1, 1)


@pytest.mark.parametrize("data", [b"\x02a", b"\xff\xff\xff\xff\x0f"])
def test_bytes_shorter_than_they_claim_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Reader(data).var_bytes()


def test_a_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ProtocolError):
        Reader(b"\x02\xc3\x28").var_string()


def test_what_goes_on_after_its_end_is_refused() -> None:
    reader = Reader(b"\x01\x02")
    reader.byte()
    with pytest.raises(ProtocolError):
        reader.end()
