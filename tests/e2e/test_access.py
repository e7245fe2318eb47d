"""What the editor says to people without access, without a good token, or on a site that is not allowed."""

import time

from playwright.async_api import Browser

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from tests.deployment import SECRET, ServerProcess, token
from tests.e2e.browser_client import BrowserClient, committed_text, page_address
from tests.e2e.site import Site

OTHER_SECRET = "another secret, which the server does not know"


def expired_token(user: str) -> str:
    """Return a token that expired an hour ago."""
    now_s = time.time() - 7200
    return sign(SharedSecret(SECRET.encode()), user=user, grants={"**": Role.EDITOR}, now_s=now_s, ttl_s=3600)


def forged_token(user: str) -> str:
    """Return a token with a signature that the server does not accept."""
    key = SharedSecret(OTHER_SECRET.encode())
    return sign(key, user=user, grants={"**": Role.OWNER}, now_s=time.time(), ttl_s=3600)


async def test_viewer_sees_read_only_and_cannot_type(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("For all to read. ")
    reader = await BrowserClient.open(browser, page_address(server, token("reader", {"story": Role.VIEWER})))
    await reader.wait_for("For all to read.")
    await reader.wait_for_status("read-only")
    assert await reader.line.text_content() == "Read only"
    assert await reader.page.locator(".ProseMirror").get_attribute("aria-readonly") == "true"

    await reader.type("Scribble. ")
    await ada.type("And more. ")
    await reader.wait_for("For all to read. And more.")
    await ada.wait_for_status("saved")
    for text in (await reader.text(), await ada.text(), await committed_text(server)):
        assert "Scribble" not in text
    assert (await reader.status())["kind"] == "read-only"


async def test_refused_token_signs_the_person_out(browser: Browser, server: ServerProcess) -> None:
    stranger = await BrowserClient.open(browser, page_address(server, forged_token("stranger")))
    await stranger.page.get_by_role("heading", name="Sign in again").wait_for()


async def test_embedded_editor_tells_a_person_without_access(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    bearer = token("stranger", {"other/*": Role.OWNER})
    stranger = await site.visit(browser, server_of_site, "stranger", bearer=bearer)
    await stranger.wait_for_status("denied")
    assert await stranger.notice() == "You don’t have access to this document. Ask its owner to share it with you."


async def test_embedded_editor_tells_that_the_sign_in_has_ended(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    stranger = await site.visit(browser, server_of_site, "stranger", bearer=forged_token("stranger"))
    await stranger.wait_for_status("signed-out")
    assert await stranger.notice() == "You have been signed out. Sign in again to continue."


async def test_expired_link_is_reported_as_expired(browser: Browser, server: ServerProcess) -> None:
    late = await BrowserClient.open(browser, page_address(server, expired_token("late")))
    await late.page.get_by_role("heading", name="Sign in again").wait_for()


async def test_site_can_give_a_new_token_after_sign_out(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    ada = await site.visit(browser, server_of_site, "ada", bearer=expired_token("ada"))
    await ada.wait_for_status("signed-out")
    await ada.editor.evaluate("(editor, token) => { editor.token = token }", token("ada"))
    await ada.wait_for_text()
    await ada.type("In again. ")
    await ada.wait_for_status("saved")
    assert "In again." in await committed_text(server_of_site)


async def test_site_that_is_not_allowed_is_told_so(browser: Browser, server: ServerProcess, site: Site) -> None:
    ada = await site.visit(browser, server, "ada")
    await ada.wait_for_status("denied")
    assert await ada.notice() == (
        "Documents from this server cannot be opened on this site. Ask the server’s administrator to allow it."
    )


async def test_token_function_that_fails_once_is_called_again(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    ada = await site.visit(browser, server_of_site, "ada", bearer=expired_token("ada"))
    await ada.wait_for_status("signed-out")
    await ada.editor.evaluate(
        """(editor, token) => {
            let calls = 0;
            editor.token = async () => {
                calls += 1;
                if (calls === 1) throw new Error("the site does not answer");
                return token;
            };
        }""",
        token("ada"),
    )
    await ada.wait_for_text()
    assert "denied" not in await ada.reported()
