"""When a snapshot is due."""

from collab.room.compaction import LEFT_TAIL_ROWS_MIN, ROW_COST_BYTES, TAIL_BYTES_MIN, is_due


def test_empty_tail_is_never_due() -> None:
    assert not is_due(rows=0, row_bytes=0, snapshot_bytes=0)
    assert not is_due(rows=0, row_bytes=0, snapshot_bytes=0, people_left=True)


def test_short_tail_is_not_due_while_users_are_connected() -> None:
    rows = 100
    rest = TAIL_BYTES_MIN - rows * ROW_COST_BYTES
    assert not is_due(rows=rows, row_bytes=rest, snapshot_bytes=0)
    assert is_due(rows=rows, row_bytes=rest + 1, snapshot_bytes=0)


def test_tail_is_due_when_it_outgrows_the_snapshot() -> None:
    large = 10 * TAIL_BYTES_MIN
    assert not is_due(rows=1, row_bytes=large - ROW_COST_BYTES, snapshot_bytes=large)
    assert is_due(rows=1, row_bytes=large - ROW_COST_BYTES + 1, snapshot_bytes=large)


def test_quarter_of_the_snapshot_is_enough_when_the_last_user_left() -> None:
    rows = LEFT_TAIL_ROWS_MIN
    weight = rows * ROW_COST_BYTES
    assert is_due(rows=rows, row_bytes=0, snapshot_bytes=4 * weight - 1, people_left=True)
    assert not is_due(rows=rows, row_bytes=0, snapshot_bytes=4 * weight, people_left=True)
    assert not is_due(rows=rows, row_bytes=0, snapshot_bytes=0, people_left=False)
    assert not is_due(rows=rows - 1, row_bytes=0, snapshot_bytes=0, people_left=True)


def test_total_snapshot_bytes_stay_a_small_multiple_of_the_log() -> None:
    """The document only grows: a snapshot holds all of it, and the next is written once it has doubled."""
    log = snapshots = snapshot = tail = rows = 0
    for _ in range(100_000):
        log, tail, rows = log + 40, tail + 40, rows + 1
        if is_due(rows=rows, row_bytes=tail, snapshot_bytes=snapshot):
            snapshot, tail, rows = log, 0, 0
            snapshots += snapshot
    assert snapshots <= 8 * log
