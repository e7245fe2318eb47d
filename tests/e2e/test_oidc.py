"""People sign in at an OpenID provider, a real one."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.deployment import ServerProcess
from tests.e2e.browser_client import REMEMBER, BrowserClient
from tests.e2e.test_sign_in import choose, open_tab, person, storage
from tests.services.oidc_provider import OidcProviderProcess
from tests.services.private import free_port

LIFE_S = 10


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[OidcProviderProcess]:
    """A provider, and the port of its client."""
    provider = OidcProviderProcess(free_port())
    yield provider.start()
    provider.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, provider: OidcProviderProcess) -> AsyncIterator[ServerProcess]:
    """A server at which people sign in with the provider; its tokens are short."""
    environment = {**provider.settings, "COLLAB_OIDC_TOKEN_S": str(LIFE_S)}
    server = ServerProcess(tmp_path, environment=environment, port=provider.client_port)
    await server.start()
    yield server
    server.stop()


def own_document(server: ServerProcess, user: str) -> str:
    return f"http://127.0.0.1:{server.port}/d/people/{user}/diary"


async def sign_in_at_provider(page: Page, user: str) -> None:
    """Sign in on the pages of the provider."""
    await page.get_by_placeholder("Enter any login").fill(user)
    await page.get_by_placeholder("and password").fill("anything")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def signed_in(browser: Browser, server: ServerProcess, user: str = "ada") -> BrowserClient:
    client = await BrowserClient.open(browser, own_document(server, user))
    await client.page.get_by_role("link", name="Sign in with Example ID").click()
    await sign_in_at_provider(client.page, user)
    await client.wait_for_text()
    return client


async def test_person_signs_in_at_the_provider_and_comes_back_to_the_document(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await signed_in(browser, server)
    assert ada.page.url == own_document(server, "ada"), "without the token"
    assert await person(ada.page) == "Ada of the provider"
    await ada.type("My own. ")
    await ada.wait_for_status("saved")
    kept = await ada.context.cookies()
    ours = [cookie for cookie in kept if cookie.get("path") == "/sign-in/oidc"]
    assert [(cookie.get("httpOnly"), cookie.get("sameSite")) for cookie in ours] == [(True, "Lax")]

    grace = await open_tab(ada.context, own_document(server, "grace"))
    heading = grace.page.get_by_role("heading", name="You don’t have access to this document")
    await heading.wait_for()  # it is not Ada's


async def test_new_document_lands_in_the_folder_of_its_owner(browser: Browser, server: ServerProcess) -> None:
    ada = await signed_in(browser, server)
    await ada.page.get_by_role("link", name="All documents").click()
    await ada.page.get_by_role("button", name="New document").click()
    await ada.page.wait_for_url("**/d/people/ada/**")
    await ada.wait_for_text()


async def test_session_goes_on_across_tokens_while_the_provider_is_away(
    browser: Browser, server: ServerProcess, provider: OidcProviderProcess
) -> None:
    ada = await signed_in(browser, server)
    end_s = time.time() + LIFE_S + 3
    provider.stop()
    await ada.page.locator(".ProseMirror").click()
    typed = ""
    while time.time() < end_s:
        await ada.page.keyboard.type("word ", delay=30)
        typed += "word "
    await ada.wait_for_status("saved")
    assert (await ada.text()).strip() == typed.strip()
    assert "signed-out" not in await ada.reported()


async def test_ended_token_is_replaced_when_the_browser_comes_back(browser: Browser, server: ServerProcess) -> None:
    ada = await signed_in(browser, server)
    await ada.page.goto("about:blank")
    await ada.page.wait_for_function("end => Date.now() > end", arg=(time.time() + LIFE_S) * 1000)
    await ada.page.goto(own_document(server, "ada"))
    await ada.wait_for_text()
    assert await person(ada.page) == "Ada of the provider"


async def test_provider_that_is_away_is_explained(
    browser: Browser, server: ServerProcess, provider: OidcProviderProcess
) -> None:
    provider.stop()
    ada = await BrowserClient.open(browser, own_document(server, "ada"))
    link = ada.page.get_by_role("link", name="Sign in with Example ID")
    await link.click()
    await ada.page.get_by_text("The sign-in service does not answer. Your documents are safe.").wait_for()
    assert ada.page.url == own_document(server, "ada")
    provider.start()
    await link.click()
    await sign_in_at_provider(ada.page, "ada")
    await ada.wait_for_text()

    await choose(ada.page, "Add another account")
    provider.stop()
    await ada.page.get_by_role("link", name="Sign in with Example ID").click()
    await ada.page.get_by_text("The sign-in service does not answer.").wait_for()
    await ada.page.get_by_role("button", name="Continue as Ada").click()
    await ada.wait_for_text()


async def test_answer_of_another_sign_in_is_refused(browser: Browser, server: ServerProcess) -> None:
    base = f"http://127.0.0.1:{server.port}/sign-in/oidc"
    mallory = await BrowserClient.open(browser, own_document(server, "mallory"))
    await mallory.page.get_by_role("link", name="Sign in with Example ID").click()
    async with mallory.page.expect_request(f"{base}/callback**") as asked:
        await mallory.page.route(f"{base}/callback**", lambda route: route.abort())
        await sign_in_at_provider(mallory.page, "mallory")
    stolen = (await asked.value).url

    page = await (await browser.new_context()).new_page()
    await page.add_init_script(REMEMBER)
    await page.goto(stolen)  # the code and state of another browser
    await page.get_by_text("The sign-in did not work. Start it again.").wait_for()
    assert await storage(page) == []


async def test_sign_out_deletes_the_refresh_cookie(browser: Browser, server: ServerProcess) -> None:
    ada = await signed_in(browser, server)
    await choose(ada.page, "Sign out")
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    assert await storage(ada.page) == []
    assert [cookie for cookie in await ada.context.cookies() if cookie.get("path") == "/sign-in/oidc"] == []
