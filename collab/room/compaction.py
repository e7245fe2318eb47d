"""When a snapshot is worth writing, and what is in it. ``serve/compactor.py`` does what this says.

A tail is folded into the snapshot when it outgrows it, so that the bytes ever written as snapshots stay a
small multiple of the bytes in the log, and opening a document never reads much more than its content. (The store
finds the heavy ones among all its documents by the same numbers.)
"""

from collections.abc import Iterable

from collab.crdt.document import Document
from collab.errors import DocumentPoisoned, PeerError
from collab.protocol.rows import CommittedRow, decode_entries

ROW_COST_BYTES = 128
"""What a row costs beside its payload. (A 20-byte update becomes about one byte of state.)"""

TAIL_BYTES_MIN = 64 * 1024
"""A shorter tail is not worth a snapshot while people are at work."""

LEFT_TAIL_ROWS_MIN = 20
"""When the last person leaves, a tail of so many rows is: the next opening will be quick."""


def is_due(*, rows: int, row_bytes: int, snapshot_bytes: int, people_left: bool = False) -> bool:
    """Whether the tail of ``rows`` rows with ``row_bytes`` of payload should become part of the snapshot."""
    if rows == 0:
        return False
    weight = row_bytes + rows * ROW_COST_BYTES
    if weight > max(TAIL_BYTES_MIN, snapshot_bytes):
        return True
    return people_left and rows >= LEFT_TAIL_ROWS_MIN and weight * 4 > snapshot_bytes


def load_document(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> Document:
    """The document that a snapshot and the rows after it make. Raises DocumentPoisoned when they make none."""
    try:
        return Document.load(snapshot, (entry.update for row in rows for entry in decode_entries(row.payload)))
    except PeerError as error:  # bytes that no guard of ours can have let into the log
        raise DocumentPoisoned("The stored document cannot be read.") from error


def compact(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> bytes:
    """The state that replaces ``snapshot`` and the ``rows`` after it.

    Raises DocumentPoisoned when what would be written does not read back as what was merged: a snapshot that
    leaves something out is worse than none, since opening the document trusts it.
    """
    document = load_document(snapshot, rows)
    if not document.reads_back():
        raise DocumentPoisoned("The merged state does not read back as what went in.")
    return document.encode()
