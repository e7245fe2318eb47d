"""Two people in two real browsers on a real server."""

import asyncio

from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.people import Person


async def test_two_people_type_at_once_and_read_the_same(browser: Browser, server: ServerProcess) -> None:
    ada, grace = await Person.sit_down(browser, server, "ada"), await Person.sit_down(browser, server, "grace")
    async with asyncio.TaskGroup() as both:
        both.create_task(ada.type("Ada was here. "))
        both.create_task(grace.type("So was Grace. "))

    for person in (ada, grace):
        await person.sees("Ada was here.", "So was Grace.")
        await person.is_told("saved")
    assert await ada.text() == await grace.text()


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
