"""Saved is said after the commit and never before, shown by holding the commit back.

No clock proves that: what proves it is that the server has been asked to commit, that further edits went back and
forth between two browsers meanwhile, and that in all this time nobody was told Saved and REST had nothing.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.people import Person, committed_text
from tests.e2e.site import Site
from tests.ordered_server import HOLD, ORDERED_SERVER, Orders
from tests.waiting import eventually


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, orders: Orders, site: Site) -> AsyncIterator[ServerProcess]:
    environment = {**orders.environment, "COLLAB_ALLOWED_ORIGINS": site.origin}
    server = await ServerProcess(tmp_path, environment=environment, program=ORDERED_SERVER).start()
    yield server
    server.kill()


@pytest.mark.parametrize("embedded", [False, True], ids=["own page", "page of another origin"])
async def test_edits_are_shown_to_all_at_once_and_as_saved_only_after_their_commit(
    browser: Browser, server: ServerProcess, orders: Orders, site: Site, embedded: bool
) -> None:
    sit_down = site.sit_down if embedded else Person.sit_down
    ada, grace = await sit_down(browser, server, "ada"), await sit_down(browser, server, "grace")
    await ada.is_told("saved")
    await grace.is_told("saved")
    told_before = {person: len(await person.told()) for person in (ada, grace)}
    orders.give(HOLD)

    await ada.type("Ada. ")
    await grace.sees("Ada. ")
    await eventually(lambda: orders.held_rows > 0)
    await grace.type("Grace. ")
    await ada.sees("Ada. ", "Grace. ")
    await ada.type("Ada again. ")
    await grace.sees("Ada. ", "Grace. ", "Ada again. ")
    assert await ada.text() == await grace.text()
    for person in (ada, grace):
        assert (await person.status())["waiting"] > 0
        assert set((await person.told())[told_before[person] :]) == {"saving"}
        assert await person.line.text_content() == "Saving…"
    assert await committed_text(server) == ""

    orders.withdraw()
    for person in (ada, grace):
        await person.is_told("saved")
        assert await person.line.text_content() == "Saved"
        assert (await person.status())["waiting"] == 0
    assert (await committed_text(server)).strip() == (await ada.text()).strip()


async def test_edit_whose_commit_died_with_the_server_comes_back_from_its_author(
    browser: Browser, server: ServerProcess, orders: Orders
) -> None:
    ada, grace = await Person.sit_down(browser, server, "ada"), await Person.sit_down(browser, server, "grace")
    await ada.is_told("saved")
    orders.give(HOLD)
    await ada.type("Seen by both. ")
    await grace.sees("Seen by both. ")
    await eventually(lambda: orders.held_rows > 0)

    server.kill()
    orders.withdraw()
    await ada.is_told("reconnecting")
    status = await ada.status()
    assert "on this device" in status["text"]
    assert status["waiting"] > 0
    await ada.type("Typed meanwhile. ")
    assert "saved" not in (await ada.told())[(await ada.told()).index("reconnecting") :]

    await server.start()
    await ada.is_told("saved")
    await grace.sees("Seen by both. ", "Typed meanwhile. ")
    assert (await committed_text(server)).strip() == (await ada.text()).strip()
