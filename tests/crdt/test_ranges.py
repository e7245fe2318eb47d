"""Sets of ids, compared with plain sets of pairs."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.ranges import IdRanges

_Range: TypeAlias = tuple[int, int, int]
"""Client, first clock, length."""

_RANGES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(1, 10)))


def _set_of(ranges: Iterable[_Range]) -> IdRanges:
    added = IdRanges()
    for client, start, length in ranges:
        added.add(client, start, start + length)
    return added


def _ids_of(ranges: Iterable[_Range]) -> set[tuple[int, int]]:
    return {(client, clock) for client, start, length in ranges for clock in range(start, start + length)}


def _longest_runs(ids: set[tuple[int, int]]) -> list[_Range]:
    """Return the fewest ranges that cover exactly these ids, in order."""
    runs = groupby(enumerate(sorted(ids)), key=lambda pair: (pair[1][0], pair[1][1] - pair[0]))
    clocks = [[id_ for _, id_ in run] for _, run in runs]
    return [(run[0][0], run[0][1], len(run)) for run in clocks]


@given(_RANGES, st.integers(1, 4), st.integers(0, 50), st.integers(1, 12))
def test_a_range_is_covered_if_all_its_ids_were_added(
    added: Sequence[_Range], client: int, start: int, length: int
) -> None:
    expected = _ids_of([(client, start, length)]) <= _ids_of(added)
    assert _set_of(added).covers(client, start, start + length) is expected


@given(_RANGES)
def test_ranges_are_sorted_and_merged_in_any_order_of_adding(added: Sequence[_Range]) -> None:
    in_order = _set_of(_longest_runs(_ids_of(added)))
    assert _set_of(added) == in_order
    assert _set_of(reversed(added)) == in_order


def test_ranges_that_touch_become_one() -> None:
    assert _set_of([(7, 0, 2), (7, 4, 2), (7, 2, 2)]) == _set_of([(7, 0, 6)])


def test_sets_differ_in_clients_and_in_clocks() -> None:
    assert _set_of([(7, 0, 2)]) != _set_of([(8, 0, 2)])
    assert _set_of([(7, 0, 2)]) != _set_of([(7, 0, 3)])
    assert _set_of([(7, 0, 2)]) != [(7, 0, 2)]
