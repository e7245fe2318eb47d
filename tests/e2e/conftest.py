"""The browser of the end-to-end tests: one for all tests of a process, with a context for each client.

A browser belongs to the event loop it was started in, so every test of this folder runs in the session's loop.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.deployment import ServerProcess
from tests.e2e.site import Site
from tests.services.browser import FLAGS, find_chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.browser)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def only_browser() -> AsyncIterator[Browser]:
    """A Chromium."""
    chromium = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path, args=list(FLAGS), env={**os.environ, **chromium.environment}
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(only_browser: Browser) -> AsyncIterator[Browser]:
    """The Chromium, without any open context. Each client opens a context of its own."""
    yield only_browser
    for context in only_browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server with a data directory of its own."""
    server = await ServerProcess(tmp_path).start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server_of_short_sign_ins(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server whose renewed tokens last for seconds."""
    server = await ServerProcess(tmp_path, environment={"COLLAB_SIGN_IN_IDLE_S": "6"}).start()
    yield server
    server.stop()


@pytest.fixture
def site() -> Iterator[Site]:
    """A site at another origin."""
    with Site() as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def server_of_site(tmp_path: Path, site: Site) -> AsyncIterator[ServerProcess]:
    """A server that allows the site to embed its documents."""
    server = await ServerProcess(tmp_path, environment={"COLLAB_ALLOWED_ORIGINS": site.origin}).start()
    yield server
    server.stop()
