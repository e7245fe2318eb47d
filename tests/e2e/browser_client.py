"""A client of the end-to-end tests: the editor in a real browser, driven with mouse and keyboard."""

from typing import Any, Self

import httpx2
from playwright.async_api import Browser, BrowserContext, Page

from tests.deployment import ServerProcess, token
from tests.waiting import eventually

DOCUMENT = "story"
REMEMBER = """
window.reported = [];
addEventListener('collab-status', event => window.reported.push(event.detail.kind));
"""
"""Runs before the page's own scripts, so that no status is missed, however briefly it is shown."""


class BrowserClient:
    """One editor in a browser context of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.editor = page.locator("collab-editor")
        self.line = self.editor.locator(".state")
        """The status line as it is shown."""

    @classmethod
    async def open(cls, browser: Browser, address: str, **context: Any) -> Self:
        """Open ``address``; ``context`` holds options of the browser context."""
        page = await (await browser.new_context(**context)).new_page()
        await page.add_init_script(REMEMBER)
        await page.goto(address)
        return cls(page)

    @classmethod
    async def join(cls, browser: Browser, server: ServerProcess, name: str) -> Self:
        """Open the document on the server's own page and wait for its text."""
        client = await cls.open(browser, page_address(server, token(name)))
        await client.wait_for_text()
        return client

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    async def wait_for_text(self) -> None:
        """Wait until the text is on the page."""
        await self.page.locator(".ProseMirror").wait_for()

    async def type(self, text: str) -> None:
        """Type at the end of the text."""
        await self.page.locator(".ProseMirror").click()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(text)

    async def text(self) -> str:
        """Return the text of the document."""
        return str(await self.editor.evaluate("editor => editor.asText()"))

    async def status(self) -> dict[str, Any]:
        """Return ``kind``, ``text`` and ``waiting``, as a page that embeds the element can read them."""
        status: dict[str, Any] = await self.editor.evaluate("editor => editor.status")
        return status

    async def reported(self) -> list[str]:
        """Return every kind of status since the page was opened, in order."""
        kinds: list[str] = await self.page.evaluate("window.reported")
        return kinds

    async def people(self) -> list[str]:
        """Return the names in the list of people."""
        return await self.editor.locator("collab-people li .entry > span:not(.badge)").all_text_contents()

    async def carets(self) -> list[str]:
        """Return the names at other people's carets."""
        return [name.strip() for name in await self.page.locator(".collab-caret-name").all_text_contents()]

    async def notice(self) -> str:
        """Return the text of the notice that is shown below the header when something is wrong."""
        return str(await self.editor.get_by_role("alert").locator("span").text_content())

    async def wait_for(self, *texts: str) -> None:
        """Wait until all ``texts`` are in the document."""

        async def is_there() -> bool:
            text = await self.text()
            return all(each in text for each in texts)

        await self._until(is_there, f"{texts} in the document")

    async def wait_for_status(self, kind: str) -> None:
        """Wait until the element shows and returns a status of this kind."""

        async def is_shown() -> object:
            return kind == (await self.status())["kind"] == await self.line.get_attribute("data-kind")

        await self._until(is_shown, f"the status {kind!r}")

    async def _until(self, condition: Any, wanted: str) -> None:
        try:
            await eventually(condition)
        except AssertionError as error:
            seen = {"text": await self.text(), "status": await self.status(), "reported": await self.reported()}
            raise AssertionError(f"{error} Wanted: {wanted}. {seen}") from None


def page_address(server: ServerProcess, bearer: str) -> str:
    """Return the sign-in link to the server's page of the document, with the token ``bearer``."""
    return f"http://127.0.0.1:{server.port}/d/{DOCUMENT}#token={bearer}"


async def committed_text(server: ServerProcess) -> str:
    """Return the document over REST: what is committed and nothing else."""
    headers = {"Authorization": f"Bearer {token('reader')}"}
    url = f"http://127.0.0.1:{server.port}/api/v1/documents/{DOCUMENT}/content"
    async with httpx2.AsyncClient() as client:
        answer = await client.get(url, headers=headers)
    return "" if answer.status_code == 404 else answer.raise_for_status().text
