"""Values of ours as a table in a query: one parameter a column, however many rows.

``IN (…)`` binds a parameter for every value, and a database takes 32,000 of them; a replica may have more
documents open than that.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import ARRAY, FromClause, bindparam, column, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

Value: TypeAlias = str | int


def given(
    connection: AsyncConnection, columns: Mapping[str, TypeEngine[Any]], rows: Iterable[tuple[Value, ...]]
) -> FromClause:
    """``rows`` as a table ``given`` of ``columns``; texts and integers only."""
    rows = list(rows)
    if connection.dialect.name == "postgresql":
        values = [[row[index] for row in rows] for index in range(len(columns))]
        arrays = [bindparam(None, value, ARRAY(type_)) for value, type_ in zip(values, columns.values(), strict=True)]
        table = func.unnest(*arrays).table_valued(*(column(*item) for item in columns.items()), name="given")
        return table.render_derived()
    each = func.json_each(json.dumps(rows)).table_valued("value")
    extracts = [func.json_extract(each.c.value, f"$[{index}]").label(name) for index, name in enumerate(columns)]
    return select(*extracts).subquery("given")
