"""The store in dictionaries."""

from collections.abc import Callable
from collections.abc import Sequence as Seq
from datetime import datetime

import pytest

from collab.store.base import Store
from collab.store.memory import MemoryStore
from tests.store.contract import StoreContract


class TestMemoryStore(StoreContract):
    """The contract."""

    @pytest.fixture
    def writers(self, now: Callable[[], datetime]) -> Seq[Store]:
        return [MemoryStore(now=now)] * 3
