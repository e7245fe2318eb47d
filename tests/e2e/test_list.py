"""The list of documents in a browser: live, sorted, and with a menu on each row."""

import httpx2
from playwright.async_api import Browser, Page

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.waiting import eventually

OWNER = token("ada", {"**": Role.OWNER})


async def open_list(browser: Browser, server: ServerProcess, *, path: str = "", bearer: str = OWNER) -> Page:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/{path}#token={bearer}")
    return page


async def create(server: ServerProcess, **titles: str) -> None:
    """Create documents over REST, one after the other."""
    url = f"http://127.0.0.1:{server.port}/api/v1/documents"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {OWNER}"}) as rest:
        for name, title in titles.items():
            answer = await rest.post(url, json={"name": name.replace("__", "/"), "title": title})
            assert answer.status_code == 201


async def choose(page: Page, title: str, action: str) -> None:
    """Choose from the menu of a document."""
    await page.get_by_role("button", name=f"Actions for {title}").click()
    await page.get_by_role("menuitem", name=action, exact=True).click()


async def test_documents_and_titles_of_others_appear_by_themselves(browser: Browser, server: ServerProcess) -> None:
    page = await open_list(browser, server)
    await page.get_by_text("No documents yet.").wait_for()
    await create(server, first="Minutes", notes__a="Roadmap")
    await page.get_by_role("link", name="Minutes").wait_for()
    await page.get_by_role("link", name="Roadmap").wait_for()
    url = f"http://127.0.0.1:{server.port}/api/v1/documents/first"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {OWNER}"}) as rest:
        await rest.patch(url, json={"title": "Minutes of May"})
        await page.get_by_role("link", name="Minutes of May").wait_for()
        await rest.delete(url)
    await page.get_by_role("link", name="Minutes of May").wait_for(state="detached")


async def test_folder_shows_its_documents_and_the_way_up(browser: Browser, server: ServerProcess) -> None:
    await create(server, top="On top", team__plans__a="Plan A", team__b="Team B")
    page = await open_list(browser, server)
    await page.get_by_role("list", name="Folders").get_by_role("link", name="team").click()
    await page.get_by_role("heading", name="Documents team").wait_for()
    await page.get_by_role("link", name="Plan A").wait_for()
    await page.get_by_role("list", name="Folders").get_by_role("link", name="plans").click()
    await page.get_by_role("heading", name="Documents team plans").wait_for()
    await page.get_by_role("button", name="New document").click()
    await page.wait_for_url("**/d/team/plans/*")
    await page.get_by_role("link", name="team/plans").click()
    await page.get_by_role("heading", name="Documents team plans").wait_for()


async def test_document_is_renamed_duplicated_and_linked_from_its_menu(browser: Browser, server: ServerProcess) -> None:
    await create(server, first="Minutes")
    page = await open_list(browser, server)
    await choose(page, "Minutes", "Rename")
    await page.get_by_role("textbox", name="Title").fill("Protocol")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Protocol").wait_for()

    await choose(page, "Protocol", "Duplicate")
    await page.get_by_role("link", name="Copy of Protocol").wait_for()

    await choose(page, "Copy of Protocol", "Copy link")
    await page.get_by_text("Link copied.").wait_for()
    link = str(await page.evaluate("navigator.clipboard.readText()"))
    await page.goto(link)
    await eventually(lambda: _is_titled(page, "Copy of Protocol · collab"))


async def test_menu_works_by_keyboard(browser: Browser, server: ServerProcess) -> None:
    await create(server, first="Minutes")
    page = await open_list(browser, server)
    button = page.get_by_role("button", name="Actions for Minutes")
    await button.focus()
    await page.keyboard.press("ArrowDown")
    await page.locator("[role=menuitem]:focus", has_text="Open in new tab").wait_for()
    await page.keyboard.press("End")
    await page.locator("[role=menuitem]:focus", has_text="Delete").wait_for()
    await page.keyboard.press("ArrowDown")
    await page.locator("[role=menuitem]:focus", has_text="Open in new tab").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("menu").wait_for(state="hidden")
    assert await button.evaluate("button => button === document.activeElement")


async def _is_titled(page: Page, title: str) -> bool:
    return await page.title() == title


async def test_deleted_document_comes_back_by_undo_and_from_the_bin(browser: Browser, server: ServerProcess) -> None:
    await create(server, first="Minutes")
    page = await open_list(browser, server)
    link = page.get_by_role("link", name="Minutes")
    await choose(page, "Minutes", "Delete")
    await link.wait_for(state="detached")
    await page.get_by_role("button", name="Undo").click()
    await link.wait_for()

    await choose(page, "Minutes", "Delete")
    await page.get_by_role("link", name="Bin").click()
    await page.get_by_role("button", name="Restore Minutes").click()
    await page.get_by_text("The bin is empty.").wait_for()


async def test_document_is_purged_once_its_title_was_typed(browser: Browser, server: ServerProcess) -> None:
    await create(server, first="Minutes")
    page = await open_list(browser, server)
    await choose(page, "Minutes", "Delete")
    await page.get_by_role("link", name="Bin").click()
    await page.get_by_role("button", name="Delete forever: Minutes").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Delete forever")
    assert await confirm.is_disabled()
    await page.get_by_role("textbox", name="Type Minutes to confirm").fill("Minutes")
    await confirm.click()
    await page.get_by_text("The bin is empty.").wait_for()


async def test_search_and_menu_show_what_a_person_may_see_and_do(browser: Browser, server: ServerProcess) -> None:
    await create(server, first="Minutes", second="Roadmap")
    page = await open_list(browser, server, bearer=token("bob", {"**": Role.VIEWER}))
    await page.get_by_role("searchbox").fill("road")
    await page.get_by_role("link", name="Minutes").wait_for(state="detached")
    await page.get_by_role("button", name="Actions for Roadmap").click()
    await page.get_by_role("menu").wait_for()
    names = [str(each).strip() for each in await page.get_by_role("menuitem").all_text_contents()]
    assert "Rename" not in names
    assert "Delete" not in names
