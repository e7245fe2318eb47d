"""The migration environment: one transaction, one migrator at a time, on Postgres and SQLite."""

import asyncio
import os
from typing import Any

from sqlalchemy import event, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from alembic import context
from collab.store.schema import metadata

LOCK = 727_001
"""An arbitrary key: whoever migrates this database holds it until the end of the transaction."""


def migrate(connection: Any) -> None:
    """Run what is missing on an open connection."""
    sqlite = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=sqlite)
    with context.begin_transaction():
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()


async def migrate_online(url: str) -> None:
    """Open the database and migrate it."""
    engine = create_async_engine(url, poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":
        # As in ``store.engine``, but for foreign keys: SQLite changes a table by making it anew.
        @event.listens_for(engine.sync_engine, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


url = context.config.attributes.get("url") or os.environ["COLLAB_DATABASE_URL"]
if context.is_offline_mode():
    context.configure(url=url, target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate_online(url))
