"""Values are read from the bytes that Yjs writes, and compared as readers of a document would."""

import math
import struct
from typing import Any

import pytest

from collab.crdt.values import UNDEFINED, equivalent, read_json, read_values
from tests.protocol.build import string, uint


def read(*values: bytes) -> list[Any]:
    data = b"".join(values)
    found, end = read_values(b"\0" + data + b"\0", 1, len(values))
    assert end == 1 + len(data)
    return found


def float64(value: float) -> bytes:
    return b"\x7b" + struct.pack(">d", value)


def test_every_kind_of_value_is_read() -> None:
    assert read(b"\x7f", b"\x7e", b"\x79", b"\x78") == [UNDEFINED, None, False, True]
    assert read(b"\x7d\x05", b"\x7d\x45", b"\x7d\x80\x01") == [5.0, -5.0, 64.0]
    assert read(b"\x7d\x80\x00", b"\x7d\xff\x00") == [0.0, -63.0], "padded, as the log may hold them"
    assert read(b"\x7c\x3f\x00\x00\x00", float64(0.1), b"\x7a" + bytes(7) + b"\x05") == [0.5, 0.1, 5]
    assert read(b"\x77" + string("é"), b"\x74\x02\x00\xff") == ["é", b"\x00\xff"]
    assert read(b"\x75\x02\x7e\x75\x00", b"\x76\x01" + string("k") + b"\x76\x00") == [[None, []], {"k": {}}]
    assert read_json(string('{"a":[1,true]}'), 0) == {"a": [1.0, True]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5.0, 5),
        (2.0**62, 2**62),
        (0.0, -0.0),
        (0.1, math.nextafter(0.1, 1)),
        (math.nan, math.nan),
        (math.inf, math.inf),
        ({"a": 1.0, "b": [None]}, {"b": [None], "a": 1.0}),
        (UNDEFINED, UNDEFINED),
        (b"a", b"a"),
    ],
)
def test_values_that_the_engine_only_encodes_anew_are_equivalent(one: object, other: object) -> None:
    assert equivalent(one, other)
    assert equivalent([one], [other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1.0),
        (False, None),
        (None, UNDEFINED),
        (0.0, None),
        ("1", 1.0),
        ("a", b"a"),
        (1.0, 1.000001),
        (2**53, 2**53 + 1),
        (math.nan, 0.0),
        (math.inf, -math.inf),
        ({"a": 1.0}, {"a": 2.0}),
        ({"a": None}, {}),
        ({}, []),
        ([1.0, 2.0], [2.0, 1.0]),
        ([1.0], [1.0, 1.0]),
    ],
)
def test_values_that_readers_tell_apart_are_not_equivalent(one: object, other: object) -> None:
    assert not equivalent(one, other)
    assert not equivalent(other, one)
    assert not equivalent({"k": [one]}, {"k": [other]})


def test_many_values_are_read_in_order() -> None:
    assert read(*(b"\x7d" + uint(number) for number in range(60))) == list(range(60))
