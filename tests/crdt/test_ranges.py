"""Sets of ids, against plain sets of pairs."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.ranges import IdRanges

_RANGES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(1, 10)))


@given(_RANGES, st.integers(1, 4), st.integers(0, 50), st.integers(1, 12))
def test_it_covers_what_was_added_and_nothing_else(
    added: list[tuple[int, int, int]], client: int, start: int, length: int
) -> None:
    ranges = IdRanges()
    ids = set()
    for other, first, size in added:
        ranges.add(other, first, first + size)
        ids |= {(other, clock) for clock in range(first, first + size)}
    wanted = {(client, clock) for clock in range(start, start + length)}
    assert ranges.covers(client, start, start + length) is (wanted <= ids)


@given(_RANGES)
def test_its_ranges_are_sorted_and_apart(added: list[tuple[int, int, int]]) -> None:
    ranges = IdRanges()
    for client, start, size in added:
        ranges.add(client, start, start + size)
    listed = list(ranges)
    for (client, _, end), (next_client, start, _) in pairwise(listed):
        assert client != next_client or end < start
    ids = {(client, clock) for client, start, end in listed for clock in range(start, end)}
    assert ids == {(client, clock) for client, start, size in added for clock in range(start, start + size)}


@given(_RANGES)
def test_the_order_of_adding_does_not_matter(added: list[tuple[int, int, int]]) -> None:
    forwards, backwards = IdRanges(), IdRanges()
    for client, start, size in added:
        forwards.add(client, start, start + size)
    for client, start, size in reversed(added):
        backwards.add(client, start, start + size)
    assert forwards == backwards


def test_ranges_that_touch_become_one() -> None:
    ranges = IdRanges()
    ranges.add(7, 0, 2)
    ranges.add(7, 4, 6)
    ranges.add(7, 2, 4)
    assert list(ranges) == [(7, 0, 6)]


def test_a_copy_goes_its_own_way() -> None:
    ranges = IdRanges()
    ranges.add(7, 0, 2)
    copy = ranges.copy()
    copy.add(7, 2, 3)
    copy.add(8, 0, 1)
    assert list(ranges) == [(7, 0, 2)]
    assert list(copy) == [(7, 0, 3), (8, 0, 1)]
    assert ranges != copy
    assert ranges != [(7, 0, 2)]
