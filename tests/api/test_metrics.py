"""Access to /metrics, and what an edit's journey adds to the numbers."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from collab.api.app import create_app
from collab.errors import InvalidRequest
from collab.settings import Settings, load_settings
from collab.store.memory import MemoryStore
from tests.deployment import SECRET, ServerProcess
from tests.frames import DialectName
from tests.metering import Scrape, scrape
from tests.socket_client import connect_client
from tests.waiting import eventually

TOKEN = "sixteen letters."


def make_app(directory: Path, **settings: Any) -> FastAPI:
    return create_app(Settings(data_dir=directory, secret=SecretStr(SECRET), **settings), store=MemoryStore())


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("10.0.0.1", 403), ("?", 403)]
)
def test_metrics_without_a_token_are_for_this_machine_only(tmp_path: Path, address: str, status: int) -> None:
    with TestClient(make_app(tmp_path, host="0.0.0.0"), client=(address, 4711)) as client:
        assert client.get("/metrics").status_code == status


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7"])
def test_metrics_with_a_token_need_exactly_that_token(tmp_path: Path, address: str) -> None:
    with TestClient(make_app(tmp_path, metrics_token=TOKEN), client=(address, 4711)) as client:

        def answer(authorization: str) -> int:
            return client.get("/metrics", headers={b"Authorization": authorization.encode()}).status_code

        assert answer(f"Bearer {TOKEN}") == 200
        for wrong in ("", TOKEN, "Bearer ", "Bearer é", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
            assert answer(wrong) == 401


def test_short_metrics_token_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidRequest, match=r"^COLLAB_METRICS_TOKEN must have at least 16 characters") as caught:
        load_settings(metrics_token="hunter2")
    assert "hunter2" not in str(caught.value)
    assert load_settings(metrics_token=TOKEN).redacted()["metrics_token"] == "***"
    assert TOKEN not in repr(load_settings(metrics_token=TOKEN))


async def test_edits_are_counted_from_the_frame_to_the_acknowledgement(tmp_path: Path) -> None:
    server = await ServerProcess(tmp_path).start()
    dialects: tuple[DialectName, ...] = ("y-websocket", "hocuspocus")
    try:
        for dialect in dialects:
            async with connect_client(server, f"in-{dialect}", "ada", dialect=dialect) as ada:
                for word in ("one", "two", "three"):
                    await ada.type(word)
                    await ada.hear_answers()
                during = await scrape(server.port)
                assert during("sessions", dialect=dialect) == during("sockets", dialect=dialect) == 1
        assert during("rooms") == 2
        assert during("updates_accepted_total") == during("save_seconds_count") == 6
        assert during("acknowledgements_total") >= 6
        assert during("updates_received_total") >= 6
        assert 1 <= during("commit_seconds_count") == during("commit_rows_count") <= during("commit_rows_sum") == 6
        assert during("unsaved_bytes") == during("updates_held") == during("updates_refused_total") == 0
        assert during("relay_up") == 1
        assert during("store_unavailable_total") == during("outbox_overflows_total") == 0

        async def is_watched() -> bool:
            after = await scrape(server.port)
            return after("loop_lag_seconds_count") > 0 and after("heads_poll_seconds_count") > 0

        await eventually(is_watched)

        async def is_over() -> bool:
            after = await scrape(server.port)
            return all(is_empty(after, dialect) for dialect in dialects)

        await eventually(is_over)
    finally:
        server.stop()


def is_empty(after: Scrape, dialect: str) -> bool:
    """Return True if no socket and no session of the dialect is left."""
    return after("sessions", dialect=dialect) == after("sockets", dialect=dialect) == 0
