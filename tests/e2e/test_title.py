"""The title of a document: the heading of its page, shared and saved like the text, and its name in the list."""

import httpx2
from playwright.async_api import Browser, Locator, Page

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, BrowserClient, page_address
from tests.waiting import eventually


def title_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Title", exact=True)


async def _shows(page: Page, title: str) -> None:
    """Return once the title field holds this."""

    async def is_shown() -> bool:
        return await title_field(page).input_value() == title

    await eventually(is_shown)


async def test_title_is_live_for_everybody_and_follows_into_the_list(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    grace = await BrowserClient.join(browser, server, "grace")
    reader = await BrowserClient.open(browser, page_address(server, token("reader", {DOCUMENT: Role.VIEWER})))
    await reader.wait_for_status("read-only")
    assert await title_field(ada.page).get_attribute("placeholder") == DOCUMENT

    await title_field(ada.page).fill("The engine & its <brass>")
    await _shows(grace.page, "The engine & its <brass>")
    await reader.page.get_by_role("heading", name="The engine & its <brass>").wait_for()
    assert await title_field(reader.page).count() == 0
    await eventually(lambda: _is_titled(reader.page, "The engine & its <brass>"))
    await ada.wait_for_status("saved")

    await reader.page.get_by_role("link", name="All documents").click()
    await reader.page.get_by_role("link", name="The engine & its <brass>").wait_for()


async def test_two_people_may_type_into_the_title(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    field, other = title_field(ada.page), title_field(grace.page)
    await field.press_sequentially("engine")
    await _shows(grace.page, "engine")
    await other.press("Home")
    await other.press_sequentially("The ")
    await _shows(ada.page, "The engine")
    await field.press_sequentially("s")  # the caret stayed behind the word

    async def is_whole() -> bool:
        return [await each.input_value() for each in (field, other)] == ["The engines"] * 2

    await eventually(is_whole)


async def test_enter_leads_from_the_title_to_the_text_and_changes_nothing(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("hello world")
    for _ in range(5):
        await ada.page.keyboard.press("ArrowLeft")
    field = title_field(ada.page)
    await field.fill("Greeting")
    await field.press("Enter")
    assert await ada.page.locator(".ProseMirror p").count() == 1, "Enter reached the text as well"
    await ada.page.keyboard.type("Oh, ")
    await ada.wait_for("Oh, hello world")
    assert await field.input_value() == "Greeting"


async def test_title_typed_while_the_server_is_down_is_saved_later(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("Text. ")
    await ada.wait_for_status("saved")
    server.kill()
    await ada.wait_for_status("reconnecting")
    await title_field(ada.page).press_sequentially("Not lost")
    assert (await ada.status())["waiting"] > 0, "a title is unsaved like a text"
    await server.start()
    await ada.wait_for_status("saved")
    grace = await BrowserClient.join(browser, server, "grace")
    await eventually(lambda: _is_titled(grace.page, "Not lost"))


async def test_leaving_with_an_unsaved_title_asks_first(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.wait_for_status("saved")
    server.kill()
    await ada.wait_for_status("reconnecting")
    await title_field(ada.page).press_sequentially("Half a title")  # and the focus stays
    asked: list[str] = []

    async def stay(dialog) -> None:  # type: ignore[no-untyped-def]
        asked.append(dialog.type)
        await dialog.dismiss()

    ada.page.on("dialog", stay)
    await ada.page.evaluate("setTimeout(() => location.reload())")
    await eventually(lambda: asked == ["beforeunload"])
    assert await title_field(ada.page).input_value() == "Half a title"


async def test_undo_in_the_title_takes_back_the_title_and_not_the_text(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("Text. ")
    field = title_field(ada.page)
    await field.press_sequentially("Minutes")
    await field.press("Control+z")
    assert await field.input_value() == ""
    assert "Text." in await ada.text()
    await field.press("Control+Shift+z")
    assert await field.input_value() == "Minutes"


async def test_title_over_rest_is_the_title_on_the_page(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("Text. ")
    await ada.wait_for_status("saved")
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token('robot')}"}) as rest:
        url = f"http://127.0.0.1:{server.port}/api/v1/documents/{DOCUMENT}"
        assert (await rest.patch(url, json={"title": "Named by a program"})).status_code == 200
        await _shows(ada.page, "Named by a program")
        await title_field(ada.page).fill("Named by Ada")

        async def is_listed() -> bool:
            return bool((await rest.get(url)).json()["title"] == "Named by Ada")

        await eventually(is_listed)


async def test_new_document_is_untitled_and_begins_with_its_title(browser: Browser, server: ServerProcess) -> None:
    errors: list[str] = []
    ada = await BrowserClient.open(browser, f"http://127.0.0.1:{server.port}/#token={token('ada')}")
    ada.page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await ada.page.get_by_role("button", name="New document").click()
    await ada.page.wait_for_url("**/d/*")
    await ada.wait_for_text()
    await ada.page.locator("collab-title textarea:focus").wait_for()
    assert await title_field(ada.page).get_attribute("placeholder") == "Untitled"
    await ada.page.keyboard.type("First thing typed")
    await ada.page.keyboard.press("Enter")
    await ada.page.keyboard.type("Then the text. ")
    await ada.wait_for("Then the text.")
    assert await title_field(ada.page).input_value() == "First thing typed"
    assert errors == []


async def test_screen_readers_are_told_the_title_of_the_text(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await title_field(ada.page).fill("Minutes of May")
    await ada.page.get_by_role("textbox", name="Text of Minutes of May").wait_for()


async def _is_titled(page: Page, title: str) -> bool:
    return await page.title() == f"{title} · collab"
