"""The description of the REST interface for people: one page, made from the OpenAPI document, with copy and try.

Swagger UI, Redoc and the like are programs of 0.8 to 3 MB that want inline styles or foreign hosts. This page is
HTML with one small script, both allowed by their hashes alone: it works behind any proxy, without a network and in
print, it can be searched, and without the script only copying and trying are gone.
"""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

Json: TypeAlias = dict[str, Any]

STYLE, SCRIPT = (Path(__file__).with_suffix(kind).read_text() for kind in (".css", ".js"))


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
BINARY = "application/octet-stream"
SIGN_IN = "TOKEN=$(collab token --sub me --grant '**=owner')"
MOMENT = "2026-11-24T10:15:12Z"

router = APIRouter(include_in_schema=False)


@router.get("/api/v1/docs")
async def openapi_page(request: Request) -> HTMLResponse:
    """Show every route, with an example, a line for the shell and a form to try it."""
    return HTMLResponse(render(request.app.openapi(), str(request.base_url).rstrip("/")), headers=HEADERS)


def render(api: Json, base_url: str) -> str:
    """Return the page for an OpenAPI document. ``base_url`` stands in the lines for the shell."""
    operations = list(_operations(api))
    sections: dict[str, list[_Operation]] = {}
    for operation in operations:
        sections.setdefault(operation.tag, []).append(operation)
    index = "".join(
        f"<h2>{escape(tag)}</h2><ul>{''.join(each.link() for each in members)}</ul>"
        for tag, members in sections.items()
    )
    body = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(each.article(base_url) for each in members)}</section>"
        for tag, members in sections.items()
    )
    info = api["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} · REST</title><style>{STYLE}</style></head><body><div class=page>"
        f"<header><h1>{escape(info['title'])} <small>REST, version {escape(info['version'])}</small></h1>"
        f"{_prose(info['description'])}{_shell(SIGN_IN)}"
        '<p hidden><label class="token"><span>Token</span><input name="token" type="password" autocomplete="off" '
        'spellcheck="false" placeholder="for the forms; stays on this page"></label></p>'
        '<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p></header>'
        f'<nav aria-label="Routes">{index}</nav><main>{body}</main></div>'
        f"<script>{SCRIPT}</script></body></html>"
    )


class _Operation:
    """One method of one path."""

    def __init__(self, api: Json, path: str, method: str, described: Json) -> None:
        self._schemas: Json = api["components"]["schemas"]
        self._path = path
        self._method = method
        self._described = described
        self.tag: str = described["tags"][0]

    @property
    def _id(self) -> str:
        return str(self._described["operationId"])

    @property
    def _badge(self) -> str:
        return f'<span class="method {self._method}">{self._method}</span>'

    def link(self) -> str:
        """Return its line in the index."""
        return f'<li><a href="#{self._id}">{self._badge}<span>{escape(self._described["summary"])}</span></a></li>'

    def article(self, base_url: str) -> str:
        """Return its section of the page."""
        return (
            f'<article id="{self._id}"><h3>{escape(self._described["summary"])}</h3>'
            f'<p class="route">{self._badge} {escape(self._path)}</p>'
            f"{_prose(self._described.get('description', ''))}{self._parameters()}"
            f"<h4>In a shell</h4>{_shell(self._curl(base_url))}"
            f"{''.join(self._response(status, answer) for status, answer in self._answers())}"
            f"{self._problems()}{self._form()}</article>"
        )

    def _parameters(self) -> str:
        rows = "".join(
            f"<dt><code>{escape(each['name'])}</code></dt><dd>{_inline(each.get('description', ''))} "
            f"<small>{escape(', '.join(_facts(each)))}</small></dd>"
            for each in self._described.get("parameters", [])
        )
        return f"<h4>Parameters</h4><dl>{rows}</dl>" if rows else ""

    def _form(self) -> str:
        fields = "".join(self._field(each) for each in self._described.get("parameters", []))
        for kind, content in self._described.get("requestBody", {}).get("content", {}).items():
            fields += self._body_field(kind, content)
        return (
            f'<details class="try" hidden><summary>Try it</summary>'
            f'<form data-method="{self._method.upper()}" data-path="{escape(self._path)}">{fields}'
            f'<button type="submit">Send {self._method.upper()}</button><output></output></form></details>'
        )

    def _field(self, parameter: Json) -> str:
        name, place = escape(parameter["name"]), parameter["in"]
        schema = self._resolved(parameter["schema"])
        value = parameter["schema"].get("default", self._example(schema) if place == "path" else "")
        attributes = f'name="{name}" data-in="{place}"'
        if "enum" in schema:
            control = (
                f"<select {attributes}>{''.join(_option(each, each == value) for each in schema['enum'])}</select>"
            )
        else:
            required = " required" if parameter.get("required") else ""
            control = f'<input {attributes} value="{escape(str(value))}" spellcheck="false"{required}>'
        return f"<label><span>{name}</span>{control}</label>"

    def _body_field(self, kind: str, content: Json) -> str:
        attributes = f'name="body" data-in="body" data-type="{escape(kind)}"'
        if kind == BINARY:
            return f'<label><span>update</span><input type="file" {attributes} required></label>'
        example = json.dumps(self._example(content["schema"]), indent=2, ensure_ascii=False)
        return (
            f'<label><span>body</span><textarea {attributes} rows="{example.count(chr(10)) + 1}" spellcheck="false">'
            f"{escape(example)}</textarea></label>"
        )

    def _curl(self, base_url: str) -> str:
        lines = [f"curl {shlex.quote(base_url + self._example_path())}"]
        if self._method != "get":
            lines[0] = lines[0].replace("curl", f"curl -X {self._method.upper()}", 1)
        if "security" in self._described:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        content = self._described.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            body = json.dumps(self._example(content["application/json"]["schema"]), ensure_ascii=False)
            lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
        elif BINARY in content:
            lines += [f"-H 'Content-Type: {BINARY}'", "--data-binary @update.bin"]
        return " \\\n    ".join(lines)

    def _example_path(self) -> str:
        path = self._path
        for each in self._described.get("parameters", []):
            if each["in"] == "path":
                path = path.replace(f"{{{each['name']}}}", quote(str(self._example(each["schema"])), safe=""))
        return path

    def _answers(self) -> Iterator[tuple[str, Json]]:
        return ((status, answer) for status, answer in self._described["responses"].items() if status < "400")

    def _response(self, status: str, answer: Json) -> str:
        parts = [f"<h4>{status} {escape(answer['description'])}</h4>"]
        for kind, content in answer.get("content", {}).items():
            if kind == "application/json":
                example = json.dumps(self._example(content["schema"]), indent=2, ensure_ascii=False)
                parts.append(f"<pre><code>{escape(example)}</code></pre>")
            elif "example" in content:
                parts.append(f"<p><code>{escape(kind)}</code></p><pre><code>{escape(content['example'])}</code></pre>")
            else:
                parts.append(f"<p><code>{escape(kind)}</code></p>")
        return "".join(parts)

    def _problems(self) -> str:
        rows = "".join(
            f"<dt>{status}</dt><dd>{escape(answer['description'])}</dd>"
            for status, answer in sorted(self._described["responses"].items())
            if status >= "400"
        )
        if not rows:
            return ""
        example = json.dumps(self._example(self._schemas["Problem"]), indent=2)
        return (
            f"<details><summary>Problems</summary><dl>{rows}</dl>"
            f"<p><code>application/problem+json</code></p><pre><code>{escape(example)}</code></pre></details>"
        )

    def _example(self, schema: Json) -> Any:
        """Return a value that fits the schema: its own example, or one made from the examples of its parts."""
        schema = self._resolved(schema)
        for key in ("examples", "enum"):
            if key in schema:
                return schema[key][0]
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        match schema.get("type"):
            case "object":
                return {name: self._example(inner) for name, inner in schema.get("properties", {}).items()}
            case "array":
                return [self._example(schema["items"])]
            case "integer":
                return 1
            case _:
                return MOMENT if schema.get("format") == "date-time" else "…"

    def _resolved(self, schema: Json) -> Json:
        if "$ref" not in schema:
            return schema
        found: Json = self._schemas[schema["$ref"].rpartition("/")[2]]
        return found


def _operations(api: Json) -> Iterator[_Operation]:
    for path, methods in api["paths"].items():
        for method, described in methods.items():
            yield _Operation(api, path, method, described)


def _facts(parameter: Json) -> Iterator[str]:
    """Yield where a parameter goes, its default and its bounds."""
    schema = parameter["schema"]
    yield f"in the {parameter['in']}"
    if schema.get("default") not in (None, ""):
        yield f"default {schema['default']}"
    if "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}"


def _shell(line: str) -> str:
    return (
        f'<div class="shell"><pre><code>{escape(line)}</code></pre>'
        '<button type="button" class="copy" hidden>Copy</button></div>'
    )


def _option(value: str, is_selected: bool) -> str:
    return f"<option{' selected' if is_selected else ''}>{escape(value)}</option>"


def _prose(text: str) -> str:
    """Return paragraphs, with code between backticks: all the Markdown that our descriptions use."""
    return "".join(f"<p>{_inline(part)}</p>" for part in text.strip().split("\n\n") if part.strip())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(text.split())))
