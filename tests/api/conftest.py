"""The whole app in this process, with FastAPI's own ``TestClient`` before it and a store that tests may look into."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collab.api.app import create_app
from collab.settings import Settings, load_settings
from collab.store.memory import MemoryStore
from tests.deployment import SECRET


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """As they come, but for denials that hold nobody up. A test changes some: ``@pytest.mark.parametrize`` with
    ``indirect``."""
    changed: dict[str, Any] = getattr(request, "param", {})
    return load_settings(secret=SECRET, data_dir=tmp_path, **{"denial_hold_s": 0.01, **changed})


@pytest.fixture
def store() -> MemoryStore:
    """What the server keeps its documents in."""
    return MemoryStore()


@pytest.fixture
def client(settings: Settings, store: MemoryStore) -> Iterator[TestClient]:
    """A running server."""
    with TestClient(create_app(settings, store=store), raise_server_exceptions=False) as client:
        yield client
