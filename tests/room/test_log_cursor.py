"""Rows that arrive in any order are ready once each, in the order of the log, and the buffer is bounded."""

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


def take(cursor: LogCursor) -> list[int]:
    """Return the numbers of the rows that are ready."""
    return [row.seq for row in cursor.ready()]


def test_row_is_ready_once_all_rows_before_it_were() -> None:
    cursor = at(0)
    cursor.from_relay(ROWS[2])
    assert take(cursor) == []
    cursor.from_relay(ROWS[1])
    assert take(cursor) == [1, 2]
    assert cursor.cursor == 2


def test_cursor_stays_at_a_row_that_could_not_be_applied() -> None:
    cursor = at(0)
    cursor.from_store([ROWS[1], ROWS[2]])
    ready = cursor.ready()
    assert next(ready) is ROWS[1]
    assert cursor.cursor == 0
    assert next(ready) is ROWS[2]
    assert cursor.cursor == 1


def test_own_rows_are_never_returned_as_ready() -> None:
    cursor = at(0)
    cursor.from_commit(SELF[1])
    cursor.from_store([SELF[2], ROWS[3]])  # the second was found in the store before its commit was answered
    assert take(cursor) == [3]
    cursor.from_commit(SELF[2])
    assert take(cursor) == []
    assert not cursor.has_gap


def test_own_rows_behind_a_gap_are_kept_until_it_is_filled() -> None:
    cursor = at(0)
    for seq in (5, 3):
        cursor.from_commit(SELF[seq])
    assert cursor.has_gap
    assert cursor.is_own(Sequence(3))
    assert not cursor.is_own(Sequence(4))
    assert [entry.update for entry in cursor.own_entries()] == [b"\3", b"\5"]
    cursor.from_store([ROWS[1], ROWS[2]])
    assert take(cursor) == [1, 2]
    assert cursor.cursor == 3
    assert [entry.update for entry in cursor.own_entries()] == [b"\5"]


def test_own_rows_behind_a_gap_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OWN_BYTES_MAX", 2 * len(SELF[3].payload))
    cursor = at(0)
    cursor.from_commit(SELF[3])
    cursor.from_commit(SELF[4])
    cursor.from_store([ROWS[1], ROWS[2]])
    assert take(cursor) == [1, 2]
    for seq in (6, 7):
        cursor.from_commit(SELF[seq])
    with pytest.raises(Overloaded):
        cursor.from_commit(SELF[8])


def test_own_row_in_order_may_exceed_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWN_BYTES_MAX", 0)
    cursor = at(0)
    cursor.from_commit(SELF[1])
    assert take(cursor) == []
    cursor.from_commit(SELF[2])
    assert take(cursor) == []
    assert cursor.cursor == 2


def test_early_relayed_rows_are_bounded_but_the_next_row_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RELAYED_ROWS_MAX", 1)
    cursor = at(0)
    for seq in (2, 3, 1):
        cursor.from_relay(ROWS[seq])
    assert take(cursor) == [1, 2]


orders = st.lists(st.tuples(st.sampled_from(["relayed", "read", "committed"]), st.integers(1, 8)), max_size=40)


@given(orders)
def test_rows_are_ready_in_log_order_for_any_order_of_arrival(order: list[tuple[str, int]]) -> None:
    """Rows with even numbers are the room's own."""
    log: dict[int, CommittedRow] = {seq: (SELF if seq % 2 == 0 else ROWS)[seq] for seq in range(1, 9)}
    cursor = at(0)
    taken: list[int] = []
    known: set[int] = set()
    for how, seq in order:
        row = log[seq]
        if how == "committed" and row.writer == OTHER:
            continue
        known.add(seq)
        match how:
            case "relayed":
                cursor.from_relay(row)
            case "read":
                cursor.from_store([row])
            case _:
                cursor.from_commit(row)
        taken += take(cursor)
        prefix = next((seq - 1 for seq in range(1, 10) if seq not in known), 8)
        assert cursor.cursor == prefix
        assert taken == [seq for seq in range(1, prefix + 1) if seq % 2]
