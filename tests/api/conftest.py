"""The whole app in this process, called through FastAPI's ``TestClient``, with a store that tests can inspect."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from fastapi.testclient import TestClient

from collab.api.app import create_app
from collab.settings import Settings, load_settings
from collab.store.memory import MemoryStore
from tests.deployment import SECRET


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """The defaults, with a short hold of denied sockets. Tests change some with an ``indirect`` parameter."""
    changed: dict[str, Any] = getattr(request, "param", {})
    return load_settings(secret=SECRET, data_dir=tmp_path, **{"denial_hold_s": 0.01, **changed})


@pytest.fixture
def store() -> MemoryStore:
    """The store of the server."""
    return MemoryStore()


@pytest.fixture
def client(settings: Settings, store: MemoryStore) -> Iterator[TestClient]:
    """A running server."""
    with TestClient(create_app(settings, store=store), raise_server_exceptions=False) as client:
        yield client


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what depends on the event loop's transports on asyncio's own loop, and on uvloop as `collab serve` does."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ("test_websocket", "test_autobahn", "test_asgi_socket"):
        factories["uvloop"] = uvloop.new_event_loop
    return factories
