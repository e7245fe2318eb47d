"""Rows of a document's log. A row holds the updates of one flush, in the order of their arrival.

The same bytes are stored and relayed, and every replica decodes them into entries. Updates are kept unmerged, so the
write path does no CRDT work, and the author of each update stays known.

Layout of a payload (integers are varUints)::

    payload = version(=1)  count author*  count entry*
    author  = varString             a user id, each once
    entry   = 2 * author index + (1 if carried), varBytes update
"""

from collections.abc import Iterable

from collab.errors import ProtocolError
from collab.ids import DocumentName, Epoch, Sequence, UserId, WriterId
from collab.protocol.varint import Reader, Writer
from collab.record import record

_VERSION = 1


@record
class Entry:
    """One accepted update, and the user who sent it."""

    author: UserId
    update: bytes
    carried: bool = False
    """True if it adds content under a client id that its author did not show as their own. It may be an edit by another
    user, which the author's client had seen and brought back."""


@record
class Row:
    """One flush of one document, to be appended.

    ``n`` counts this writer's rows of the document from 1. ``epoch`` is the epoch with which the room was loaded, or 0
    if the document did not exist yet.
    """

    document: DocumentName
    epoch: Epoch
    writer: WriterId
    n: int
    payload: bytes
    author: UserId | None = None
    """The user of its first entry, who owns the document if this row creates it."""


@record
class CommittedRow:
    """A row with its position in the log."""

    seq: Sequence
    writer: WriterId
    n: int
    payload: bytes


def encode_entries(entries: Iterable[Entry]) -> bytes:
    """Return the payload of a row that holds ``entries``."""
    entries = tuple(entries)
    authors: dict[UserId, int] = {}
    for entry in entries:
        authors.setdefault(entry.author, len(authors))
    writer = Writer()
    writer.var_uint(_VERSION)
    writer.var_uint(len(authors))
    for author in authors:
        writer.var_string(author)
    writer.var_uint(len(entries))
    for entry in entries:
        writer.var_uint(2 * authors[entry.author] + entry.carried)
        writer.var_bytes(entry.update)
    return writer.to_bytes()


def decode_entries(payload: bytes) -> tuple[Entry, ...]:
    """Return the entries of a row's payload, in order. Raises ProtocolError if the bytes are no payload of a row."""
    reader = Reader(payload)
    if reader.var_uint() != _VERSION:
        raise ProtocolError("The log row has a format this version does not know.")
    authors = [UserId(reader.var_string()) for _ in range(reader.count())]
    entries = []
    for _ in range(reader.count()):
        index, carried = divmod(reader.var_uint(), 2)
        if index >= len(authors):
            raise ProtocolError("The log row names an author it does not list.")
        entries.append(Entry(authors[index], reader.var_bytes(), bool(carried)))
    reader.end()
    return tuple(entries)
