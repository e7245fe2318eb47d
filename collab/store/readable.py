"""The one place where "what this caller may read" becomes a condition of a query.

A list must not tell how many documents are hidden from its caller: not by its pages, and not by the time that it takes.
So what may be read is decided by the database, before it sorts or searches, and by ranges of the index of names: it
does not even visit documents that no grant speaks of.

Documents are found in two ways, each with its index: by the patterns of the caller's grants, and as those of which the
caller is a member. A pattern becomes a range, and for what ``*`` leaves out a comparison of text. One with a ``*``
beside a ``**`` allows a little too much that way, so whoever asks also calls ``is_seen``.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, false, func, literal, not_, or_, select, union_all
from sqlalchemy import Row as SqlRow
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.access.grants import ANY_DEPTH, matches
from collab.access.roles import Role
from collab.ids import DocumentName
from collab.store.base import Readable
from collab.store.schema import documents, members

_ESCAPE = "\\"


def is_everything(readable: Readable) -> bool:
    """Return True if every document may be read."""
    return ANY_DEPTH in readable.patterns


def can_see(readable: Readable, name: DocumentName) -> bool:
    """Return True if a pattern says that the document may be read."""
    return is_everything(readable) or any(matches(pattern, name) for pattern in readable.patterns)


def is_seen(readable: Readable, row: SqlRow[Any]) -> bool:
    """Return True if this row may be shown, of those that were found."""
    return is_everything(readable) or row.is_shared or can_see(readable, row.name)


def only(readable: Readable, is_wanted: ColumnElement[bool]) -> CompoundSelect[Any]:
    """Return the documents that may be read, and perhaps a little more, each once. Not for everything."""
    granted = _granted(readable)
    is_member = and_(members.c.user_id == readable.user, members.c.role >= int(readable.role))
    shared = select(documents, literal(1).label("is_shared")).join(members, members.c.document_id == documents.c.id)
    return union_all(
        select(documents, literal(0).label("is_shared")).where(is_wanted, granted),
        shared.where(is_wanted, is_member if readable.user is not None else false(), not_(granted)),
    )


async def member_roles(
    connection: AsyncConnection, readable: Readable, document_ids: Collection[int]
) -> dict[int, Role]:
    """Return the roles that the user has as a member of these documents."""
    if readable.user is None or not document_ids:
        return {}
    mine = members.c.user_id == readable.user, members.c.document_id.in_(document_ids)
    found = await connection.execute(select(members.c.document_id, members.c.role).where(*mine))
    return {document_id: Role(role) for document_id, role in found}


def _granted(readable: Readable) -> ColumnElement[bool]:
    exact = sorted(pattern for pattern in readable.patterns if "*" not in pattern)
    wide = sorted(pattern for pattern in readable.patterns if "*" in pattern)
    clauses = [_matches(pattern) for pattern in wide]
    if exact:
        clauses.append(documents.c.name.in_(exact))
    return or_(*clauses) if clauses else false()


def begins_with(prefix: str) -> ColumnElement[bool]:
    """Return the condition that a name begins like this: a range of the index."""
    after = _just_behind(prefix)
    above = documents.c.name >= prefix
    return above if after is None else and_(above, documents.c.name < after)


def _matches(pattern: str) -> ColumnElement[bool]:
    literal, _, rest = pattern.partition("*")
    clauses = [begins_with(literal)] if literal else []
    if rest != "*" or not literal.endswith("/"):  # unless it is team/**, where the range says it all
        clauses.append(documents.c.name.like(_like(pattern), escape=_ESCAPE))
    if ANY_DEPTH not in pattern:  # as many slashes: then no star can have matched one
        without = func.replace(documents.c.name, "/", "")
        clauses.append(func.length(documents.c.name) - func.length(without) == pattern.count("/"))
    return and_(*clauses)


def _like(pattern: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        pattern = pattern.replace(special, _ESCAPE + special)
    return pattern.replace(ANY_DEPTH, "%").replace("*", "%")


def _just_behind(prefix: str) -> str | None:
    """Return the first text behind all that begin like this; None if there is none."""
    for length in range(len(prefix), 0, -1):
        code = ord(prefix[length - 1]) + 1
        if code <= 0x10FFFF:
            return prefix[: length - 1] + chr(0xE000 if code == 0xD800 else code)
    return None
