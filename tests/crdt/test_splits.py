"""The splits that an update causes, and the places that do not count as splits."""

from collections.abc import Mapping

import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.ranges import IdRanges
from collab.crdt.splits import splits_at_most
from tests.protocol.build import gc, text, update

ANN, BOB = 1, 2


def splits(payload: bytes, state: Mapping[int, int], *deleted: tuple[int, int, int]) -> int:
    ranges = IdRanges()
    for each in deleted:
        ranges.add(*each)
    return splits_at_most(inspect_update(payload), state, ranges, enough=0)


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        (update(deletes={ANN: [(2, 1), (4, 1)]}), 4),
        (update(deletes={ANN: [(0, 2), (8, 2)]}), 2),
        (update((BOB, 0, [text("x", left=(ANN, 3), right=(ANN, 4))])), 1),
        (update((BOB, 0, [text("x", left=(ANN, 3), right=(ANN, 6))])), 2),
        (update((BOB, 0, [text("x", left=(ANN, 3), right=(ANN, 4)), text("y", left=(BOB, 0), right=(ANN, 4))])), 1),
    ],
    ids=["inside", "from end to end", "between two", "far apart", "twice at one place"],
)
def test_each_place_inside_known_structs_counts_once(payload: bytes, count: int) -> None:
    assert splits(payload, {ANN: 10}) == count


@pytest.mark.parametrize(
    "payload",
    [
        update((ANN, 10, [text("x", left=(ANN, 9))])),
        update((BOB, 0, [text("x", right=(ANN, 0))])),
        update((ANN, 10, [text("x", left=(ANN, 9)), text("y", left=(ANN, 10)), text("z", left=(ANN, 11))])),
        update((BOB, 0, [text("a"), gc(2), text("b", left=(BOB, 2))]), deletes={BOB: [(1, 2)]}),
    ],
    ids=["at its end", "at its beginning", "key by key", "a whole document with its deletions"],
)
def test_a_place_between_two_structs_is_no_split(payload: bytes) -> None:
    assert splits(payload, {ANN: 10}) == 0


def test_a_known_deletion_splits_nothing() -> None:
    assert splits(update(deletes={ANN: [(2, 1), (4, 1)]}), {ANN: 10}, (ANN, 2, 1 + 2), (ANN, 4, 5)) == 0


def test_splits_of_own_structs_count() -> None:
    assert splits(update((ANN, 0, [text("abcdef")]), deletes={ANN: [(1, 1), (3, 1)]}), {}) == 4


def test_few_structs_and_deletions_are_not_counted_exactly() -> None:
    nothing = inspect_update(update((ANN, 10, [text("x", left=(ANN, 9))]), deletes={ANN: [(2, 1)]}))
    assert splits_at_most(nothing, {ANN: 10}, IdRanges(), enough=4) == 4
    assert splits_at_most(nothing, {ANN: 10}, IdRanges(), enough=3) == 2
