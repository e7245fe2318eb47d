"""A store in dictionaries, for the simulated network, unit tests and demos. It passes the contract of the databases.

No method ever waits, so a simulation can drive it step by step. It keeps nothing beyond its own life.
"""

from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from collab.access.roles import Role
from collab.access.sharing import NOT_SHARED, AccessRequest, Link, Member, Sharing
from collab.errors import DocumentExists, DocumentInBin, DocumentNotFound
from collab.ids import DocumentName, Epoch, LinkId, Sequence, UserId, WriterId
from collab.protocol.rows import CommittedRow, Row
from collab.store import readable
from collab.store.base import (
    NOTHING,
    Committed,
    Deleted,
    DocumentInfo,
    EpochChanged,
    Head,
    ListOrder,
    ListQuery,
    Outcome,
    Page,
    Position,
    Snapshot,
    Stored,
    Tail,
)
from collab.store.deletion import refuse_fresh
from collab.store.listing import FROM_NEWEST, time_key
from collab.store.memory_sharing import Lists
from collab.store.search_keys import fold, search_text, title_key


@dataclass(slots=True)
class _Document:
    """One document: ``log[seq - 1]`` is the row at ``seq``, and ``places`` finds a row by its key."""

    name: DocumentName
    title: str
    created_at: datetime
    updated_at: datetime
    epoch: Epoch = Epoch(0)  # noqa: RUF009 - a NewType of int
    deleted_at: datetime | None = None
    purged_at: datetime | None = None
    log: list[CommittedRow] = field(default_factory=list)
    places: dict[tuple[WriterId, int], Sequence] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    lists: Lists = field(default_factory=Lists)

    @property
    def purged(self) -> bool:
        return self.purged_at is not None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def head(self) -> Sequence:
        return Sequence(len(self.log))

    @property
    def cut(self) -> Sequence:
        return self.snapshot.cut if self.snapshot else Sequence(0)

    @property
    def tail(self) -> Seq[CommittedRow]:
        return self.log[self.cut :]

    def info(self) -> DocumentInfo:
        times = (self.created_at, self.updated_at, self.deleted_at)
        return DocumentInfo(self.name, self.title, self.head, self.epoch, *times)

    def position(self, order: ListOrder) -> Position:
        keys = {
            ListOrder.NAME: "",
            ListOrder.TITLE: title_key(self.title, self.name),
            ListOrder.CREATED: time_key(self.created_at),
            ListOrder.UPDATED: time_key(self.updated_at),
        }
        return Position(order, keys[order], self.name)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """A ``Store`` in memory. ``now`` returns the times of catalogue entries."""

    def __init__(self, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._documents: dict[DocumentName, _Document] = {}

    async def open(self) -> None:
        """Do nothing: there is nothing to open."""

    async def close(self) -> None:
        """Do nothing: the rows stay, so that a test can open the store again."""

    async def ping(self) -> None:
        """Return at once: it always answers."""

    # --- the log -----------------------------------------------------------------------------------

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        return [self._append_row(row) for row in rows]

    def _append_row(self, row: Row) -> Outcome:
        document = self._documents.get(row.document)
        if document is None and row.epoch == 0:
            document = self._create(row.document, title="", owner=row.author)
        if document is None:
            return EpochChanged()
        if (known := document.places.get((row.writer, row.n))) is not None:
            return Committed(known)
        if document.deleted:
            return Deleted()
        if document.epoch != row.epoch:
            return EpochChanged()
        seq = Sequence(document.head + 1)
        document.log.append(CommittedRow(seq, row.writer, row.n, row.payload))
        document.places[row.writer, row.n] = seq
        document.updated_at = self._now()
        return Committed(seq)

    async def load(self, name: DocumentName) -> Stored:
        document = self._documents.get(name)
        if document is None:
            return Stored(Epoch(0), Sequence(0), None, ())
        return Stored(document.epoch, document.head, document.snapshot, tuple(document.tail), deleted=document.deleted)

    async def rows_after(self, name: DocumentName, cursor: Sequence, limit: int = 1000) -> list[CommittedRow]:
        document = self._documents.get(name)
        return document.log[cursor : cursor + limit] if document else []

    async def heads(
        self, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int] = NOTHING
    ) -> dict[DocumentName, Head]:
        found = ((self._documents.get(name), cursor) for name, cursor in cursors.items())
        return {
            document.name: Head(document.head, document.epoch, document.deleted, document.lists.version)
            for document, cursor in found
            if document
            and (
                document.head != cursor
                or document.deleted
                or access.get(document.name, document.lists.version) != document.lists.version
            )
        }

    async def put_snapshot(self, name: DocumentName, epoch: Epoch, snapshot: Snapshot) -> bool:
        document = self._documents.get(name)
        if document is None or document.deleted or document.epoch != epoch:
            return False
        version = document.snapshot.version if document.snapshot else 0
        if snapshot.version != version or not document.cut < snapshot.cut <= document.head:
            return False
        document.snapshot = Snapshot(snapshot.cut, snapshot.state, version + 1)
        return True

    async def tails(self, *, row_cost: int, cost_min: int, limit: int) -> list[Tail]:
        def cost(tail: Tail) -> int:
            return tail.row_bytes + tail.rows * row_cost

        tails = [tail for name in self._documents if (tail := self._tail(name)) is not None]
        due = [tail for tail in tails if cost(tail) > max(cost_min, tail.snapshot_bytes)]
        return sorted(due, key=lambda tail: (-cost(tail), tail.document))[:limit]

    async def tail(self, name: DocumentName) -> Tail | None:
        return self._tail(name)

    def _tail(self, name: DocumentName) -> Tail | None:
        document = self._documents.get(name)
        if document is None or document.deleted:
            return None
        size = sum(len(row.payload) for row in document.tail)
        return Tail(name, len(document.tail), size, len(document.snapshot.state) if document.snapshot else 0)

    # --- the catalogue -----------------------------------------------------------------------------

    async def list_documents(self, query: ListQuery) -> Page:
        from_newest = query.order in FROM_NEWEST
        found = [document for document in self._documents.values() if _is_listed(document, query)]
        places = sorted((_place(document.position(query.order)) for document in found), reverse=from_newest)
        if query.after is not None:
            last = _place(query.after)
            places = [place for place in places if (place < last if from_newest else place > last)]
        shown = [self._documents[name] for _, name in places[: query.limit]]
        is_last = len(places) <= query.limit
        infos = tuple(replace(each.info(), member_role=_member_role(each, query)) for each in shown)
        return Page(infos, None if is_last else shown[-1].position(query.order))

    async def find(self, name: DocumentName) -> DocumentInfo:
        return self._listed(name).info()

    async def create(self, name: DocumentName, title: str, owner: UserId | None = None) -> DocumentInfo:
        known = self._documents.get(name)
        if known is None:
            return self._create(name, title, owner).info()
        if known.purged_at is not None:
            refuse_fresh(known.purged_at, self._now())
            document = self._create(name, title, owner)
            document.epoch = Epoch(known.epoch + 1)
            document.lists.version = known.lists.version + 1
            return document.info()
        raise DocumentInBin if known.deleted else DocumentExists

    async def set_titles(self, titles: Mapping[DocumentName, str]) -> None:
        for name, title in titles.items():
            if (document := self._documents.get(name)) is not None and not document.deleted:
                document.title = title

    async def latest(self, limit: int) -> list[DocumentInfo]:
        found = [document.info() for document in self._documents.values() if not document.deleted]
        return sorted(found, key=lambda info: info.updated_at, reverse=True)[:limit]

    # --- sharing -----------------------------------------------------------------------------------

    async def sharing(self, name: DocumentName, users: Collection[UserId], links: Collection[LinkId]) -> Sharing:
        document = self._documents.get(name)
        return NOT_SHARED if document is None else document.lists.sharing(users, links)

    async def list_members(self, name: DocumentName) -> list[Member]:
        members = self._listed(name).lists.members
        return [members[user] for user in sorted(members)]

    async def put_member(self, name: DocumentName, user: UserId, role: Role) -> Member:
        return self._listed(name).lists.put_member(user, role, self._now())

    async def remove_member(self, name: DocumentName, user: UserId) -> None:
        self._listed(name).lists.remove_member(user)

    async def list_links(self, name: DocumentName) -> list[Link]:
        return self._listed(name).lists.newest_links()

    async def add_link(self, link: Link, secret_digest: bytes) -> None:
        self._listed(link.document).lists.add_link(link, secret_digest)

    async def remove_link(self, name: DocumentName, link: LinkId) -> None:
        self._listed(name).lists.remove_link(link)

    async def find_link(self, secret_digest: bytes) -> Link | None:
        found = (document.lists.find_link(secret_digest) for document in self._documents.values())
        return next((link for link in found if link is not None), None)

    async def set_published(self, name: DocumentName, published: bool) -> None:
        self._listed(name).lists.set_published(published)

    async def list_requests(self, name: DocumentName) -> list[AccessRequest]:
        return self._listed(name).lists.oldest_requests()

    async def add_request(self, name: DocumentName, request: AccessRequest) -> None:
        self._listed(name).lists.add_request(request)

    def _create(self, name: DocumentName, title: str, owner: UserId | None = None) -> _Document:
        now = self._now()
        document = self._documents[name] = _Document(name, title, created_at=now, updated_at=now)
        if owner is not None:
            document.lists.members[owner] = Member(owner, Role.OWNER, now)
        return document

    def _listed(self, name: DocumentName) -> _Document:
        document = self._known(name)
        if document.deleted:
            raise DocumentInBin
        return document

    def _known(self, name: DocumentName) -> _Document:
        document = self._documents.get(name)
        if document is None or document.purged:
            raise DocumentNotFound
        return document

    # --- the bin -----------------------------------------------------------------------------------

    async def delete(self, name: DocumentName) -> None:
        self._listed(name).deleted_at = self._now()

    async def restore(self, name: DocumentName) -> DocumentInfo:
        document = self._known(name)
        if document.deleted:
            document.deleted_at = None
            document.lists.version += 1
            document.epoch = Epoch(document.epoch + 1)
        return document.info()

    async def purge(self, name: DocumentName) -> None:
        known = self._known(name)
        now = self._now()
        self._documents[name] = _Document(
            name, "", created_at=now, updated_at=now, epoch=known.epoch, deleted_at=now, purged_at=now
        )

    async def purge_older(self, deleted_before: datetime, limit: int) -> list[DocumentName]:
        in_bin = [
            (each.deleted_at, each.name) for each in self._documents.values() if each.deleted_at and not each.purged
        ]
        due = [name for deleted_at, name in sorted(in_bin) if deleted_at < deleted_before][:limit]
        for name in due:
            await self.purge(name)
        return due

    async def clear_purged(self, limit: int) -> int:
        return 0


def _is_listed(document: _Document, query: ListQuery) -> bool:
    return (
        document.deleted == query.in_bin
        and not document.purged
        and (
            readable.can_see(query.readable, document.name)
            or (_member_role(document, query) or 0) >= query.readable.role
        )
        and document.name.startswith(query.prefix)
        and fold(query.search) in search_text(document.title, document.name)
    )


def _member_role(document: _Document, query: ListQuery) -> Role | None:
    member = document.lists.members.get(query.readable.user) if query.readable.user is not None else None
    return None if member is None else member.role


def _place(position: Position) -> tuple[str, DocumentName]:
    return position.key, position.name
