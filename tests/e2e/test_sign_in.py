"""A sign-in lasts longer than its tab: other tabs, other people, its end, and signing out."""

import time

from playwright.async_api import Browser, BrowserContext, Page

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from tests.deployment import SECRET, ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, REMEMBER, BrowserClient, committed_text, page_address
from tests.waiting import eventually

KEY = SharedSecret(SECRET.encode())


def sign_in_token(user: str, *, ttl_s: float = 3600) -> str:
    """Return the token of a sign-in link, which the page can renew."""
    now_s = time.time()
    return sign(
        KEY,
        user=user,
        name=user.title(),
        grants={"**": Role.OWNER},
        now_s=now_s,
        ttl_s=ttl_s,
        signed_in_at=now_s,
    )


def document_address(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}/d/{DOCUMENT}"


async def open_tab(context: BrowserContext, address: str) -> BrowserClient:
    page = await context.new_page()
    await page.add_init_script(REMEMBER)
    await page.goto(address)
    return BrowserClient(page)


async def person(page: Page) -> str:
    """Return the name in the account menu."""
    label = await page.get_by_role("button", name="Account: ").get_attribute("aria-label") or ""
    return label.removeprefix("Account: ")


async def storage(page: Page) -> list[str]:
    kept: list[str] = await page.evaluate("[...Object.values(localStorage), ...Object.values(sessionStorage)]")
    return kept


async def choose(page: Page, entry: str) -> None:
    """Choose an entry of the account menu."""
    await page.get_by_role("button", name="Account: ").click()
    await page.get_by_role("button", name=entry).click()


async def test_document_opens_in_a_second_tab_and_in_a_restarted_browser(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await BrowserClient.open(browser, page_address(server, sign_in_token("ada")))
    await ada.wait_for_text()
    second = await open_tab(ada.context, document_address(server))
    await second.wait_for_text()
    assert await person(second.page) == "Ada"

    kept = await ada.context.storage_state()  # what a browser keeps on the disk
    restarted = await BrowserClient.open(browser, document_address(server), storage_state=kept)
    await restarted.wait_for_text()
    assert await person(restarted.page) == "Ada"


async def test_two_links_in_two_tabs_are_two_people(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.open(browser, page_address(server, sign_in_token("ada")))
    await ada.wait_for_text()
    grace = await open_tab(ada.context, page_address(server, sign_in_token("grace")))
    await grace.wait_for_text()

    await ada.page.reload()
    await ada.wait_for_text()
    assert (await person(ada.page), await person(grace.page)) == ("Ada", "Grace")
    third = await open_tab(ada.context, document_address(server))
    await third.wait_for_text()
    assert await person(third.page) == "Ada", "the last one who used a tab"

    await choose(third.page, "Switch to Grace")
    await third.page.get_by_title("Signed in as Grace").wait_for()
    await third.wait_for_text()
    await third.page.reload()
    await third.wait_for_text()
    assert (await person(third.page), await person(ada.page)) == ("Grace", "Ada")


async def test_sign_out_leaves_nothing_in_storage(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.open(browser, page_address(server, sign_in_token("ada")))
    await ada.type("Private. ")
    await ada.wait_for_status("saved")
    other = await open_tab(ada.context, document_address(server))
    await other.wait_for_text()
    assert await storage(ada.page) != []

    await choose(ada.page, "Sign out")
    for page in (ada.page, other.page):  # the other tab as well
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert await storage(page) == []
        assert "Private" not in await page.content()
    await ada.page.go_back()
    await ada.page.get_by_role("heading", name="Sign in").wait_for()


async def test_sign_out_asks_while_text_is_unsaved(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.open(browser, page_address(server, sign_in_token("ada")))
    await ada.type("Saved. ")
    await ada.wait_for_status("saved")
    server.kill()
    await ada.wait_for_status("reconnecting")
    await ada.type("Not saved. ")
    await choose(ada.page, "Sign out")
    question = ada.page.locator(".question")
    assert "If you leave now, they are lost." in (await question.text_content() or "")
    await question.get_by_role("button", name="Stay").click()
    await server.start()
    await ada.wait_for_status("saved")
    assert "Not saved. " in await committed_text(server)


async def test_token_is_renewed_while_a_person_types(browser: Browser, server_of_short_sign_ins: ServerProcess) -> None:
    server = server_of_short_sign_ins
    first = sign_in_token("ada", ttl_s=8)
    end_s = time.time() + 8
    ada = await BrowserClient.open(browser, page_address(server, first))
    await ada.wait_for_text()
    await ada.page.locator(".ProseMirror").click()
    typed = ""
    while time.time() < end_s + 8:  # beyond the end of the second token, too
        word = f"{len(typed)} "
        await ada.page.keyboard.type(word, delay=20)
        typed += word
    await ada.wait_for_status("saved")
    assert (await committed_text(server)).strip() == typed.strip()
    assert set(await ada.reported()) <= {"connecting", "saving", "saved"}
    assert first not in str(await storage(ada.page))


async def test_page_says_in_time_that_a_sign_in_ends(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.open(browser, page_address(server, token("ada", ttl_s=12)))
    await ada.wait_for_text()
    await ada.page.get_by_text("You’ll be signed out at").wait_for()
    await ada.type("Before the end. ")
    await ada.wait_for_status("saved")
    await ada.page.get_by_role("button", name="Sign in again").click()
    await ada.page.keyboard.type(page_address(server, token("ada")))
    await ada.page.keyboard.press("Enter")
    await ada.page.get_by_text("You’ll be signed out at").wait_for(state="hidden")
    await ada.type("After it. ")
    await ada.wait_for_status("saved")
    assert "signed-out" not in await ada.reported()


async def test_text_typed_before_the_end_is_saved_after_a_sign_in_beside_it(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await signed_out_with_unsaved_text(browser, server)
    field = ada.page.get_by_label("Paste a sign-in link for Ada")
    await field.fill(page_address(server, sign_in_token("grace")))
    await field.press("Enter")
    await ada.page.get_by_text("This link is for Grace. To continue here, sign in as Ada.").wait_for()
    await field.fill("https://example.org/")
    await field.press("Enter")
    await ada.page.get_by_text("This isn’t a sign-in link.").wait_for()
    await field.fill(page_address(server, sign_in_token("ada")))
    await field.press("Enter")
    await ada.wait_for_status("saved")
    assert "At the last moment. " in await committed_text(server)


async def test_text_typed_before_the_end_is_saved_after_a_sign_in_in_another_tab(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await signed_out_with_unsaved_text(browser, server)
    await open_tab(ada.context, page_address(server, sign_in_token("ada")))
    await ada.wait_for_status("saved")
    assert "At the last moment. " in await committed_text(server)


async def signed_out_with_unsaved_text(browser: Browser, server: ServerProcess) -> BrowserClient:
    """Return Ada, whose sign-in has ended while the server was away, so that her last words are unsaved."""
    ada = await BrowserClient.open(browser, page_address(server, token("ada", ttl_s=5)))
    end_s = time.time() + 5
    await ada.type("Saved. ")
    await ada.wait_for_status("saved")
    server.kill()
    await ada.wait_for_status("reconnecting")
    await ada.type("At the last moment. ")
    await eventually(lambda: _is_past(end_s))
    await server.start()
    await ada.wait_for_status("signed-out")
    assert await ada.notice() == (
        "You have been signed out. Your latest changes are not saved yet: "
        "sign in again to save them, or download a copy."
    )
    return ada


async def _is_past(time_s: float) -> bool:
    return time.time() > time_s


async def test_link_can_be_pasted_on_the_sign_in_page(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.open(browser, document_address(server))
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    field = ada.page.get_by_label("Sign-in link")
    await field.fill("not a link")
    await field.press("Enter")
    await ada.page.get_by_text("This isn’t a sign-in link.").wait_for()
    await field.fill(page_address(server, sign_in_token("ada")))
    await field.press("Enter")
    await ada.wait_for_text()
    assert await person(ada.page) == "Ada"
