"""Waits between tries: they double, they have a bound, they are spread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.backoff import Backoff


def longest(_low: float, high: float) -> float:
    return high


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 3.0, uniform=longest)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_waits_start_over_after_a_reset() -> None:
    backoff = Backoff(0.5, 3.0, uniform=longest)
    for _ in range(4):
        backoff.next_s()
    backoff.reset()
    assert [backoff.next_s(), backoff.next_s()] == [0.5, 1.0]


@given(st.floats(0, 1))
def test_a_wait_is_shortened_by_at_most_a_half(share: float) -> None:
    backoff = Backoff(4.0, 8.0, uniform=lambda low, high: low + share * (high - low))
    assert 2.0 <= backoff.next_s() <= 4.0
    assert 4.0 <= backoff.next_s() <= 8.0


def test_two_replicas_wait_differently() -> None:
    assert [Backoff(1, 1).next_s() for _ in range(8)] != pytest.approx([Backoff(1, 1).next_s() for _ in range(8)])
