"""The list of documents: sorted, searched, and in pages, by the database.

A caller who may read everything, and searches nothing, is answered from the index of the order: a page costs what is on
it, however many documents there are. Otherwise what is wanted is found first and sorted then, in one pass. That costs
what the caller may read, and tells nothing of the rest. A search looks at every text: some 20 ms for 100,000
documents, where to walk along an index takes eight times as long (``bench/listing.py``). On Postgres the operator can
make it faster with an index of trigrams (``docs/operations.md``).

*By the time of the last change.* That time changes with every append, and an index on it would make every append
dearer (migration 0002). So the index has ``active_at`` in its place, which an append moves only if it lies
``ACTIVE`` back: ``active_at <= updated_at < active_at + ACTIVE``. The ``limit`` newest documents by ``active_at`` then
bound the ``limit`` newest by ``updated_at``: none of those changed before the last of these was active.
"""

from collections.abc import Sequence as Seq
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, Subquery, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from collab.ids import DocumentName
from collab.store import readable
from collab.store.base import ListOrder, ListQuery, Page, Position
from collab.store.catalog import info
from collab.store.schema import documents
from collab.store.search_keys import fold

ACTIVE = timedelta(seconds=10)
"""The time by which ``active_at`` may lie behind ``updated_at``."""

BATCHES_MAX = 20
"""Batches that a page looks through, where patterns let the database find documents that may not be read."""

BATCH_MIN = 100
"""Documents in such a batch at least: how much a page looks through does not depend on a small ``limit``."""

_KEYS = {ListOrder.TITLE: "title_key", ListOrder.CREATED: "created_at", ListOrder.UPDATED: "updated_at"}
"""The column of an order; the name decides between documents with the same value."""

_IN_BIN = and_(documents.c.deleted_at.is_not(None), documents.c.purged_at.is_(None), documents.c.cleared_at.is_(None))
"""The last condition follows from the second; with it, the index of deleted documents can be used."""

FROM_NEWEST = (ListOrder.CREATED, ListOrder.UPDATED)


async def list_documents(connection: AsyncConnection, query: ListQuery) -> Page:
    """Return a page as ``Store.list_documents`` promises."""
    found: list[SqlRow[Any]] = []
    after, size = query.after, query.limit + 1  # one more, to know if there is a next page
    if not readable.is_everything(query.readable):
        size = max(size, BATCH_MIN)
    for _ in range(BATCHES_MAX):
        batch = await _batch(connection, query, after, size)
        found += [row for row in batch if readable.is_seen(query.readable, row)]
        if len(found) > query.limit:
            del found[query.limit :]
            return await _page(connection, query, found, _position(query.order, found[-1]))
        if len(batch) < size:
            return await _page(connection, query, found, None)
        after = _position(query.order, batch[-1])
    return await _page(connection, query, found, after)


def batch_statement(query: ListQuery, after: Position | None, size: int) -> Select[Any]:
    """Return the statement for the next ``size`` documents that may perhaps be read."""
    table = _candidates(query)
    columns = _order_columns(table, query.order)
    statement = select(table)
    if after is not None:
        here, there = tuple_(*columns), _values(after)
        statement = statement.where(here < there if query.order in FROM_NEWEST else here > there)
    if query.order in FROM_NEWEST:
        columns = [column.desc() for column in columns]
    return statement.order_by(*columns).limit(size)


def floor_statement(query: ListQuery, after: Position | None, size: int) -> Select[Any]:
    """Return the statement for the ``active_at`` of the last of the ``size`` documents that were active last."""
    table = _candidates(query)
    statement = select(table.c.active_at)
    if after is not None:
        time, name = _values(after)
        statement = statement.where(tuple_(table.c.updated_at, table.c.name) < (time, name), table.c.active_at <= time)
    return statement.order_by(table.c.active_at.desc(), table.c.name.desc()).offset(size - 1).limit(1)


def newest_statement(query: ListQuery, after: Position | None, size: int, floor: datetime | None) -> Select[Any]:
    """Return the statement for the documents that were changed last. None of them was active before ``floor``."""
    statement = batch_statement(query, after, size)
    active_at = statement.selected_columns.active_at
    if after is not None:
        statement = statement.where(active_at <= _values(after)[0])
    return statement if floor is None else statement.where(active_at >= floor - ACTIVE)


async def _batch(connection: AsyncConnection, query: ListQuery, after: Position | None, size: int) -> Seq[SqlRow[Any]]:
    if query.order is ListOrder.UPDATED and not _is_filtered(query):
        floor = (await connection.execute(floor_statement(query, after, size))).scalar()
        statement = newest_statement(query, after, size, floor)
    else:
        statement = batch_statement(query, after, size)
    return list(await connection.execute(statement))


def _candidates(query: ListQuery) -> Subquery:
    """Return what a page is taken from.

    ``OFFSET 0`` makes the planner find that before it sorts or searches. On its own it might walk along the order that
    is wanted, past everything that the caller may not read, and the time would tell how much that is.
    """
    is_wanted = _IN_BIN if query.in_bin else documents.c.deleted_at.is_(None)
    if query.prefix:
        is_wanted = and_(is_wanted, readable.begins_with(query.prefix))
    statement = select(documents).where(is_wanted)
    if not readable.is_everything(query.readable):
        statement = select(readable.only(query.readable, is_wanted).subquery("readable")).offset(0)
        statement = select(statement.subquery("found"))
    if query.search:
        text = statement.selected_columns.search_text
        statement = statement.where(text.contains(fold(query.search), autoescape=True))
    return (statement.offset(0) if _is_filtered(query) else statement).subquery("listed")


def _is_filtered(query: ListQuery) -> bool:
    """Return True if anything is left out of the list."""
    return bool(query.search or query.prefix or query.in_bin) or not readable.is_everything(query.readable)


def _order_columns(table: Subquery, order: ListOrder) -> list[Any]:
    return [table.c[_KEYS[order]], table.c.name] if order in _KEYS else [table.c.name]


def _position(order: ListOrder, row: SqlRow[Any]) -> Position:
    key = getattr(row, _KEYS[order]) if order in _KEYS else ""
    return Position(order, key if isinstance(key, str) else time_key(key), DocumentName(row.name))


def time_key(time: datetime) -> str:
    """Return a time as the key of a position."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _values(after: Position) -> tuple[Any, ...]:
    """Return what a position is compared with in its order's columns."""
    if after.order is ListOrder.NAME:
        return (after.name,)
    if after.order is ListOrder.TITLE:
        return after.key, after.name
    return datetime.fromisoformat(after.key), after.name


async def _page(connection: AsyncConnection, query: ListQuery, rows: Seq[SqlRow[Any]], next_: Position | None) -> Page:
    roles = await readable.member_roles(connection, query.readable, [row.id for row in rows])
    return Page(tuple(replace(info(row), member_role=roles.get(row.id)) for row in rows), next_)
