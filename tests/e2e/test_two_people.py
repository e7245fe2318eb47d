"""Two people in two real browsers on a real server."""

import asyncio

import pytest
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.people import Person
from tests.e2e.site import Site
from tests.waiting import eventually


@pytest.mark.parametrize("embedded", [False, True], ids=["own page", "page of another origin"])
async def test_two_people_type_at_once_and_read_the_same(
    browser: Browser, server_of_site: ServerProcess, site: Site, embedded: bool
) -> None:
    sit_down = site.sit_down if embedded else Person.sit_down
    ada, grace = await sit_down(browser, server_of_site, "ada"), await sit_down(browser, server_of_site, "grace")
    async with asyncio.TaskGroup() as both:
        both.create_task(ada.type("Ada was here. "))
        both.create_task(grace.type("So was Grace. "))

    async def every_letter_is_there() -> bool:  # whoever began later may stand within the other's sentence
        letters = [sorted((await person.text()).replace(" ", "").replace("\n", "")) for person in (ada, grace)]
        return letters == [sorted("Adawashere.SowasGrace.")] * 2

    await eventually(every_letter_is_there)
    assert await ada.text() == await grace.text()
    for person in (ada, grace):
        await person.is_told("saved")


async def test_keys_pressed_right_after_a_click_beside_somebodys_caret_are_not_lost(
    browser: Browser, server: ServerProcess
) -> None:
    ada, grace = await Person.sit_down(browser, server, "ada"), await Person.sit_down(browser, server, "grace")
    await ada.type("Ada stands at the end")
    await grace.sees("Ada stands at the end")
    keyboard, mouse = grace.page.keyboard, grace.page.mouse
    line = await grace.page.locator(".ProseMirror p").bounding_box()
    assert line is not None
    for times in range(1, 6):
        await keyboard.press("Control+Home")
        beside = line["x"] + line["width"] - 20 * times, line["y"] + line["height"] / 2  # no double click
        await asyncio.gather(mouse.click(*beside), keyboard.type("zzzz"))  # in one go, as after a stutter

        async def every_key_is_there(keys: int = 4 * times) -> bool:
            return (await grace.text()).count("z") == keys

        await eventually(every_key_is_there)


async def test_what_was_saved_is_there_after_the_server_was_killed(browser: Browser, server: ServerProcess) -> None:
    ada = await Person.sit_down(browser, server, "ada")
    await ada.type("This stays.")
    await ada.sees("This stays.")
    await ada.is_told("saved")
    server.kill()
    await ada.context.close()
    await server.start()
    grace = await Person.sit_down(browser, server, "grace")
    await grace.sees("This stays.")
