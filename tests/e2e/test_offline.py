"""Away and back: who writes while nothing can be saved is told so, loses nothing, and is told when it is saved."""

from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.people import Person, committed_text


async def test_text_typed_while_the_server_is_gone_arrives_when_it_is_back(
    browser: Browser, server: ServerProcess
) -> None:
    ada, grace = await Person.sit_down(browser, server, "ada"), await Person.sit_down(browser, server, "grace")
    await ada.type("Before. ")
    await grace.sees("Before. ")
    await ada.is_told("saved")

    server.kill()
    await ada.is_told("reconnecting")
    await ada.type("Ada alone. ")
    await grace.type("Grace alone. ")
    status = await ada.status()
    assert status["text"].endswith("wait on this device.")
    assert status["waiting"] > 0

    await server.start()
    for person in (ada, grace):
        await person.sees("Before. ", "Ada alone. ", "Grace alone. ")
        await person.is_told("saved")
    assert await ada.text() == await grace.text()
    assert (await committed_text(server)).strip() == (await ada.text()).strip()


async def test_who_has_no_network_is_told_that_edits_wait_on_the_device(
    browser: Browser, server: ServerProcess
) -> None:
    ada = await Person.sit_down(browser, server, "ada")
    await ada.is_told("saved")
    server.kill()  # the browser's own switch does not cut a socket that is open
    await ada.context.set_offline(True)
    await ada.is_told("offline")
    await ada.type("Typed in a tunnel. ")
    assert "on this device" in str(await ada.line.text_content())

    await server.start()
    await ada.context.set_offline(False)
    await ada.is_told("saved")
    assert "Typed in a tunnel." in await committed_text(server)
