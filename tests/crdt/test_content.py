"""Content of updates, compared struct by struct and element by element."""

import pytest

from collab.crdt.content import Content, equivalent_updates, first_difference, read_content
from collab.crdt.guard import inspect_update
from tests.protocol.build import gc, item, string, text, update

ANN = 7
STRUCTS = [text("abc"), item(5, string('{"a":1,"b":[2]}')), gc(2)]
KEYS = item(5, string('{"b":[2.0],"a":1}'))


def test_updates_that_encode_the_same_values_are_equivalent() -> None:
    one, other = (inspect_update(update((ANN, 0, structs))) for structs in (STRUCTS, [STRUCTS[0], KEYS, STRUCTS[2]]))
    assert one.payload != other.payload
    assert equivalent_updates(one, other)


@pytest.mark.parametrize(
    "other",
    [
        [*STRUCTS[:2], gc(3)],
        [*STRUCTS, gc(1)],
        [text("abd"), *STRUCTS[1:]],
        [text("ab"), text("c", left=(ANN, 1)), *STRUCTS[1:]],
        [STRUCTS[0], item(5, string('{"a":1,"b":[3]}')), STRUCTS[2]],
        [STRUCTS[0], item(5, string('{"b":[2],"a":1}'), left=(ANN, 0)), STRUCTS[2]],
        [STRUCTS[0], item(5, string('{"b":[2],"a":1}'), root="other"), STRUCTS[2]],
        [STRUCTS[0], item(6, string("k") + string("1")), STRUCTS[2]],
    ],
    ids=["length", "more", "text", "cut", "value", "neighbour", "root", "kind"],
)
def test_updates_that_differ_in_content_are_not_equivalent(other: list[bytes]) -> None:
    one, theirs = (inspect_update(update((ANN, 0, structs))) for structs in (STRUCTS, other))
    assert not equivalent_updates(one, theirs)
    assert not equivalent_updates(theirs, one)


def _content(*structs: bytes) -> Content:
    inspected = inspect_update(update((ANN, 10, structs)))
    return read_content(inspected, inspected.structs[0])


@pytest.mark.parametrize(
    ("struct", "elements"),
    [
        (text("a😀"), "a😀".encode("utf-16-le")),
        (item(8, b"\x02\x78\x75\x01\x7d\x05"), [True, [5.0]]),
        (item(5, string('{"a":1}')), [{"a": 1.0}]),
        (item(6, string("bold") + string("true")), [["bold", True]]),
        (item(3, b"\x02\x00\xff"), [b"\x02\x00\xff"]),
        (item(7, b"\x03" + string("p")), [b"\x03" + string("p")]),
    ],
    ids=["text", "values", "embed", "mark", "binary", "type"],
)
def test_each_kind_of_content_is_read(struct: bytes, elements: object) -> None:
    assert _content(struct) == Content(10, elements)  # type: ignore[arg-type]


def test_part_of_a_content_is_taken_by_clocks() -> None:
    assert _content(text("abcd")).between(11, 13) == "bc".encode("utf-16-le")
    assert _content(item(8, b"\x03\x78\x79\x7e")).between(11, 13) == [False, None]


@pytest.mark.parametrize(
    ("one", "other", "clock"),
    [
        (text("abcd"), text("abcd"), None),
        (text("abcd"), text("abxd"), 12),
        (text("xbcd"), text("abcd"), None),  # the difference is before the first clock that is compared
        (text("a😀d"), text("a\ufffd\ufffdd"), None),
        (text("a😀d"), text("abcd"), 11),
        (item(8, b"\x02\x78\x7d\x05"), item(8, b"\x02\x78\x7a" + bytes(7) + b"\x05"), None),
        (item(8, b"\x02\x78\x79"), item(8, b"\x02\x78\x7e"), 11),
    ],
)
def test_the_first_difference_is_found(one: bytes, other: bytes, clock: int | None) -> None:
    end = 14 if one[0] == 4 else 12
    assert first_difference(_content(one), _content(other), 11, end) == clock
