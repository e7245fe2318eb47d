"""The pages that stand in place of a document or a list: each says what happened and leads on."""

from playwright.async_api import Browser, Page

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, BrowserClient, page_address
from tests.waiting import eventually


async def open_page(browser: Browser, server: ServerProcess, path: str, bearer: str | None = None) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/{path}" + (f"#token={bearer}" if bearer else ""))
    return page


async def test_person_without_access_is_led_to_the_documents_and_to_another_account(
    browser: Browser, server: ServerProcess
) -> None:
    page = await open_page(browser, server, "d/story", token("stranger", {"other/*": Role.OWNER}))
    await page.get_by_role("heading", name="You don’t have access to this document").wait_for()
    assert "signed in as Stranger" in str(await page.locator(".card").text_content())
    await page.get_by_role("link", name="Go to my documents").click()
    await page.get_by_role("heading", name="Documents", exact=True).wait_for()

    page = await open_page(browser, server, "d/story", token("stranger", {"other/*": Role.OWNER}))
    await page.get_by_role("button", name="Switch account").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_deleted_document_says_that_it_is_in_the_bin(browser: Browser, server: ServerProcess) -> None:
    owner = token("ada", {"**": Role.OWNER})
    ada = await BrowserClient.open(browser, page_address(server, owner))
    await ada.type("Text. ")
    await ada.wait_for_status("saved")
    await delete(ada.page, server, owner)
    await ada.wait_for_status("denied")
    assert "deleted" in await ada.notice()
    assert "Text." in await ada.text(), "what is on the page stays there"
    await ada.editor.get_by_role("button", name="Restore").wait_for()

    page = await open_page(browser, server, f"d/{DOCUMENT}", owner)
    await page.get_by_role("heading", name="This document is in the bin").wait_for()


async def test_address_that_leads_nowhere_says_so(browser: Browser, server: ServerProcess) -> None:
    page = await open_page(browser, server, "nowhere/at/all")
    await page.get_by_role("heading", name="There is nothing at this address").wait_for()
    await page.get_by_role("link", name="Go to my documents").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_name_that_no_document_can_have_leads_back_to_the_documents(
    browser: Browser, server: ServerProcess
) -> None:
    page = await open_page(browser, server, "d/a//b", token("ada"))
    await page.get_by_role("heading", name="This document can’t be opened").wait_for()
    await page.get_by_role("link", name="Go to my documents").wait_for()


async def test_new_is_an_address_that_makes_a_document(browser: Browser, server: ServerProcess) -> None:
    page = await open_page(browser, server, "new", token("ada"))
    await page.wait_for_url("**/d/*")
    await page.locator("collab-title textarea:focus").wait_for()
    await page.go_back()
    assert "/d/" not in page.url, "back leads away and makes no second document"


async def test_person_who_may_not_create_is_told_so(browser: Browser, server: ServerProcess) -> None:
    page = await open_page(browser, server, "new", token("bob", {"**": Role.VIEWER}))
    await page.get_by_role("heading", name="You can’t create a document here").wait_for()


async def test_server_that_does_not_answer_is_named(browser: Browser, server: ServerProcess) -> None:
    page = await (await browser.new_context()).new_page()
    await page.route_web_socket("**/ws", lambda socket: None)  # opens, and is never answered
    await page.goto(page_address(server, token("ada")))
    await page.get_by_text("The server isn’t answering.").wait_for()
    await page.get_by_role("button", name="Try now").wait_for()


async def test_theme_can_be_chosen_and_stays(browser: Browser, server: ServerProcess) -> None:
    page = await (await browser.new_context(color_scheme="light")).new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/#token={token('ada')}")

    async def ground() -> str:
        return str(await page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    light = await ground()
    await page.get_by_role("button", name="Theme: same as your device").click()
    await page.get_by_role("button", name="Theme: light").click()
    await page.get_by_role("button", name="Theme: dark").wait_for()
    dark = await ground()
    assert dark != light
    await page.goto(f"http://127.0.0.1:{server.port}/d/{DOCUMENT}")
    assert await ground() == dark
    await page.locator("collab-editor").wait_for()
    seen = await page.evaluate("getComputedStyle(document.querySelector('collab-editor')).backgroundColor")
    assert seen == dark


async def test_changes_in_the_background_are_counted_in_the_tab(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    icon = "document.querySelector('link[rel=icon]').href"
    plain = await ada.page.evaluate(icon)
    await look(ada.page, away=True)
    await grace.type("One.")
    await grace.page.keyboard.press("Enter")
    await grace.page.keyboard.type("Two.")
    await eventually(lambda: _is_titled(ada.page, f"(2) {DOCUMENT} · collab"))
    assert await ada.page.evaluate(icon) != plain
    await look(ada.page, away=False)
    await eventually(lambda: _is_titled(ada.page, f"{DOCUMENT} · collab"))
    assert await ada.page.evaluate(icon) == plain


async def test_person_with_two_tabs_is_one_avatar(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    await BrowserClient.join(browser, server, "grace")

    async def is_one() -> bool:
        return await ada.people() == ["Grace", "Ada (you)"] and await grace.people() == ["Ada", "Grace (you)"]

    await eventually(is_one)
    assert await ada.editor.locator("collab-people button[popovertarget] > .badge").count() == 2


async def look(page: Page, *, away: bool) -> None:
    """Act as if the person had gone to another tab, which headless browsers never tell."""
    await page.evaluate(
        """away => {
            const tell = (name, value) => Object.defineProperty(document, name, { value, configurable: true });
            tell('hidden', away);
            tell('visibilityState', away ? 'hidden' : 'visible');
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        away,
    )


async def delete(page: Page, server: ServerProcess, owner: str) -> None:
    status = await page.evaluate(
        """([name, token]) => fetch(`/api/v1/documents/${name}`, {
            method: 'DELETE', headers: { Authorization: `Bearer ${token}` } }).then(answer => answer.status)""",
        [DOCUMENT, owner],
    )
    assert status == 204


async def _is_titled(page: Page, title: str) -> bool:
    return await page.title() == title
