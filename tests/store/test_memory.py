"""The contract on dictionaries."""

import pytest

from collab.store.memory import MemoryStore
from tests.store.contract import StoreContract


class TestMemoryStore(StoreContract):
    """``MemoryStore`` keeps the contract."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
