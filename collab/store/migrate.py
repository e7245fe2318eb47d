"""Migrate a database to the schema that this code was written for."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from alembic.config import Config
from alembic.util.exc import CommandError

from alembic import command
from collab.errors import InvalidRequest
from collab.store.engine import is_sqlite, lock_sqlite
from collab.store.transient import mapped_errors


def scripts() -> Path:
    """Return the directory of the migrations: inside an installed package, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    for place in (here / "alembic", here.parent.parent / "alembic"):
        if (place / "env.py").is_file():
            return place
    raise InvalidRequest("The migrations are missing from this installation; install collab again.")


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for one database. No ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["url"] = url
    return config


async def upgrade(url: str) -> None:
    """Run all missing migrations in one transaction. Processes that do so at the same time wait for each other.

    Raises StoreUnavailable; InvalidRequest when another process has the SQLite file open, or a later version of
    collab has migrated the database.
    """
    with lock_sqlite(url) if is_sqlite(url) else nullcontext(), mapped_errors():
        try:
            await asyncio.to_thread(command.upgrade, alembic_config(url), "head")
        except CommandError as error:
            raise InvalidRequest(f"The database cannot be migrated by this version of collab: {error}.") from error
