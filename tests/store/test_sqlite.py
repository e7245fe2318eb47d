"""The contract on SQLite."""

from collections.abc import AsyncIterator

import pytest

from collab.store.sql import SqlStore
from tests.store.contract import StoreContract


class TestSqliteStore(StoreContract):
    """``SqlStore`` keeps the contract on Sqlite."""

    @pytest.fixture
    async def store(self, sqlite_url: str) -> AsyncIterator[SqlStore]:
        store = SqlStore(sqlite_url)
        await store.open()
        yield store
        await store.close()
