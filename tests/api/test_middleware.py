"""Paths, methods and bodies, put in order before a route sees them.

The bounds of a body are tested with the real server in ``test_transport.py`` and ``test_documents.py``.
"""

import asyncio

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from collab.api.middleware import JSON_BYTES_MAX, BoundedBodies, EncodedNames, decoded
from collab.errors import BodyTimeout, TooLarge
from tests.api.calls import DOCUMENTS, OWNER, problem


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/d/notes", "/collab-editor.js", "/healthz", "/readyz", "/metrics", "/nowhere"),
        *("/api/v1/docs", "/api/v1/openapi.json"),
        *(DOCUMENTS, f"{DOCUMENTS}/notes", f"{DOCUMENTS}/notes/content", f"{DOCUMENTS}/none"),
    ],
)
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    client.post(DOCUMENTS, headers=OWNER, json={"name": "notes"})
    got, head = (client.request(method, path, headers=OWNER) for method in ("GET", "HEAD"))
    assert head.content == b""
    assert head.status_code == got.status_code
    if path != "/metrics":  # its length changes from one request to the next
        assert head.headers == got.headers


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/healthz", "GET, HEAD"),
        (DOCUMENTS, "GET, POST, HEAD"),
        (f"{DOCUMENTS}/notes%2F42", "GET, PATCH, DELETE, HEAD"),
        (f"{DOCUMENTS}/notes/updates", "POST"),
    ],
)
def test_refused_method_is_answered_with_the_allowed_ones(client: TestClient, path: str, allowed: str) -> None:
    answer = client.put(path, headers=OWNER)
    problem(answer, 405)
    assert answer.headers["allow"] == allowed


# --- document names in paths ------------------------------------------------------------------------


def test_decoded_path_keeps_bytes_that_are_not_utf8_apart() -> None:
    assert decoded("/ws/caf%C3%A9%2F1") == "/ws/café/1"
    assert decoded("/ws/%FF") == "/ws/\udcff"


@pytest.mark.parametrize(
    ("type_", "raw", "routed"),
    [
        ("http", b"/api/v1/documents/a%2Fb", "/api/v1/documents/a%2Fb"),
        ("http", b"/d/a%2Fb", "/d/a/b"),
        ("http", None, "/api/v1/documents/a%20b"),
        ("websocket", b"/api/v1/documents/a%2Fb", "/api/v1/documents/a/b"),
    ],
)
async def test_path_is_routed_as_sent_under_documents_only(type_: str, raw: bytes | None, routed: str) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["path"])

    given = {b"/d/a%2Fb": "/d/a/b", None: "/api/v1/documents/a b"}.get(raw, "/api/v1/documents/a/b")
    await EncodedNames(app)({"type": type_, "path": given, "raw_path": raw}, _never, _ignore)
    assert seen == [routed]


# --- bodies -----------------------------------------------------------------------------------------


async def _never() -> Message:
    return await asyncio.Future()


async def _ignore(_message: Message) -> None:
    pass


async def read_body(path: str, pieces: list[bytes], *, is_unfinished: bool = False) -> int:
    """Send ``pieces`` through the middleware and return how many bytes the app got."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting[-1]["more_body"] = is_unfinished
    got = 0

    async def receive() -> Message:
        return waiting.pop(0) if waiting else await _never()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        nonlocal got
        more = True
        while more:
            message = await receive()
            got, more = got + len(message["body"]), message["more_body"]

    await BoundedBodies(app, patience_s=0.01)({"type": "http", "path": path}, receive, _ignore)
    return got


async def test_body_at_the_bound_passes_and_one_byte_more_does_not() -> None:
    assert await read_body("/api/v1/documents", [b"x" * (JSON_BYTES_MAX - 1), b"x"]) == JSON_BYTES_MAX
    with pytest.raises(TooLarge):
        await read_body("/api/v1/documents", [b"x" * JSON_BYTES_MAX, b"x"])


async def test_body_of_updates_is_left_to_the_route_to_bound() -> None:
    assert await read_body("/api/v1/documents/notes/updates", [b"x" * JSON_BYTES_MAX, b"x"]) == JSON_BYTES_MAX + 1


@pytest.mark.parametrize("path", ["/api/v1/documents", "/api/v1/documents/notes/updates"])
async def test_body_without_an_end_is_not_waited_for(path: str) -> None:
    with pytest.raises(BodyTimeout):
        await read_body(path, [b"x"], is_unfinished=True)


async def test_disconnect_after_a_whole_body_is_waited_for_without_a_bound() -> None:
    receives: list[Receive] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        receives.append(receive)

    messages = [{"type": "http.request", "body": b""}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        for _ in range(10):
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    await BoundedBodies(app, patience_s=0)({"type": "http", "path": "/"}, receive, _ignore)
    assert await receives[0]() == {"type": "http.disconnect"}
