"""Python values as a table in a query, with one bound parameter for a whole column.

``IN (…)`` binds one parameter for each value, and Postgres accepts 32,767 of them; a replica may have more documents
open than that.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import ARRAY, FromClause, bindparam, column, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

Value: TypeAlias = str | int


def parameter_table(
    connection: AsyncConnection, columns: Mapping[str, TypeEngine[Any]], rows: Iterable[tuple[Value, ...]]
) -> FromClause:
    """Return ``rows`` as a table with these ``columns``, of texts and integers only."""
    rows = list(rows)
    if connection.dialect.name == "postgresql":
        values = [[row[index] for row in rows] for index in range(len(columns))]
        arrays = [bindparam(None, value, ARRAY(type_)) for value, type_ in zip(values, columns.values(), strict=True)]
        table = func.unnest(*arrays).table_valued(*(column(*item) for item in columns.items()), name="parameters")
        return table.render_derived()
    each = func.json_each(json.dumps(rows)).table_valued("value")
    extracts = [func.json_extract(each.c.value, f"$[{index}]").label(name) for index, name in enumerate(columns)]
    return select(*extracts).subquery("parameters")
