"""The contract of a store, in memory."""

import pytest

from collab.store.memory import MemoryStore
from tests.store.contract import StoreContract


class TestMemoryStore(StoreContract):
    """The contract for ``MemoryStore``."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
