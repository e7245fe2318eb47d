"""What a store is, by contract; ``tests/store/contract.py`` runs it against every implementation.

It stands between the running server, which thinks in documents and rows, and a database. The promises the
rest of the project builds on:

* ``append`` returning a sequence for a row means that the row is committed. Nothing else means it.
* ``seq`` is per document, gapless from 1, in commit order: who has seen ``seq`` has seen all before it.
* Appending the same ``(document, writer, n)`` again changes nothing and returns the same sequence.
* ``load`` is one consistent view: a snapshot and exactly the rows after its cut.
* Writing a snapshot deletes no row.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from collab.ids import DocumentName, Epoch, Sequence
from collab.protocol.rows import CommittedRow, Row


@dataclass(frozen=True, slots=True)
class Committed:
    """The row is in the log at ``seq``."""

    seq: Sequence


@dataclass(frozen=True, slots=True)
class Deleted:
    """The document is in the bin; the row was not written and never will be."""


@dataclass(frozen=True, slots=True)
class EpochChanged:
    """The document has begun another life since the room was loaded; the row was not written."""


Outcome: TypeAlias = Committed | Deleted | EpochChanged


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The merged state of all rows up to and including ``cut``. ``version`` is the token for replacing it."""

    cut: Sequence
    state: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as the store knows it: ``snapshot`` plus ``tail`` is everything up to ``head``.

    A document that does not exist is ``Stored(Epoch(0), Sequence(0), None, (), deleted=False)``.
    """

    epoch: Epoch
    head: Sequence
    snapshot: Snapshot | None
    tail: tuple[CommittedRow, ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where a document's log ends now."""

    seq: Sequence
    epoch: Epoch
    deleted: bool


@dataclass(frozen=True, slots=True)
class Tail:
    """How much lies behind a document's snapshot: what compaction decides on. Bytes are payload bytes."""

    document: DocumentName
    rows: int
    row_bytes: int
    snapshot_bytes: int


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A catalogue entry. ``seq`` is the head of the log; times are aware, in UTC."""

    name: DocumentName
    title: str
    seq: Sequence
    epoch: Epoch
    created_at: datetime
    updated_at: datetime


class Store(Protocol):
    """The durable side.

    Every method raises StoreUnavailable, whose sentence says why, when the database does not answer.
    """

    async def open(self) -> None:
        """Connect and check that the schema is the one this code was written for."""

    async def close(self) -> None:
        """Give everything back. Idempotent."""

    async def ping(self) -> None:
        """Return when the database answers."""

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """Commit all rows in one transaction; outcomes in the order of ``rows``.

        Creates documents that do not exist yet (at epoch 0). A row refused for a deleted document or a
        changed epoch does not stop the others. A row that comes twice is written once. After StoreUnavailable,
        and after a cancellation, the outcome is unknown: call again with the very same rows.
        """

    async def load(self, name: DocumentName) -> Stored:
        """Snapshot and tail in one consistent view. Raises RoomClosed when a part of it is damaged."""

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        """Rows with ``seq > cursor`` in order, at most ``limit``. Raises RoomClosed when one is damaged."""

    async def heads(self, cursors: Mapping[DocumentName, Sequence]) -> dict[DocumentName, Head]:
        """In one query: the heads of those documents that are not at the given cursor, or are deleted.

        Documents that do not exist are left out. Tens of thousands may be asked for.
        """

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        """Replace the snapshot of version ``snapshot.version`` (0: there is none yet) by this one.

        Stored with version + 1. False, and nothing changed, when the version or the epoch is another by
        now, the document is deleted, or the cut does not move forward or lies beyond the head. Deletes no row.
        """

    async def tails(self, *, row_cost: int, weight_min: int, limit: int) -> list[Tail]:
        """Documents whose tail outweighs their snapshot, and ``weight_min``; the heaviest tails first.

        A tail weighs the bytes of its payloads and ``row_cost`` for each row.
        """

    async def tail(self, name: DocumentName) -> Tail | None:
        """One document's; None when there is no such document, or it is deleted."""

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, after: str, limit: int) -> list[DocumentInfo]:
        """Documents that are not deleted, with ``name > after``, in the order of their code points."""

    async def find(self, name: DocumentName) -> DocumentInfo:
        """Raises DocumentNotFound, or DocumentDeleted when it is in the bin."""

    async def create(self, name: DocumentName, title: str) -> DocumentInfo:
        """Raises DocumentExists, or DocumentDeleted when one of this name is in the bin."""

    async def set_title(self, name: DocumentName, title: str) -> DocumentInfo:
        """Raises DocumentNotFound or DocumentDeleted."""

    async def delete(self, name: DocumentName) -> None:
        """Move to the bin. Raises DocumentNotFound or DocumentDeleted."""
