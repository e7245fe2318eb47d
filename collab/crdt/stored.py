"""The document that is stored as a snapshot and the rows after it, and the snapshot that replaces both."""

from collections.abc import Iterable

from collab.crdt.document import Document
from collab.errors import DocumentPoisoned, PeerError
from collab.protocol.rows import CommittedRow, decode_entries


def load_document(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> Document:
    """Return the document that a snapshot and the rows after it make. Raises DocumentPoisoned when they make none."""
    try:
        return Document.load(snapshot, (entry.update for row in rows for entry in decode_entries(row.payload)))
    except PeerError as error:  # bytes that no guard of ours can have let into the log
        raise DocumentPoisoned("The stored document cannot be read.") from error


def compact(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> bytes:
    """Return the state that replaces ``snapshot`` and the ``rows`` after it.

    Raises DocumentPoisoned when what would be written does not read back as what was merged: a snapshot that
    leaves something out is worse than none, since opening the document trusts it.
    """
    document = load_document(snapshot, rows)
    if not document.reads_back():
        raise DocumentPoisoned("The merged state does not read back as what went in.")
    return document.encode()
