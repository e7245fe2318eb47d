"""The element on a page of another site, as attributes and the documents have it."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.deployment import ServerProcess, token
from tests.e2e.browser_client import DOCUMENT, BrowserClient
from tests.e2e.site import Site

ROOT = Path(__file__).parents[2]
GUIDES = {"README.md": ROOT / "README.md", "embedding.md": ROOT / "docs" / "embedding.md"}


def page(server: ServerProcess, attributes: str) -> str:
    """Return a page with an element that has these attributes, and no others but its server's."""
    return (
        f'<!doctype html><script type="module" src="http://127.0.0.1:{server.port}/collab-editor.js"></script>'
        f'<collab-editor server="ws://127.0.0.1:{server.port}/ws" {attributes}></collab-editor>'
    )


async def test_readonly_element_of_an_editor_says_read_only(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    html = page(server_of_site, f'document="{DOCUMENT}" token="{token("ada")}" readonly')
    ada = await site.show(browser, "ada", html)
    await ada.wait_for_text()
    await ada.wait_for_status("read-only")
    assert await ada.line.text_content() == "Read only"
    assert "saved" not in await ada.reported()
    await ada.editor.evaluate("editor => { editor.readonly = false }")
    await ada.wait_for_status("saved")
    await ada.type("Hello.")
    await ada.wait_for_status("saved")
    await ada.editor.evaluate("editor => { editor.readonly = true }")
    await ada.wait_for_status("read-only")


async def test_element_without_a_document_says_so_until_it_has_one(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    ada = await site.show(browser, "ada", page(server_of_site, f'token="{token("ada")}"'))
    await ada.line.get_by_text("No document").wait_for()
    assert (await ada.status())["kind"] == "no-document"
    await ada.editor.evaluate("(editor, name) => { editor.document = name }", DOCUMENT)
    await ada.wait_for_text()
    await ada.wait_for_status("saved")


async def test_element_without_a_token_asks_to_sign_in(
    browser: Browser, server_of_site: ServerProcess, site: Site
) -> None:
    ada = await site.show(browser, "ada", page(server_of_site, f'document="{DOCUMENT}"'))
    await ada.wait_for_status("signed-out")
    assert await ada.notice() == "You are not signed in. Sign in to open this document."
    assert await ada.line.text_content() == "Not signed in"


@pytest.mark.parametrize("guide", GUIDES)
async def test_snippet_of_the_documents_opens_the_editor(
    browser: Browser, server_of_site: ServerProcess, site: Site, guide: str
) -> None:
    """Only the server's address and the token are those of the test."""
    snippets = re.findall(r"<script type=\"module\".*?</collab-editor>", GUIDES[guide].read_text(), re.DOTALL)
    assert snippets
    snippet = snippets[0]
    for shown, ours in {
        "https://docs.example.com": f"http://127.0.0.1:{server_of_site.port}",
        "wss://docs.example.com": f"ws://127.0.0.1:{server_of_site.port}",
        "eyJhbGci…": token("ada"),
    }.items():
        assert shown in snippet
        snippet = snippet.replace(shown, ours)
    ada: BrowserClient = await site.show(browser, "ada", f"<!doctype html>{snippet}")
    await ada.wait_for_text()
    await ada.wait_for_status("saved")
