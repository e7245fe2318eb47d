"""People on two replicas see each other come, write and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.people import Person
from tests.waiting import eventually

pytestmark = pytest.mark.services


@pytest_asyncio.fixture(loop_scope="session")
async def replicas(postgres_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[list[ServerProcess]]:
    """Two, on one database and one relay."""
    environment = {"COLLAB_DATABASE_URL": postgres_url, "COLLAB_REDIS_URL": redis_url}
    async with AsyncExitStack() as stack:
        pair = [ServerProcess(tmp_path, environment=environment) for _ in range(2)]
        for replica in pair:
            stack.callback(replica.stop)
        await asyncio.gather(*(replica.start() for replica in pair))
        yield pair


async def test_people_on_two_replicas_see_each_other_write_and_leave(
    browser: Browser, replicas: list[ServerProcess]
) -> None:
    here, there = replicas
    ada, grace = await Person.sit_down(browser, here, "ada"), await Person.sit_down(browser, there, "grace")
    await ada.type("Ada. ")
    await grace.sees("Ada. ")
    await grace.type("Grace. ")
    await ada.sees("Ada. ", "Grace. ")
    await sees_beside(ada, "Grace", me="Ada")
    await sees_beside(grace, "Ada", me="Grace")

    await grace.page.close()
    await sees_beside(ada, me="Ada")

    grace = await Person.sit_down(browser, there, "grace")
    await grace.type("Back. ")
    await sees_beside(ada, "Grace", me="Ada")
    await ada.page.close()
    await sees_beside(grace, me="Grace")


async def sees_beside(person: Person, *others: str, me: str) -> None:
    """Wait until ``person`` sees the carets of these others, and their names in the list, and nobody else's."""

    async def seen() -> bool:
        return await person.carets() == [*others] and await person.people() == [*others, f"{me} (you)"]

    try:
        await eventually(seen)
    except AssertionError as error:
        raise AssertionError(f"{error} {me} sees {await person.carets()}, {await person.people()}") from None
