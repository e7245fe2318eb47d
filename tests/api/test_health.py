"""Liveness and readiness."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from collab.errors import StoreUnavailable
from collab.store.memory import MemoryStore
from tests.api.calls import problem


def test_server_that_can_save_is_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "store": "ok", "relay": "ok"})


def test_server_without_its_database_is_alive_but_not_ready(
    client: TestClient, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store, "ping", away)
    answer = client.get("/readyz")
    problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"]
    assert client.get("/healthz").status_code == 200


def test_server_without_its_relay_is_ready_and_says_so(client: TestClient) -> None:
    app: Any = client.app
    app.state.server.relay = _Down()
    assert client.get("/readyz").json()["relay"] == "down"


class _Down:
    up = False


def test_stopping_server_is_not_ready(client: TestClient) -> None:
    app: Any = client.app
    assert client.portal is not None
    client.portal.call(app.state.server.drain)
    problem(client.get("/readyz"), 503, "draining")
    assert client.get("/healthz").status_code == 200
