"""The contract of a store; ``tests/store/contract.py`` runs it against every implementation.

The rest of the project relies on these promises:

* A row is committed if, and only if, ``append`` returned a sequence number for it.
* ``seq`` counts the rows of one document from 1 without a gap, in commit order: a reader that has seen ``seq`` has
  seen every row before it.
* Appending the same ``(document, writer, n)`` again changes nothing and returns the same sequence number.
* ``load`` returns one consistent view: a snapshot and exactly the rows after its cut.
* Writing a snapshot deletes no row; only a purge does.
* A deleted document is in the bin: it loads as deleted, and takes no row. Restoring it begins a new epoch, so rows that
  were refused meanwhile stay refused, and what a room still had in its queue does not come in behind them.
* A purged document leaves a tombstone: its name and epoch. Writers are refused as before; only ``create`` uses the name
  again, in a new epoch.
"""

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Seq
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Protocol, TypeAlias

from collab.access.roles import Role
from collab.access.sharing import AccessRequest, Link, Member, Sharing
from collab.ids import DocumentName, Epoch, LinkId, Sequence, UserId
from collab.protocol.rows import CommittedRow, Row
from collab.record import record


@record
class Committed:
    """The row is in the log at ``seq``."""

    seq: Sequence


@record
class Deleted:
    """The document is deleted; the row was not written and never will be."""


@record
class EpochChanged:
    """The document has another epoch than the room was loaded with; the row was not written."""


Outcome: TypeAlias = Committed | Deleted | EpochChanged


@record
class Snapshot:
    """The merged state of all rows up to and including ``cut``. Replacing it requires naming its ``version``."""

    cut: Sequence
    state: bytes
    version: int


@record
class Stored:
    """A document as the store holds it: ``snapshot`` and ``tail`` together are everything up to ``head``.

    A document that does not exist is ``Stored(Epoch(0), Sequence(0), None, (), deleted=False)``.
    """

    epoch: Epoch
    head: Sequence
    snapshot: Snapshot | None
    tail: tuple[CommittedRow, ...]
    deleted: bool = False


@record
class Head:
    """The end of a document's log at one moment."""

    seq: Sequence
    epoch: Epoch
    deleted: bool
    access_version: int = 0
    """Grows with every change of how the document is shared."""


@record
class Tail:
    """The rows after a document's snapshot, in numbers; compaction decides by them. Bytes are payload bytes."""

    document: DocumentName
    rows: int
    row_bytes: int
    snapshot_bytes: int


@record
class DocumentInfo:
    """A catalogue entry. ``seq`` is the head of the log; times are timezone-aware, in UTC.

    ``deleted_at`` is None unless the document is in the bin.
    """

    name: DocumentName
    title: str
    seq: Sequence
    epoch: Epoch
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    member_role: Role | None = None
    """In a list: the role that the members' list gives to the user of ``Readable``."""


class ListOrder(Enum):
    """The orders of a list: names and titles ascending, times from the newest."""

    NAME = "name"
    TITLE = "title"
    CREATED = "created"
    UPDATED = "updated"


@record
class Readable:
    """The documents that a list may show, and even look at.

    Those whose names match one of the grants' ``patterns``, and those of which ``user`` is a member with ``role`` or a
    stronger one.
    """

    patterns: frozenset[str]
    user: UserId | None = None
    role: Role = Role.VIEWER


@record
class Position:
    """A place in a list: behind the document called ``name``, with ``key`` by which the list is ordered."""

    order: ListOrder
    key: str
    name: DocumentName


@record
class ListQuery:
    """One page of the list that is wanted.

    ``search``: text that the title or the name contains, whatever its case. ``prefix``: how the name begins.
    ``in_bin``: the deleted documents in place of the others. ``after``: the ``next`` of the page before, in the same
    order.
    """

    readable: Readable
    order: ListOrder = ListOrder.NAME
    search: str = ""
    prefix: str = ""
    in_bin: bool = False
    after: Position | None = None
    limit: int = 100


@record
class Page:
    """Documents in the order that was asked for. ``next`` is None when there are no more."""

    documents: tuple[DocumentInfo, ...]
    next: Position | None


NOTHING: Mapping[DocumentName, int] = MappingProxyType({})


class Store(Protocol):
    """A database of documents.

    Every method raises StoreUnavailable, with the reason as its message, when the database does not answer.
    """

    async def open(self) -> None:
        """Connect, and check that the schema is the one this code was written for."""

    async def close(self) -> None:
        """Release connections and locks. Idempotent."""

    async def ping(self) -> None:
        """Return when the database answers."""

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        """Commit all rows in one transaction; return their outcomes in the order of ``rows``.

        Creates documents that do not exist yet (at epoch 0); the author of the first row becomes the owner. A row that
        is refused, because its document is deleted or has another epoch, does not stop the others. A row that comes
        twice is written once. After StoreUnavailable and after a cancellation the outcome is unknown: call again with
        exactly the same rows.
        """

    async def load(self, name: DocumentName) -> Stored:
        """Return snapshot and tail in one consistent view. Raises RoomClosed when a part of it is damaged."""

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        """Return at most ``limit`` rows after ``cursor``, in order. Raises RoomClosed when one is damaged."""

    async def heads(
        self, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int] = NOTHING
    ) -> dict[DocumentName, Head]:
        """Return the heads of the documents that are not at the given cursor, or are deleted, in one query.

        ``access``: for some of these documents, the version of their sharing that the caller knows. They are returned
        too if it is another one now. Documents that do not exist are left out. Made for tens of thousands of documents.
        """

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        """Replace the snapshot of version ``snapshot.version`` (0: there is none yet) by this one, as version + 1.

        Returns False, and changes nothing, when the version or the epoch has changed, the document is deleted, or the
        cut does not move forward or lies beyond the head. Deletes no row.
        """

    async def tails(self, *, row_cost: int, cost_min: int, limit: int) -> list[Tail]:
        """Return the tails that cost more to load than their snapshot and than ``cost_min``, the costliest first.

        A tail costs the bytes of its payloads plus ``row_cost`` for each row.
        """

    async def tail(self, name: DocumentName) -> Tail | None:
        """Return the tail of one document; None when there is no such document, or it is deleted."""

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, query: ListQuery) -> Page:
        """Return a page of the list.

        It may be short, even empty, and still have a ``next``: where patterns with a star inside leave out much, a page
        looks through a bounded number of documents.
        """

    async def find(self, name: DocumentName) -> DocumentInfo:
        """Return one entry. Raises DocumentNotFound, or DocumentInBin."""

    async def create(self, name: DocumentName, title: str, owner: UserId | None = None) -> DocumentInfo:
        """Create an empty document, also where one was purged, with ``owner`` as its first member.

        Raises DocumentExists, DocumentInBin, and TransientError where one was purged a moment ago.
        """

    async def set_titles(self, titles: Mapping[DocumentName, str]) -> None:
        """Change the titles that lists show; the times stay. Documents that are deleted or not there are left out."""

    async def latest(self, limit: int) -> list[DocumentInfo]:
        """Return the ``limit`` documents that changed last, the last one first, without the deleted ones."""

    # --- the bin -----------------------------------------------------------------------------------

    async def delete(self, name: DocumentName) -> None:
        """Move the document to the bin; its rows stay. Raises DocumentNotFound or DocumentInBin."""

    async def restore(self, name: DocumentName) -> DocumentInfo:
        """Take the document out of the bin, in a new epoch. Idempotent. Raises DocumentNotFound."""

    async def purge(self, name: DocumentName) -> None:
        """Delete the document for good, from the bin or not: nothing brings it back. Raises DocumentNotFound.

        Its rows go with ``clear_purged``.
        """

    async def purge_older(self, deleted_before: datetime, limit: int) -> list[DocumentName]:
        """Purge the documents deleted before this time, the oldest first, at most ``limit``. Return their names."""

    async def clear_purged(self, limit: int) -> int:
        """Remove at most ``limit`` rows of purged documents, from every table; return how many. 0: none are left."""

    # --- sharing -----------------------------------------------------------------------------------
    # Every change raises the document's ``access_version``. All but ``sharing`` and ``find_link`` raise
    # DocumentNotFound or DocumentDeleted.

    async def sharing(self, name: DocumentName, users: Collection[UserId], links: Collection[LinkId]) -> Sharing:
        """Return what the document's lists say of these users and links, also of a deleted document.

        A document that does not exist is ``NOT_SHARED``.
        """

    async def list_members(self, name: DocumentName) -> list[Member]:
        """Return all members, by user."""

    async def put_member(self, name: DocumentName, user: UserId, role: Role) -> Member:
        """Add a member or change a role; the user's request for access is answered by it.

        Raises LastOwner when no owner would be left, SharingFull when there are as many members as there may be.
        """

    async def remove_member(self, name: DocumentName, user: UserId) -> None:
        """Remove a member. Raises MemberNotFound, and LastOwner when no owner would be left."""

    async def list_links(self, name: DocumentName) -> list[Link]:
        """Return all links, the newest first."""

    async def add_link(self, link: Link, secret_digest: bytes) -> None:
        """Add a link to its document. Raises SharingFull when there are as many as there may be."""

    async def remove_link(self, name: DocumentName, link: LinkId) -> None:
        """Revoke a link of this document. Raises LinkNotFound."""

    async def find_link(self, secret_digest: bytes) -> Link | None:
        """Return the link that was added with this digest; None if there is none, or it was revoked."""

    async def set_published(self, name: DocumentName, published: bool) -> None:
        """Publish the document, or take that back."""

    async def list_requests(self, name: DocumentName) -> list[AccessRequest]:
        """Return everybody who waits for access, in the order in which they asked."""

    async def add_request(self, name: DocumentName, request: AccessRequest) -> None:
        """Add a request, or replace that of the same user. Raises SharingFull when too many wait."""
