"""Two people in two real browsers on a real server."""

import asyncio

import pytest
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.browser_client import BrowserClient
from tests.e2e.site import Site
from tests.waiting import eventually


@pytest.mark.parametrize("embedded", [False, True], ids=["own page", "page of another origin"])
async def test_two_people_type_at_once_and_see_the_same_text(
    browser: Browser, server_of_site: ServerProcess, site: Site, embedded: bool
) -> None:
    join = site.join if embedded else BrowserClient.join
    ada, grace = await join(browser, server_of_site, "ada"), await join(browser, server_of_site, "grace")
    async with asyncio.TaskGroup() as both:
        both.create_task(ada.type("Ada was here. "))
        both.create_task(grace.type("So was Grace. "))

    async def every_letter_is_there() -> bool:  # one sentence may be inside the other
        letters = [sorted((await client.text()).replace(" ", "").replace("\n", "")) for client in (ada, grace)]
        return letters == [sorted("Adawashere.SowasGrace.")] * 2

    await eventually(every_letter_is_there)
    assert await ada.text() == await grace.text()
    for client in (ada, grace):
        await client.wait_for_status("saved")


async def test_keys_after_a_click_beside_a_remote_caret_are_not_lost(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await BrowserClient.join(browser, server, "ada"), await BrowserClient.join(browser, server, "grace")
    await ada.type("Ada stands at the end")
    await grace.wait_for("Ada stands at the end")
    keyboard, mouse = grace.page.keyboard, grace.page.mouse
    line = await grace.page.locator(".ProseMirror p").bounding_box()
    assert line is not None
    for times in range(1, 6):
        await keyboard.press("Control+Home")
        beside = line["x"] + line["width"] - 20 * times, line["y"] + line["height"] / 2  # no double click
        await asyncio.gather(
            mouse.click(*beside), keyboard.type("zzzz")
        )  # both at once, as after a pause of the machine

        async def every_key_is_there(keys: int = 4 * times) -> bool:
            return (await grace.text()).count("z") == keys

        await eventually(every_key_is_there)


async def test_saved_text_survives_a_killed_server(browser: Browser, server: ServerProcess) -> None:
    ada = await BrowserClient.join(browser, server, "ada")
    await ada.type("This stays.")
    await ada.wait_for("This stays.")
    await ada.wait_for_status("saved")
    server.kill()
    await ada.context.close()
    await server.start()
    grace = await BrowserClient.join(browser, server, "grace")
    await grace.wait_for("This stays.")
