"""Typing without a connection loses nothing, and the status line says what is saved."""

from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.browser_client import BrowserClient, committed_text


async def test_text_typed_while_the_server_is_down_is_saved_later(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    await ada.type("Before. ")
    await grace.wait_for("Before. ")
    await ada.wait_for_status("saved")

    server.kill()
    await ada.wait_for_status("reconnecting")
    await ada.type("Ada alone. ")
    await grace.type("Grace alone. ")
    status = await ada.status()
    assert status["text"].endswith("Your changes are not saved yet: keep this tab open.")
    assert status["waiting"] > 0

    await server.start()
    for client in (ada, grace):
        await client.wait_for("Before. ", "Ada alone. ", "Grace alone. ")
        await client.wait_for_status("saved")
    assert await ada.text() == await grace.text()
    assert (await committed_text(server)).strip() == (await ada.text()).strip()


async def test_person_without_network_is_asked_to_keep_the_tab_open(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.wait_for_status("saved")
    server.kill()  # the browser's offline switch does not close an open socket
    await ada.context.set_offline(True)
    await ada.wait_for_status("offline")
    await ada.type("Typed in a tunnel. ")
    assert "Keep this tab open" in str(await ada.line.text_content())

    await server.start()
    await ada.context.set_offline(False)
    await ada.wait_for_status("saved")
    assert "Typed in a tunnel." in await committed_text(server)


async def test_lost_network_is_shown_though_nothing_is_unsaved(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.wait_for_status("saved")
    await ada.context.set_offline(True)  # the socket stays open, as it does for a while when a cable is pulled
    await ada.wait_for_status("offline")
    await ada.context.set_offline(False)
    await ada.wait_for_status("saved")
