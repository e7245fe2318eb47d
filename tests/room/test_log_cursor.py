"""Rows in whatever order: each gets its turn once, in the log's order, and nothing waits without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import Overloaded
from collab.ids import Sequence
from collab.protocol.rows import CommittedRow
from collab.room import log_cursor as module
from collab.room.log_cursor import LogCursor
from tests.room.build import OTHER, OURS, a_row

ROWS = {seq: a_row(seq, bytes([seq])) for seq in range(1, 9)}
SELF = {seq: a_row(seq, bytes([seq]), writer=OURS) for seq in range(1, 9)}


def at(cursor: int) -> LogCursor:
    return LogCursor(Sequence(cursor), OURS)


def take(arrivals: LogCursor) -> list[int]:
    """Every turn that has come."""
    return [row.seq for row in arrivals.turns()]


def test_a_row_has_its_turn_when_all_before_it_had_theirs() -> None:
    arrivals = at(0)
    arrivals.heard(ROWS[2])
    assert take(arrivals) == []
    arrivals.heard(ROWS[1])
    assert take(arrivals) == [1, 2]
    assert arrivals.cursor == 2


def test_the_cursor_stays_at_a_row_that_could_not_be_taken() -> None:
    arrivals = at(0)
    arrivals.read([ROWS[1], ROWS[2]])
    turns = arrivals.turns()
    assert next(turns) is ROWS[1]
    assert arrivals.cursor == 0
    assert next(turns) is ROWS[2]
    assert arrivals.cursor == 1


def test_own_rows_are_in_the_document_already_and_have_no_turn() -> None:
    arrivals = at(0)
    arrivals.committed(SELF[1])
    arrivals.read([SELF[2], ROWS[3]])  # the second was found in the store before its commit was answered
    assert take(arrivals) == [3]
    arrivals.committed(SELF[2])
    assert take(arrivals) == []
    assert not arrivals.has_gap


def test_own_rows_behind_a_gap_are_kept_until_it_is_filled() -> None:
    arrivals = at(0)
    for seq in (5, 3):
        arrivals.committed(SELF[seq])
    assert arrivals.has_gap
    assert arrivals.is_own(Sequence(3))
    assert not arrivals.is_own(Sequence(4))
    assert [entry.update for entry in arrivals.own_entries()] == [b"\3", b"\5"]
    arrivals.read([ROWS[1], ROWS[2]])
    assert take(arrivals) == [1, 2]
    assert arrivals.cursor == 3
    assert [entry.update for entry in arrivals.own_entries()] == [b"\5"]


def test_own_rows_that_nobody_can_bring_into_their_order_are_too_many_at_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OWN_BYTES_MAX", 2 * len(SELF[3].payload))
    arrivals = at(0)
    arrivals.committed(SELF[3])
    arrivals.committed(SELF[4])
    arrivals.read([ROWS[1], ROWS[2]])
    assert take(arrivals) == [1, 2]
    for seq in (6, 7):
        arrivals.committed(SELF[seq])
    with pytest.raises(Overloaded):
        arrivals.committed(SELF[8])


def test_one_own_row_may_be_as_large_as_it_is_when_its_turn_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWN_BYTES_MAX", 0)
    arrivals = at(0)
    arrivals.committed(SELF[1])
    assert take(arrivals) == []
    arrivals.committed(SELF[2])
    assert take(arrivals) == []
    assert arrivals.cursor == 2


def test_what_replicas_say_ahead_of_its_turn_is_kept_up_to_a_bound_and_the_one_in_turn_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEARD_ROWS_MAX", 1)
    arrivals = at(0)
    for seq in (2, 3, 1):
        arrivals.heard(ROWS[seq])
    assert take(arrivals) == [1, 2]


orders = st.lists(st.tuples(st.sampled_from(["heard", "read", "committed"]), st.integers(1, 8)), max_size=40)


@given(orders)
def test_whatever_comes_in_whatever_order_the_log_is_taken_in_its_own(order: list[tuple[str, int]]) -> None:
    """Even rows are this room's own."""
    log: dict[int, CommittedRow] = {seq: (SELF if seq % 2 == 0 else ROWS)[seq] for seq in range(1, 9)}
    arrivals = at(0)
    taken: list[int] = []
    known: set[int] = set()
    for how, seq in order:
        row = log[seq]
        if how == "committed" and row.writer == OTHER:
            continue
        known.add(seq)
        match how:
            case "heard":
                arrivals.heard(row)
            case "read":
                arrivals.read([row])
            case _:
                arrivals.committed(row)
        taken += take(arrivals)
        prefix = next((seq - 1 for seq in range(1, 10) if seq not in known), 8)
        assert arrivals.cursor == prefix
        assert taken == [seq for seq in range(1, prefix + 1) if seq % 2]
