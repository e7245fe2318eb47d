"""A person at a browser: what they do, what they read, and what the state line has told them so far."""

from typing import Any, Self

import httpx2
from playwright.async_api import Browser, BrowserContext, Page

from tests.deployment import ServerProcess, token
from tests.waiting import eventually

DOCUMENT = "story"
REMEMBER = """
window.told = [];
addEventListener('collab-status', event => window.told.push(event.detail.kind));
"""
"""Runs before the page's own scripts: no line of the element's is missed, however short it stood."""


class Person:
    """Somebody with the editor before them, in a browser of their own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.editor = page.locator("collab-editor")
        self.line = self.editor.locator(".state")
        """The state line, as it is shown."""

    @classmethod
    async def open(cls, browser: Browser, address: str, **context: Any) -> Self:
        """Go to ``address``. ``context``: what a browser context takes."""
        page = await (await browser.new_context(**context)).new_page()
        await page.add_init_script(REMEMBER)
        await page.goto(address)
        return cls(page)

    @classmethod
    async def sit_down(cls, browser: Browser, server: ServerProcess, name: str) -> Self:
        """Open the document on the server's own page, and wait for the text."""
        person = await cls.open(browser, page_address(server, token(name)))
        await person.can_read()
        return person

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    async def can_read(self) -> None:
        """Wait for the text to be on the page."""
        await self.page.locator(".ProseMirror").wait_for()

    async def type(self, text: str) -> None:
        """Write at the end."""
        await self.page.locator(".ProseMirror").click()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(text)

    async def text(self) -> str:
        return str(await self.editor.evaluate("editor => editor.asText()"))

    async def status(self) -> dict[str, Any]:
        """``kind``, ``text`` and ``waiting``, as a page that embeds the element can ask for them."""
        status: dict[str, Any] = await self.editor.evaluate("editor => editor.status")
        return status

    async def told(self) -> list[str]:
        """Every kind of state line since the page was opened, in order."""
        told: list[str] = await self.page.evaluate("window.told")
        return told

    async def people(self) -> list[str]:
        """The names in the list of people."""
        return await self.editor.locator("collab-people li .entry > span:not(.badge)").all_text_contents()

    async def carets(self) -> list[str]:
        """The names at other people's carets."""
        return [name.strip() for name in await self.page.locator(".collab-caret-name").all_text_contents()]

    async def notice(self) -> str:
        """What the strip below the header says, which appears when something is wrong."""
        return str(await self.editor.get_by_role("alert").locator("span").text_content())

    async def sees(self, *texts: str) -> None:
        """Wait until all ``texts`` are on the screen."""

        async def there() -> bool:
            text = await self.text()
            return all(each in text for each in texts)

        await self._until(there, f"{texts} on the screen")

    async def is_told(self, kind: str) -> None:
        """Wait until the state line says so: what is shown and what the element answers are of one kind."""

        async def said() -> object:
            return kind == (await self.status())["kind"] == await self.line.get_attribute("data-kind")

        await self._until(said, f"the state line {kind!r}")

    async def _until(self, condition: Any, wanted: str) -> None:
        try:
            await eventually(condition)
        except AssertionError as error:
            seen = {"text": await self.text(), "status": await self.status(), "told": await self.told()}
            raise AssertionError(f"{error} Wanted: {wanted}. {seen}") from None


def page_address(server: ServerProcess, bearer: str) -> str:
    """The server's own page of the document, for whoever holds the token ``bearer``."""
    return f"http://127.0.0.1:{server.port}/d/{DOCUMENT}#token={bearer}"


async def committed_text(server: ServerProcess) -> str:
    """The document as REST tells it: what is committed, and nothing else."""
    headers = {"Authorization": f"Bearer {token('reader')}"}
    url = f"http://127.0.0.1:{server.port}/api/v1/documents/{DOCUMENT}/content"
    async with httpx2.AsyncClient() as client:
        answer = await client.get(url, headers=headers)
    return "" if answer.status_code == 404 else answer.raise_for_status().text
