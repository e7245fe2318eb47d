"""Members, links and requests for access of documents, and which documents are published.

Every change begins with the next ``access_version`` of its document. That locks the document's row, so two changes of
one document follow each other: the last owner is still the last one when it is looked at.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import FromClause, Text, func, insert, literal, null, select, union_all, update
from sqlalchemy import Row as SqlRow
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.access.roles import Role
from collab.access.sharing import (
    LINKS_MAX,
    MEMBERS_MAX,
    NOT_SHARED,
    REQUESTS_MAX,
    AccessRequest,
    Link,
    Member,
    Sharing,
)
from collab.errors import DocumentDeleted, DocumentNotFound, LastOwner, LinkNotFound, MemberNotFound, SharingFull
from collab.ids import DocumentName, LinkId, UserId
from collab.store import log
from collab.store.parameters import parameter_table
from collab.store.schema import access_requests, documents, links, members

_DOCUMENT, _MEMBER, _LINK = range(3)


async def sharing(
    connection: AsyncConnection, name: DocumentName, users: Collection[UserId], link_ids: Collection[LinkId]
) -> Sharing:
    """Return what the lists say of these users and links, as ``Store.sharing`` promises, in one statement."""
    document = documents.c.name == name
    head = (documents.c.access_version, documents.c.published_at)
    parts = [select(literal(_DOCUMENT), literal(""), literal(0), *head).where(document)]
    for kind, table, key, keys in (
        (_MEMBER, members, members.c.user_id, users),
        (_LINK, links, links.c.id, link_ids),
    ):
        if keys:
            wanted = parameter_table(connection, {"key": Text()}, [(each,) for each in keys])
            listed = documents.join(table, table.c.document_id == documents.c.id).join(wanted, key == wanted.c.key)
            parts.append(select(literal(kind), key, table.c.role, *head).select_from(listed).where(document))
    rows = list(await connection.execute(union_all(*parts)))
    if not rows:
        return NOT_SHARED
    _, _, _, version, published_at = rows[0]
    return Sharing(
        version,
        {UserId(key): Role(role) for kind, key, role, *_ in rows if kind == _MEMBER},
        {LinkId(key): Role(role) for kind, key, role, *_ in rows if kind == _LINK},
        is_published=published_at is not None,
    )


# --- members ------------------------------------------------------------------------------------------


async def list_members(connection: AsyncConnection, name: DocumentName) -> list[Member]:
    """Return all members, by user."""
    document = await _document(connection, name)
    found = await connection.execute(
        select(members).where(members.c.document_id == document).order_by(members.c.user_id)
    )
    return [Member(UserId(row.user_id), Role(row.role), row.created_at) for row in found]


async def put_member(connection: AsyncConnection, name: DocumentName, user: UserId, role: Role) -> Member:
    """Add a member or change a role, and answer the user's request. Raises LastOwner, SharingFull."""
    document = await _change(connection, name)
    known = await _member(connection, document, user)
    if known is not None:
        await _keep_an_owner(connection, document, known, role)
        await connection.execute(update(members).where(*_is(document, user)).values(role=role))
        since = known.created_at
    else:
        await _refuse_more(connection, members, document, MEMBERS_MAX)
        since = datetime.now(UTC)
        await connection.execute(insert(members).values(_new_member(document, user, role, since)))
    await connection.execute(
        delete_from(access_requests).where(access_requests.c.document_id == document, access_requests.c.user_id == user)
    )
    return Member(user, role, since)


async def remove_member(connection: AsyncConnection, name: DocumentName, user: UserId) -> None:
    """Remove a member. Raises MemberNotFound, LastOwner."""
    document = await _change(connection, name)
    known = await _member(connection, document, user)
    if known is None:
        raise MemberNotFound
    await _keep_an_owner(connection, document, known, None)
    await connection.execute(delete_from(members).where(*_is(document, user)))


async def _member(connection: AsyncConnection, document: int, user: UserId) -> SqlRow[Any] | None:
    return (await connection.execute(select(members).where(*_is(document, user)))).first()


async def _keep_an_owner(connection: AsyncConnection, document: int, known: SqlRow[Any], role: Role | None) -> None:
    """Raise LastOwner if no member would be an owner once this one has ``role``."""
    if known.role != Role.OWNER or role == Role.OWNER:
        return
    owners = select(func.count()).where(members.c.document_id == document, members.c.role == Role.OWNER)
    if await connection.scalar(owners) == 1:
        raise LastOwner


def _is(document: int, user: UserId) -> tuple[Any, Any]:
    return members.c.document_id == document, members.c.user_id == user


def _new_member(document: int, user: UserId, role: Role, now: datetime) -> dict[str, Any]:
    return {"document_id": document, "user_id": user, "role": role, "created_at": now}


# --- links --------------------------------------------------------------------------------------------


async def list_links(connection: AsyncConnection, name: DocumentName) -> list[Link]:
    """Return all links, the newest first."""
    document = await _document(connection, name)
    found = await connection.execute(
        select(links).where(links.c.document_id == document).order_by(links.c.created_at.desc(), links.c.id)
    )
    return [_link(row, name) for row in found]


async def add_link(connection: AsyncConnection, link: Link, secret_digest: bytes) -> None:
    """Add a link. Raises SharingFull."""
    document = await _change(connection, link.document)
    await _refuse_more(connection, links, document, LINKS_MAX)
    await connection.execute(
        insert(links).values(
            id=link.id,
            document_id=document,
            secret_digest=secret_digest,
            password_hash=link.password_hash,
            role=link.role,
            created_by=link.created_by,
            created_at=link.created_at,
            expires_at=link.expires_at,
        )
    )


async def remove_link(connection: AsyncConnection, name: DocumentName, link: LinkId) -> None:
    """Remove a link of this document. Raises LinkNotFound."""
    document = await _change(connection, name)
    done = await connection.execute(delete_from(links).where(links.c.document_id == document, links.c.id == link))
    if done.rowcount != 1:
        raise LinkNotFound


async def find_link(connection: AsyncConnection, secret_digest: bytes) -> Link | None:
    """Return the link with this digest."""
    found = await connection.execute(
        select(links, documents.c.name)
        .join(documents, documents.c.id == links.c.document_id)
        .where(links.c.secret_digest == secret_digest)
    )
    row = found.first()
    return None if row is None else _link(row, DocumentName(row.name))


def _link(row: SqlRow[Any], name: DocumentName) -> Link:
    return Link(
        LinkId(row.id),
        name,
        Role(row.role),
        UserId(row.created_by),
        row.created_at,
        row.expires_at,
        row.password_hash,
    )


# --- publication, requests ----------------------------------------------------------------------------


async def set_published(connection: AsyncConnection, name: DocumentName, published: bool) -> None:
    """Publish a document, or take it back. Doing either twice is normal."""
    document = await _change(connection, name)
    at = func.coalesce(documents.c.published_at, datetime.now(UTC)) if published else null()
    await connection.execute(update(documents).where(documents.c.id == document).values(published_at=at))


async def list_requests(connection: AsyncConnection, name: DocumentName) -> list[AccessRequest]:
    """Return everybody who waits for access, in the order in which they asked."""
    document = await _document(connection, name)
    found = await connection.execute(
        select(access_requests)
        .where(access_requests.c.document_id == document)
        .order_by(access_requests.c.created_at, access_requests.c.user_id)
    )
    return [AccessRequest(UserId(row.user_id), row.name, row.message, row.created_at) for row in found]


async def add_request(connection: AsyncConnection, name: DocumentName, request: AccessRequest) -> None:
    """Add a request, or replace that of the same user. Raises SharingFull."""
    document = await _change(connection, name)
    await connection.execute(
        delete_from(access_requests).where(
            access_requests.c.document_id == document, access_requests.c.user_id == request.user
        )
    )
    await _refuse_more(connection, access_requests, document, REQUESTS_MAX)
    await connection.execute(
        insert(access_requests).values(
            document_id=document,
            user_id=request.user,
            name=request.name,
            message=request.message,
            created_at=request.asked_at,
        )
    )


# --- the document -------------------------------------------------------------------------------------


async def _document(connection: AsyncConnection, name: DocumentName) -> int:
    """Return the id of a document. Raises DocumentNotFound or DocumentDeleted."""
    found = await log.document(connection, name)
    if found is None:
        raise DocumentNotFound
    if found.deleted_at is not None:
        raise DocumentDeleted
    return int(found.id)


async def _change(connection: AsyncConnection, name: DocumentName) -> int:
    """Begin a change of how a document is shared, and return its id. Raises DocumentNotFound or DocumentDeleted."""
    changed = await connection.execute(
        update(documents)
        .where(documents.c.name == name, documents.c.deleted_at.is_(None))
        .values(access_version=documents.c.access_version + 1)
        .returning(documents.c.id)
    )
    document: int | None = changed.scalar()
    return await _document(connection, name) if document is None else document  # raises the reason


async def _refuse_more(connection: AsyncConnection, table: FromClause, document: int, most: int) -> None:
    """Raise SharingFull if the table has as many rows of this document as it may."""
    rows = select(func.count()).select_from(table).where(table.c.document_id == document)
    if (await connection.scalar(rows) or 0) >= most:
        raise SharingFull
