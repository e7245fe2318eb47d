"""The description of REST for people: complete, true, usable, and without anything from another host."""

import asyncio
import base64
import hashlib
import html
import os
import re
import shlex
from collections import Counter
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.async_api import Locator, Page, async_playwright, expect

from collab.access.roles import Role
from collab.api.openapi_page import render
from tests.api.calls import OWNER, bearer
from tests.api.test_sign_in import sign_in_token
from tests.deployment import ServerProcess
from tests.room.build import YjsClient
from tests.services.browser import FLAGS, find_chromium

VOID = {"meta", "link", "br", "hr", "img", "input"}


ATTRIBUTES = {
    *("id", "class", "href", "lang", "charset", "name", "content", "aria-label", "hidden", "type", "value"),
    *("required", "selected", "rows", "autocomplete", "spellcheck", "placeholder"),
}


class Outline(HTMLParser):
    """The tags, ids and links of a page. Fails when tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    @property
    def tags(self) -> set[str]:
        return set(self.count)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name in ATTRIBUTES or name.startswith("data-"), name
            if name == "id":
                self.ids.append(str(value))
            if name == "href":
                self.links.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def api(client: TestClient) -> Any:
    return client.get("/api/v1/openapi.json").json()


@pytest.fixture
def page(client: TestClient) -> str:
    return client.get("/api/v1/docs").text


def operations(api: Any) -> dict[str, Any]:
    return {each["operationId"]: each for path in api["paths"].values() for each in path.values()}


def digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def test_page_shows_every_operation_and_links_to_it(api: Any, page: str) -> None:
    outline = Outline(page)
    assert sorted(outline.ids) == sorted(operations(api))
    assert sorted(outline.links) == sorted(["openapi.json", *(f"#{name}" for name in operations(api))])
    for path, methods in api["paths"].items():
        assert html.escape(path) in page
        for each in methods.values():
            assert html.escape(each["summary"]) in page


def test_page_loads_nothing_and_runs_only_its_own_script(client: TestClient) -> None:
    answer = client.get("/api/v1/docs")
    assert Outline(answer.text).tags & {"link", "img", "iframe", "object"} == set()
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": digest(style),
        "script-src": digest(script),
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_page_has_a_light_and_a_dark_form(page: str) -> None:
    assert "color-scheme: light dark" in page
    assert "prefers-color-scheme: dark" in page


def test_host_with_markup_stays_text(client: TestClient, api: Any) -> None:
    host = "x<script>alert(1)</script>"
    for page in (render(api, f"http://{host}"), client.get("/api/v1/docs", headers={"Host": host}).text):
        assert Outline(page).count["script"] == 1


ORDER = [
    "createDocument",
    "postUpdate",
    "renewToken",
    "listDocuments",
    "getDocument",
    "changeDocument",
    "getContent",
    "requestAccess",
    "listAccessRequests",
    "putMember",
    "listMembers",
    "removeMember",
    "createLink",
    "listLinks",
    "getAccess",
    "revokeLink",
    "publishDocument",
    "unpublishDocument",
    "healthz",
    "readyz",
    "deleteDocument",
    "restoreDocument",
]


STRANGER = bearer({"other/*": Role.VIEWER}, user="carol")
CALLERS = {"requestAccess": STRANGER, "renewToken": {"Authorization": f"Bearer {sign_in_token()}"}}
LINK = "Zk3u8yQb1x0t"
"""The id of a link in the examples."""


def test_line_for_the_shell_does_what_the_page_says(client: TestClient, api: Any, page: str) -> None:
    found = re.findall(r'<article id="(\w+)">.*?<code>(curl .*?)</code>', page, re.DOTALL)
    lines = {name: html.unescape(line) for name, line in found}
    assert sorted(lines) == sorted(ORDER)
    link = ""
    for name in ORDER:
        responses = operations(api)[name]["responses"]
        status = min(responses)
        assert "{" not in lines[name].partition("-d")[0], "a line that one would have to fill in"
        answer = run(client, lines[name].replace(LINK, link), CALLERS.get(name, OWNER))
        if name == "createLink":
            link = answer.json()["id"]
        assert str(answer.status_code) == status, (lines[name], answer.text)
        if (content := responses[status].get("content", {}).get("application/json")) is not None:
            schema = api["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            assert answer.json().keys() == schema["properties"].keys()


def run(client: TestClient, line: str, caller: dict[str, str] = OWNER) -> Any:
    """Send what curl would send for ``line``."""
    one_line = line.replace("\\\n", "").replace("$TOKEN", caller["Authorization"].removeprefix("Bearer "))
    program, *words = shlex.split(one_line)
    assert program == "curl"
    method, headers, body = "GET", {}, None
    url = ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0).encode()
            case "--data-binary":
                assert words.pop(0) == "@update.bin"
                body = YjsClient(1).type(0, "Hello.")
            case word:
                assert url == ""
                url = word
    return client.request(method, url, headers=headers, content=body)


# --- in a browser --------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = await ServerProcess(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
async def open_page(server: ServerProcess) -> AsyncIterator[Page]:
    chromium = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path, args=list(FLAGS), env={**os.environ, **chromium.environment}
        )
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{server.port}/api/v1/docs")
        yield page
        await browser.close()


def form_of(page: Page, operation: str) -> Locator:
    return page.locator(f"#{operation} form")


async def send(page: Page, operation: str) -> None:
    await page.locator(f"#{operation} details.try summary").click()
    await form_of(page, operation).locator("[type=submit]").click()


@pytest.mark.browser
async def test_forms_send_what_is_filled_in(open_page: Page, tmp_path: Path) -> None:
    page = open_page
    await send(page, "createDocument")
    await expect(form_of(page, "createDocument").locator("output p")).to_have_text("401 Unauthorized")
    await page.fill("[name=token]", OWNER["Authorization"].removeprefix("Bearer "))
    await form_of(page, "createDocument").locator("[type=submit]").click()
    await expect(form_of(page, "createDocument").locator("output p")).to_have_text("201 Created")

    update = tmp_path / "update.bin"
    await asyncio.to_thread(update.write_bytes, YjsClient(1).type(0, "Hello."))
    await form_of(page, "postUpdate").locator("[type=file]").set_input_files(update)
    await send(page, "postUpdate")
    await expect(form_of(page, "postUpdate").locator("output p")).to_have_text("200 OK")
    await send(page, "getContent")
    await expect(form_of(page, "getContent").locator("output code")).to_have_text("Hello.")
    await form_of(page, "getContent").locator("select").select_option("update")
    await form_of(page, "getContent").locator("[type=submit]").click()
    await expect(form_of(page, "getContent").locator("output code")).to_contain_text("application/octet-stream")
    await send(page, "deleteDocument")
    await expect(form_of(page, "deleteDocument").locator("output p")).to_have_text("204 No Content")


@pytest.mark.browser
async def test_form_says_when_the_server_cannot_be_reached(open_page: Page, server: ServerProcess) -> None:
    server.stop()
    await send(open_page, "healthz")
    await expect(form_of(open_page, "healthz").locator("output code")).to_contain_text("cannot be reached")


@pytest.mark.browser
async def test_line_for_the_shell_is_copied(open_page: Page) -> None:
    await open_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = open_page.locator("#healthz .copy")
    await button.click()
    await expect(button).to_have_text("Copied")
    copied = await open_page.evaluate("navigator.clipboard.readText()")
    assert copied == await open_page.locator("#healthz .shell code").text_content()
