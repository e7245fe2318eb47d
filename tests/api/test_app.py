"""The app as it is built from the settings: the store, the relay, the limits and the lifespan."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from collab.api.app import create_app
from collab.errors import InvalidRequest
from collab.ids import WriterId
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.relay.redis import RedisRelay
from collab.settings import Settings, load_settings
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.deployment import SECRET

pytestmark = pytest.mark.usefixtures("clean_environment")


def some_settings(directory: Path, **changed: Any) -> Settings:
    return load_settings(**{"secret": SECRET, "data_dir": directory} | changed)


def test_one_process_keeps_its_documents_in_sqlite_and_needs_no_redis(tmp_path: Path) -> None:
    server = create_app(some_settings(tmp_path)).state.server
    assert isinstance(server.store, SqlStore)
    assert isinstance(server.relay, MemoryRelay)


def test_redis_url_chooses_the_relay_between_replicas(tmp_path: Path) -> None:
    url = "postgresql://ada@db.example/collab"
    settings = some_settings(tmp_path, redis_url="redis://localhost:6379/0", database_url=url)
    assert isinstance(create_app(settings).state.server.relay, RedisRelay)


def test_store_and_relay_may_be_given(tmp_path: Path) -> None:
    store, relay = MemoryStore(), MemoryRelay(MemoryBus(), WriterId(1))
    server = create_app(some_settings(tmp_path), store=store, relay=relay).state.server
    assert (server.store, server.relay) == (store, relay)


def test_server_takes_its_limits_from_the_settings(tmp_path: Path) -> None:
    server = create_app(some_settings(tmp_path, room_linger_s=3, held_updates_max=7)).state.server
    assert server.limits.room_linger_s == 3
    assert server.limits.pending.updates_max == 7


def test_unreadable_issuer_keys_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="COLLAB_TOKEN_PUBLIC_KEY"):
        create_app(some_settings(tmp_path, token_public_key="nowhere.pem"))


async def test_server_runs_exactly_as_long_as_the_lifespan(tmp_path: Path) -> None:
    app = create_app(some_settings(tmp_path), store=MemoryStore())
    assert not app.state.server.is_running
    async with app.router.lifespan_context(app):
        assert app.state.server.is_running
    assert not app.state.server.is_running
    assert asyncio.all_tasks() == {asyncio.current_task()}
