"""Saved is shown only after the commit.

The tests hold the commit back. The server has been asked to commit and further edits pass between two browsers, while
neither shows Saved and REST returns nothing.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.browser_client import BrowserClient, committed_text
from tests.e2e.site import Site
from tests.scheduled_server import HOLD, SCHEDULED_SERVER, Schedule
from tests.waiting import eventually


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, schedule: Schedule, site: Site) -> AsyncIterator[ServerProcess]:
    environment = {**schedule.environment, "COLLAB_ALLOWED_ORIGINS": site.origin}
    server = await ServerProcess(tmp_path, environment=environment, program=SCHEDULED_SERVER).start()
    yield server
    server.kill()


@pytest.mark.parametrize("embedded", [False, True], ids=["own page", "page of another origin"])
async def test_edits_are_shown_at_once_and_as_saved_after_commit(
    browser: Browser, server: ServerProcess, schedule: Schedule, site: Site, embedded: bool
) -> None:
    join = site.join if embedded else BrowserClient.join
    ada, grace = await join(browser, server, "ada"), await join(browser, server, "grace")
    await ada.wait_for_status("saved")
    await grace.wait_for_status("saved")
    already_reported = {client: len(await client.reported()) for client in (ada, grace)}
    schedule.set(HOLD)

    await ada.type("Ada. ")
    await grace.wait_for("Ada. ")
    await eventually(lambda: schedule.held_rows > 0)
    await grace.type("Grace. ")
    await ada.wait_for("Ada. ", "Grace. ")
    await ada.type("Ada again. ")
    await grace.wait_for("Ada. ", "Grace. ", "Ada again. ")
    assert await ada.text() == await grace.text()
    for client in (ada, grace):
        assert (await client.status())["waiting"] > 0
        assert set((await client.reported())[already_reported[client] :]) == {"saving"}
        assert await client.line.text_content() == "Saving…"
    assert await committed_text(server) == ""

    schedule.clear()
    for client in (ada, grace):
        await client.wait_for_status("saved")
        assert await client.line.text_content() == "Saved"
        assert (await client.status())["waiting"] == 0
    assert (await committed_text(server)).strip() == (await ada.text()).strip()


async def test_edit_lost_with_the_server_is_sent_again_by_its_author(
    browser: Browser, server: ServerProcess, schedule: Schedule
) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    await ada.wait_for_status("saved")
    schedule.set(HOLD)
    await ada.type("Seen by both. ")
    await grace.wait_for("Seen by both. ")
    await eventually(lambda: schedule.held_rows > 0)

    server.kill()
    schedule.clear()
    await ada.wait_for_status("reconnecting")
    status = await ada.status()
    assert "keep this tab open" in status["text"]
    assert status["waiting"] > 0
    await ada.type("Typed meanwhile. ")
    assert "saved" not in (await ada.reported())[(await ada.reported()).index("reconnecting") :]

    await server.start()
    await ada.wait_for_status("saved")
    await grace.wait_for("Seen by both. ", "Typed meanwhile. ")
    assert (await committed_text(server)).strip() == (await ada.text()).strip()
