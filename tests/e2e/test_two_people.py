"""Two people in two real browsers on a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.deployment import ServerProcess, token
from tests.waiting import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = await ServerProcess(tmp_path).start()
    yield server
    server.stop()


async def sit_down(browser: Browser, server: ServerProcess, person: str) -> Page:
    """A person in a browser of their own, with the document open."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/d/story#token={token(person)}")
    await page.wait_for_selector(".ProseMirror")
    return page


async def text(page: Page) -> str:
    return str(await page.evaluate("document.querySelector('collab-editor').asText()"))


async def state(page: Page) -> str:
    return str(await page.evaluate("document.querySelector('collab-editor').status.kind"))


async def test_two_people_type_at_once_and_read_the_same(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await sit_down(browser, server, "ada"), await sit_down(browser, server, "grace")
    await ada.locator(".ProseMirror").click()
    await ada.keyboard.type("Ada was here. ")
    await grace.locator(".ProseMirror").click()
    await grace.keyboard.press("End")
    await grace.keyboard.type("So was Grace. ")

    async def same() -> bool:
        one, other = await text(ada), await text(grace)
        return one == other and "Ada was here." in one and "So was Grace." in one

    async def saved() -> bool:
        return await state(ada) == await state(grace) == "saved"

    try:
        await eventually(same)
        await eventually(saved)
    except AssertionError as error:
        seen = [await text(ada), await state(ada), await text(grace), await state(grace)]
        raise AssertionError(f"{error} {seen} {server.log[-1500:]}") from None


async def test_what_was_saved_is_there_after_the_server_was_killed(browser: Browser, server: ServerProcess) -> None:
    ada = await sit_down(browser, server, "ada")
    await ada.locator(".ProseMirror").click()
    await ada.keyboard.type("This stays.")

    async def saved() -> bool:
        return await state(ada) == "saved" and "This stays." in await text(ada)

    await eventually(saved)
    server.kill()
    await ada.context.close()
    await server.start()
    grace = await sit_down(browser, server, "grace")

    async def there() -> bool:
        return "This stays." in await text(grace)

    await eventually(there)
