"""People on two replicas see each other arrive, write and leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.deployment import ServerProcess
from tests.e2e.browser_client import BrowserClient
from tests.waiting import eventually

pytestmark = pytest.mark.services


@pytest_asyncio.fixture(loop_scope="session")
async def replicas(postgres_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[list[ServerProcess]]:
    """Two replicas on one database and one relay."""
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
    ada, grace = await BrowserClient.join(browser, here, "ada"), await BrowserClient.join(browser, there, "grace")
    await ada.type("Ada. ")
    await grace.wait_for("Ada. ")
    await grace.type("Grace. ")
    await ada.wait_for("Ada. ", "Grace. ")
    await wait_for_others(ada, "Grace", me="Ada")
    await wait_for_others(grace, "Ada", me="Grace")

    await grace.page.close()
    await wait_for_others(ada, me="Ada")

    grace = await BrowserClient.join(browser, there, "grace")
    await grace.type("Back. ")
    await wait_for_others(ada, "Grace", me="Ada")
    await ada.page.close()
    await wait_for_others(grace, me="Grace")


async def wait_for_others(client: BrowserClient, *others: str, me: str) -> None:
    """Wait until ``client`` shows exactly the carets and names of these others."""

    async def seen() -> bool:
        return await client.carets() == [*others] and await client.people() == [*others, f"{me} (you)"]

    try:
        await eventually(seen)
    except AssertionError as error:
        raise AssertionError(f"{error} {me} sees {await client.carets()}, {await client.people()}") from None
