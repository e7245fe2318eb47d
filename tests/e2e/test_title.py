"""The title of a document on its page and in the list."""

from playwright.async_api import Browser, Locator, Page

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, BrowserClient, page_address
from tests.waiting import eventually


def title_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Title")


async def test_title_is_the_name_until_an_editor_changes_it(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    field = title_field(ada.page)
    await field.wait_for()
    assert (await field.input_value(), await field.get_attribute("placeholder")) == ("", DOCUMENT)
    assert await ada.page.title() == f"{DOCUMENT} · collab"

    await field.fill("The engine & its <brass>")
    await field.press("Enter")
    await ada.page.keyboard.type("Enter leads to the text. ")
    await ada.wait_for("Enter leads to the text. ")
    assert await ada.page.locator(".ProseMirror p").count() == 1, "Enter reached the text as well"
    await eventually(lambda: _is_titled(ada.page, "The engine & its <brass>"))

    reader = await BrowserClient.open(browser, page_address(server, token("reader", {DOCUMENT: Role.VIEWER})))
    await reader.wait_for_status("read-only")
    await reader.page.get_by_role("heading", name="The engine & its <brass>").wait_for()
    assert await title_field(reader.page).count() == 0
    await reader.page.get_by_role("link", name="All documents").click()
    await reader.page.get_by_role("link", name="The engine & its <brass>").wait_for()


async def test_title_that_cannot_be_saved_stays_in_its_field(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("Text. ")
    await ada.wait_for_status("saved")
    server.kill()
    field = title_field(ada.page)
    await field.fill("Too late")
    await field.press("Enter")

    async def is_explained() -> bool:
        message = str(await field.evaluate("field => field.validationMessage"))
        return message == "The title is not saved. The server cannot be reached. Check your connection and try again."

    await eventually(is_explained)
    assert await field.input_value() == "Too late"
    await server.start()
    await ada.wait_for_status("saved")
    await field.press("End")
    await field.press("!")
    await field.press("Enter")
    await eventually(lambda: _is_titled(ada.page, "Too late!"))


async def _is_titled(page: Page, title: str) -> bool:
    return await page.title() == f"{title} · collab"
