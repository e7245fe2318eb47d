"""When a snapshot is worth writing. ``serve/compactor.py`` writes it, ``crdt/stored.py`` says what is in it.

A tail of rows is compacted into the snapshot when it outgrows it. So the bytes ever written as snapshots stay a small
multiple of the bytes in the log, and opening a document never reads much more than its content. (The store finds the
costliest tails among all its documents by the same numbers.)
"""

ROW_COST_BYTES = 128
"""Bytes that a row costs on top of its payload. (A 20-byte update becomes about one byte of state.)"""

TAIL_BYTES_MIN = 64 * 1024
"""A shorter tail is not worth a snapshot while there are sessions."""

LEFT_TAIL_ROWS_MIN = 20
"""A tail of so many rows is worth a snapshot once the last session has left: the next opening will be quick."""


def is_due(*, rows: int, row_bytes: int, snapshot_bytes: int, people_left: bool = False) -> bool:
    """Return True if a tail of ``rows`` rows with ``row_bytes`` of payload should become part of the snapshot."""
    if rows == 0:
        return False
    cost = row_bytes + rows * ROW_COST_BYTES
    if cost > max(TAIL_BYTES_MIN, snapshot_bytes):
        return True
    return people_left and rows >= LEFT_TAIL_ROWS_MIN and cost * 4 > snapshot_bytes
