"""Who may not write, may not come in, or comes from where the server does not want them: each is told so in words."""

import time

from playwright.async_api import Browser

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from tests.deployment import SECRET, ServerProcess, token
from tests.e2e.people import Person, committed_text, page_address
from tests.e2e.site import Site

STRANGER_SECRET = "a secret of somebody else, whose tokens are not ours"


def old_token(user: str) -> str:
    """One that ended an hour ago."""
    now_s = time.time() - 7200
    return sign(SharedSecret(SECRET.encode()), user=user, grants={"**": Role.EDITOR}, now_s=now_s, ttl_s=3600)


def forged_token(user: str) -> str:
    """One that somebody else signed."""
    key = SharedSecret(STRANGER_SECRET.encode())
    return sign(key, user=user, grants={"**": Role.OWNER}, now_s=time.time(), ttl_s=3600)


async def test_reader_is_told_so_and_typing_does_nothing(browser: Browser, server: ServerProcess) -> None:
    ada = await Person.sit_down(browser, server, "ada")
    await ada.type("For all to read. ")
    reader = await Person.open(browser, page_address(server, token("reader", {"story": Role.VIEWER})))
    await reader.sees("For all to read.")
    await reader.is_told("read-only")
    assert await reader.line.text_content() == "Read only"
    assert await reader.page.locator(".ProseMirror").get_attribute("aria-readonly") == "true"

    await reader.type("Scribble. ")
    await ada.type("And more. ")
    await reader.sees("For all to read. And more.")
    await ada.is_told("saved")
    for text in (await reader.text(), await ada.text(), await committed_text(server)):
        assert "Scribble" not in text
    assert (await reader.status())["kind"] == "read-only"


async def test_who_may_not_open_the_document_is_told_so(browser: Browser, server: ServerProcess) -> None:
    stranger = await Person.open(browser, page_address(server, token("stranger", {"other/*": Role.OWNER})))
    await stranger.is_told("denied")
    assert await stranger.notice() == "You may not open this document."


async def test_sign_in_that_the_server_does_not_take_is_said_to_be_over(
    browser: Browser, server: ServerProcess
) -> None:
    stranger = await Person.open(browser, page_address(server, forged_token("stranger")))
    await stranger.is_told("signed-out")
    assert await stranger.notice() == "Signed out. Sign in again to go on."


async def test_expired_link_is_called_expired(browser: Browser, server: ServerProcess) -> None:
    late = await Person.open(browser, page_address(server, old_token("late")))
    await late.page.get_by_role("heading", name="Your sign-in link has expired").wait_for()


async def test_site_gives_a_fresh_token_to_who_was_signed_out(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    ada = await site.visit(browser, server_of_site, "ada", bearer=old_token("ada"))
    await ada.is_told("signed-out")
    await ada.editor.evaluate("(editor, token) => { editor.token = token }", token("ada"))
    await ada.can_read()
    await ada.type("In again. ")
    await ada.is_told("saved")
    assert "In again." in await committed_text(server_of_site)


async def test_site_that_the_server_does_not_know_is_told_so(
    browser: Browser, server: ServerProcess, site: Site
) -> None:
    ada = await site.visit(browser, server, "ada")
    await ada.is_told("denied")
    assert await ada.notice() == ("This server opens no documents on this site. Whoever runs it can allow the site.")
