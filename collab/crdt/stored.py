"""The document that is stored as a snapshot and the rows after it, and the snapshot that replaces both."""

from collections.abc import Iterable

from collab.crdt.document import Document
from collab.crdt.guard import inspect_in_steps
from collab.crdt.steps import Steps, finish
from collab.errors import DocumentPoisoned, PeerError
from collab.protocol.limits import STORED
from collab.protocol.rows import CommittedRow, decode_entries


def load_document(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> Document:
    """Return the document that a snapshot and the rows after it make. Raises DocumentPoisoned when they make none."""
    return finish(load_in_steps(snapshot, rows))


def load_in_steps(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> Steps[Document]:
    """Do the same in steps: what was costly to take in is as costly to load."""
    updates = (entry.update for row in rows for entry in decode_entries(row.payload))
    try:
        return (yield from Document.load_in_steps(snapshot, updates))
    except PeerError as error:  # bytes that no guard of ours can have let into the log
        raise DocumentPoisoned("The stored document cannot be read.") from error


def compact(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> bytes:
    """Return the state that replaces ``snapshot`` and the ``rows`` after it.

    Raises DocumentPoisoned when what would be written does not read back as what was merged: a snapshot that
    leaves something out is worse than none, since opening the document trusts it.
    """
    return finish(checked_state(load_document(snapshot, rows)))


def checked_state(document: Document) -> Steps[bytes]:
    """Return the state of a document that was loaded. Raises DocumentPoisoned when it does not read back."""
    if not (yield from document.reads_back_in_steps()):
        raise DocumentPoisoned("The merged state does not read back as what went in.")
    return document.encode()


def read_in_slices(state: bytes) -> Steps[None]:
    """Read a state slice by slice. How long that takes tells whether it may be read in one go, as a snapshot is."""
    document = Document()
    yield from document.take_committed((yield from inspect_in_steps(state, STORED)))
