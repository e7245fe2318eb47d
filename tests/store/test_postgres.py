"""The contract on a real Postgres."""

from collections.abc import AsyncIterator

import pytest

from collab.store.sql import SqlStore
from tests.store.contract import StoreContract


@pytest.mark.services
class TestPostgresStore(StoreContract):
    """``SqlStore`` keeps the contract on Postgres."""

    @pytest.fixture
    async def store(self, postgres_url: str) -> AsyncIterator[SqlStore]:
        store = SqlStore(postgres_url)
        await store.open()
        yield store
        await store.close()
