"""When a snapshot is written, and that it is never worse than what it replaces."""

from collab.room.compaction import LEFT_TAIL_ROWS_MIN, ROW_COST_BYTES, TAIL_BYTES_MIN, is_due

ANN, BOB, COY = 1, 2, 3


# --- when ------------------------------------------------------------------------------------------------


def test_no_rows_are_never_due() -> None:
    assert not is_due(rows=0, row_bytes=0, snapshot_bytes=0)
    assert not is_due(rows=0, row_bytes=0, snapshot_bytes=0, people_left=True)


def test_short_tail_is_not_worth_a_snapshot_while_people_are_at_work() -> None:
    rows = 100
    rest = TAIL_BYTES_MIN - rows * ROW_COST_BYTES
    assert not is_due(rows=rows, row_bytes=rest, snapshot_bytes=0)
    assert is_due(rows=rows, row_bytes=rest + 1, snapshot_bytes=0)


def test_tail_is_due_when_it_outgrows_the_snapshot() -> None:
    large = 10 * TAIL_BYTES_MIN
    assert not is_due(rows=1, row_bytes=large - ROW_COST_BYTES, snapshot_bytes=large)
    assert is_due(rows=1, row_bytes=large - ROW_COST_BYTES + 1, snapshot_bytes=large)


def test_when_the_last_person_leaves_a_quarter_of_the_snapshot_is_enough() -> None:
    rows = LEFT_TAIL_ROWS_MIN
    weight = rows * ROW_COST_BYTES
    assert is_due(rows=rows, row_bytes=0, snapshot_bytes=4 * weight - 1, people_left=True)
    assert not is_due(rows=rows, row_bytes=0, snapshot_bytes=4 * weight, people_left=True)
    assert not is_due(rows=rows, row_bytes=0, snapshot_bytes=0, people_left=False)
    assert not is_due(rows=rows - 1, row_bytes=0, snapshot_bytes=0, people_left=True)


def test_snapshots_written_over_a_life_stay_a_small_multiple_of_the_log() -> None:
    """A document that only grows: each snapshot holds all of it, and is written when as much has come again."""
    log = snapshots = snapshot = tail = rows = 0
    for _ in range(100_000):
        log, tail, rows = log + 40, tail + 40, rows + 1
        if is_due(rows=rows, row_bytes=tail, snapshot_bytes=snapshot):
            snapshot, tail, rows = log, 0, 0
            snapshots += snapshot
    assert snapshots <= 8 * log
