"""Records are values."""

from collab.record import record


@record
class Point:
    x: int
    y: int = 0


def test_records_are_compared_and_hashed_by_their_fields() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 2)
    assert {Point(1), Point(1, 0)} == {Point(1)}


def test_records_match_by_position_and_have_no_dictionary() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
    assert not hasattr(Point(1), "__dict__")
