"""Every page and dialog, light and dark, on a desktop and on a phone: axe finds nothing, and fingers do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.services.axe import is_too_wide, small_targets, violations

Act: TypeAlias = Callable[[Page], Awaitable[Any]]

OWNER = token("ada", {"**": Role.OWNER})
STRANGER = token("stranger", {"elsewhere": Role.OWNER})
LONG = "A title that is long enough to need a second line even where there is a lot of space for it"
DESKTOP = {"viewport": {"width": 1200, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with some documents, one of them in the bin."""
    directory: Path = tmp_path_factory.mktemp("filled")
    server = await ServerProcess(directory).start()
    url = f"http://127.0.0.1:{server.port}/api/v1/documents"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {OWNER}"}) as rest:
        for name, title in {"long": LONG, "team/plans/a": "Plan A", "bcdf2ghjk": "", "old": "Old"}.items():
            await rest.post(url, json={"name": name, "title": title})
        await rest.delete(f"{url}/old")
    yield server
    server.stop()


async def open_menu(page: Page) -> None:
    await page.get_by_role("button", name="Actions for Plan A").click()
    await page.get_by_role("menu").wait_for()


async def open_rename_dialog(page: Page) -> None:
    await open_menu(page)
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_role("dialog").wait_for()


async def text_is_here(page: Page) -> None:
    await page.locator(".ProseMirror").wait_for()


async def list_is_here(page: Page) -> None:
    await page.get_by_role("link", name="Plan A").wait_for()


def heading(name: str) -> Act:
    return lambda page: page.get_by_role("heading", name=name).first.wait_for()


VIEWS: dict[str, tuple[str, str, Act]] = {
    "list": ("", OWNER, list_is_here),
    "folder": ("?folder=team", OWNER, list_is_here),
    "menu": ("", OWNER, open_menu),
    "rename": ("", OWNER, open_rename_dialog),
    "bin": ("bin", OWNER, heading("Bin")),
    "editor": ("d/long", OWNER, text_is_here),
    "new document": ("d/mnpq5rstv", OWNER, text_is_here),
    "viewer": ("d/long", token("reader", {"**": Role.VIEWER}), text_is_here),
    "no access": ("d/long", STRANGER, heading("You don’t have access")),
    "deleted": ("d/old", OWNER, heading("in the bin")),
    "invalid name": ("d/a//b", OWNER, heading("can’t be opened")),
    "nowhere": ("nowhere", OWNER, heading("nothing at this address")),
}


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_has_no_barrier(browser: Browser, filled: ServerProcess, scheme: Any, device: Any) -> None:
    found: dict[str, list[str]] = {}
    for name, (path, bearer, ready) in VIEWS.items():
        page = await (await browser.new_context(color_scheme=scheme, **device)).new_page()
        await page.goto(f"http://127.0.0.1:{filled.port}/{path}#token={bearer}")
        await ready(page)
        barriers = await violations(page)
        if device is PHONE:
            barriers += await small_targets(page)
            barriers += ["scrolls sideways"] if await is_too_wide(page) else []
        if barriers:
            found[name] = barriers
        await page.context.close()
    assert found == {}
