"""The migrations create exactly the declared tables, on both databases, and can be undone."""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from alembic import command
from collab.errors import InvalidRequest, StoreUnavailable
from collab.ids import DocumentName
from collab.store.migrate import alembic_config, upgrade
from collab.store.schema import REVISION, metadata
from collab.store.sql import SqlStore
from tests.services.private import free_port


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/deep/collab.sqlite3"
    return str(request.getfixturevalue("empty_postgres_url"))


async def run(url: str, what: str, revision: str) -> None:
    """Run an Alembic command."""
    await asyncio.to_thread(getattr(command, what), alembic_config(url), revision)


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    return set(names)


async def differences(url: str) -> list[object]:
    """Return what ``alembic check`` would find."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": True, "compare_server_default": True}), metadata
            )
        )
    await engine.dispose()
    return list(found)


async def test_migrations_create_the_declared_tables(empty_url: str) -> None:
    await upgrade(empty_url)
    assert await differences(empty_url) == []


async def test_differences_between_tables_are_found(empty_url: str) -> None:
    """Otherwise the test above proves nothing."""
    await run_upgrade_to_the_first(empty_url)
    assert await differences(empty_url) != []


async def run_upgrade_to_the_first(url: str) -> None:
    Path(url.partition("///")[2]).parent.mkdir(parents=True, exist_ok=True)
    await run(url, "upgrade", "0001")


async def test_code_needs_the_last_revision() -> None:
    assert ScriptDirectory.from_config(alembic_config("sqlite+aiosqlite://")).get_heads() == [REVISION]


async def test_all_migrations_can_be_undone_and_redone(empty_url: str) -> None:
    await upgrade(empty_url)
    await run(empty_url, "downgrade", "base")
    assert await tables(empty_url) == {"alembic_version"}
    await upgrade(empty_url)
    assert await differences(empty_url) == []


async def test_database_of_the_first_schema_keeps_its_documents(empty_url: str) -> None:
    await run_upgrade_to_the_first(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO documents (name, title, head_seq, epoch, tail_rows, tail_bytes, created_at, updated_at) "
                "VALUES ('old', 'Old', 0, 0, 0, 0, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
            )
        )
    await engine.dispose()
    await upgrade(empty_url)
    store = SqlStore(empty_url)
    await store.open()
    assert (await store.find(DocumentName("old"))).title == "Old"
    await store.close()


async def test_database_of_another_schema_is_not_opened(empty_url: str) -> None:
    await run_upgrade_to_the_first(empty_url)
    store = SqlStore(empty_url)
    with pytest.raises(InvalidRequest, match=r"schema 0001 .* needs 0004: run `collab migrate`"):
        await store.open()
    await store.close()


async def test_empty_database_is_not_opened(empty_url: str) -> None:
    store = SqlStore(empty_url)
    with pytest.raises(InvalidRequest, match="schema none"):
        await store.open()
    await store.close()


async def test_database_of_a_later_version_is_not_migrated(empty_url: str) -> None:
    await upgrade(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(InvalidRequest, match="'9999'"):
        await upgrade(empty_url)


async def test_migrating_an_unreachable_database_raises_one_sentence() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer: connection refused"):
        await upgrade(f"postgresql+asyncpg://collab@127.0.0.1:{free_port()}/collab")


@pytest.mark.services
def test_four_concurrent_migrations_all_succeed(empty_postgres_url: str) -> None:
    environment = {**os.environ, "COLLAB_DATABASE_URL": empty_postgres_url}
    migrate = [sys.executable, "-m", "collab", "migrate"]
    told = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    started = [subprocess.Popen(migrate, **told) for _ in range(4)]  # type: ignore[call-overload]
    said = [process.communicate(timeout=60)[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], said
    assert asyncio.run(differences(empty_postgres_url)) == []


@pytest.mark.services
async def test_postgres_compares_names_by_code_point(postgres_url: str) -> None:
    query = (
        "SELECT collation_name FROM information_schema.columns WHERE table_name = 'documents' AND column_name = 'name'"
    )
    engine = create_async_engine(postgres_url)
    async with engine.connect() as connection:
        assert await connection.scalar(text(query)) == "C"
    await engine.dispose()


def test_migrations_can_be_printed_as_sql() -> None:
    config = alembic_config("postgresql+asyncpg://collab@nowhere/collab")
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    printed = config.output_buffer.getvalue()
    for table in metadata.tables:
        assert f"CREATE TABLE {table} (" in printed
    assert 'ALTER COLUMN name TYPE TEXT COLLATE "C"' in printed
    assert printed.startswith("BEGIN;")
    assert f"SET version_num='{REVISION}'" in printed
