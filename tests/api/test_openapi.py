"""The description of REST, for programs and for people: complete, true, and without anything from elsewhere."""

import base64
import hashlib
import html
import re
import shlex
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from collab.api.openapi_page import render
from tests.api.calls import OWNER
from tests.room.build import Author

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """What a page is made of; complains about tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name in {"id", "class", "href", "lang", "charset", "name", "content", "aria-label"}, name
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


# --- for programs -----------------------------------------------------------------------------------


def test_every_operation_is_described(api: Any) -> None:
    assert api["openapi"].startswith("3.1")
    found = [each for path in api["paths"].values() for each in path.values()]
    assert len(operations(api)) == len(found) == 9
    for each in found:
        assert each["summary"]
        assert each["description"]
        for parameter in each.get("parameters", []):
            assert parameter["description"].endswith("."), parameter["name"]


def test_every_error_is_said_to_be_a_problem(api: Any) -> None:
    for each in operations(api).values():
        for status, response in each["responses"].items():
            if status >= "400":
                assert response["content"].keys() == {"application/problem+json"}
            else:
                assert response["description"] != "Successful Response"
    assert {name for name in api["components"]["schemas"] if "Validation" in name} == set()


def test_statuses_are_those_that_the_routes_answer(api: Any) -> None:
    said = {name: {s for s in each["responses"] if s >= "400"} for name, each in operations(api).items()}
    assert said == {
        "listDocuments": {"400", "401", "403", "503"},
        "createDocument": {"400", "401", "403", "408", "409", "410", "413", "503"},
        "getDocument": {"400", "401", "403", "404", "410", "503"},
        "changeDocument": {"400", "401", "403", "404", "408", "410", "413", "503"},
        "deleteDocument": {"400", "401", "403", "404", "410", "503"},
        "getContent": {"400", "401", "403", "404", "410", "503"},
        "postUpdate": {"400", "401", "403", "408", "409", "410", "413", "422", "503"},
        "healthz": set(),
        "readyz": {"503"},
    }


# --- for people -------------------------------------------------------------------------------------


def test_page_shows_every_operation_and_links_to_it(api: Any, page: str) -> None:
    outline = Outline(page)
    assert sorted(outline.ids) == sorted(operations(api))
    assert sorted(outline.links) == sorted(["openapi.json", *(f"#{name}" for name in operations(api))])
    for path, methods in api["paths"].items():
        assert html.escape(path) in page
        for each in methods.values():
            assert html.escape(each["summary"]) in page


def test_page_runs_nothing_and_loads_nothing(client: TestClient) -> None:
    answer = client.get("/api/v1/docs")
    assert Outline(answer.text).tags & {"script", "link", "img", "iframe", "form", "object"} == set()
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_page_is_for_light_and_dark(page: str) -> None:
    assert "color-scheme: light dark" in page
    assert "prefers-color-scheme: dark" in page


def test_host_that_somebody_made_up_stays_text(client: TestClient, api: Any) -> None:
    host = "x<script>alert(1)</script>"
    for page in (render(api, f"http://{host}"), client.get("/api/v1/docs", headers={"Host": host}).text):
        assert "script" not in Outline(page).tags


ORDER = [
    "createDocument",
    "postUpdate",
    "listDocuments",
    "getDocument",
    "changeDocument",
    "getContent",
    "healthz",
    "readyz",
    "deleteDocument",
]


def test_every_line_for_the_shell_does_what_the_page_says(client: TestClient, api: Any, page: str) -> None:
    found = re.findall(r'<article id="(\w+)">.*?<code>(curl .*?)</code>', page, re.DOTALL)
    lines = {name: html.unescape(line) for name, line in found}
    assert sorted(lines) == sorted(ORDER)
    for name in ORDER:
        responses = operations(api)[name]["responses"]
        status = min(responses)
        assert "{" not in lines[name].partition("-d")[0], "a line that one would have to fill in"
        answer = run(client, lines[name])
        assert str(answer.status_code) == status, (lines[name], answer.text)
        if (content := responses[status].get("content", {}).get("application/json")) is not None:
            schema = api["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            assert answer.json().keys() == schema["properties"].keys()


def run(client: TestClient, line: str) -> Any:
    """Do what curl would."""
    one_line = line.replace("\\\n", "").replace("$TOKEN", OWNER["Authorization"].removeprefix("Bearer "))
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
                body = Author(1).type(0, "Hello.")
            case word:
                assert url == ""
                url = word
    return client.request(method, url, headers=headers, content=body)
