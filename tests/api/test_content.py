"""Content over REST: read as text or as an update, written as updates."""

import asyncio
import threading
from collections.abc import Sequence as Seq
from concurrent.futures import ThreadPoolExecutor

import pycrdt
import pytest
from fastapi.testclient import TestClient

from collab.access.roles import Role
from collab.api.app import create_app
from collab.crdt.stored import load_document
from collab.ids import DocumentName
from collab.protocol.rows import Row
from collab.settings import Settings
from collab.store.base import Outcome
from collab.store.memory import MemoryStore
from tests.api.calls import DOCUMENTS, OWNER, bearer, problem
from tests.room.build import YjsClient

PATIENCE_S = 10.0
CONTENT, UPDATES = f"{DOCUMENTS}/notes/content", f"{DOCUMENTS}/notes/updates"


def write(client: TestClient, update: bytes) -> int:
    answer = client.post(UPDATES, headers=OWNER, content=update)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["seq"])


def read(client: TestClient) -> str:
    answer = client.get(CONTENT, headers=OWNER)
    assert answer.status_code == 200
    return answer.text


# --- reading -------------------------------------------------------------------------------------------


def test_content_is_read_as_text(client: TestClient) -> None:
    write(client, YjsClient(1).type(0, "Grüße, 日本 🙂"))
    answer = client.get(CONTENT, headers=OWNER)
    assert answer.text == "Grüße, 日本 🙂"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"


def test_content_is_read_as_an_update_that_any_client_can_apply(client: TestClient) -> None:
    write(client, YjsClient(1).type(0, "Hello."))
    answer = client.get(CONTENT, headers=OWNER, params={"format": "update"})
    assert answer.headers["content-type"] == "application/octet-stream"
    reader = YjsClient(2, answer.content)
    assert reader.text == "Hello."


def test_content_that_is_known_already_is_not_sent_again(client: TestClient) -> None:
    author = YjsClient(1)
    write(client, author.type(0, "a"))
    tag = client.get(CONTENT, headers=OWNER).headers["etag"]
    assert tag == '"1"'
    for known in (tag, f"W/{tag}", f'"7", {tag}', "*"):
        answer = client.get(CONTENT, headers=OWNER | {"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    write(client, author.type(1, "b"))
    again = client.get(CONTENT, headers=OWNER | {"If-None-Match": tag})
    assert (again.status_code, again.text, again.headers["etag"]) == (200, "ab", '"2"')


def test_empty_document_has_empty_content(client: TestClient) -> None:
    client.post(DOCUMENTS, headers=OWNER, json={"name": "notes"})
    assert read(client) == ""


def test_unknown_format_is_refused(client: TestClient) -> None:
    problem(client.get(CONTENT, headers=OWNER, params={"format": "pdf"}), 400, "invalid-request")


# --- writing -------------------------------------------------------------------------------------------


def test_first_update_creates_the_document_and_answers_with_the_head(client: TestClient) -> None:
    author = YjsClient(1)
    answer = client.post(UPDATES, headers=OWNER, content=author.type(0, "a"))
    assert (answer.json(), answer.headers["etag"]) == ({"seq": 1}, '"1"')
    assert write(client, author.type(1, "b")) == 2
    assert read(client) == "ab"


def test_update_written_twice_is_in_the_log_once(client: TestClient) -> None:
    update = YjsClient(1).type(0, "a")
    assert [write(client, update), write(client, update)] == [1, 1]
    assert read(client) == "a"


class SlowStore(MemoryStore):
    """Commits only once it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.is_released = asyncio.Event()

    async def append(self, rows: Seq[Row]) -> list[Outcome]:
        self.is_asked.set()
        await self.is_released.wait()
        return await super().append(rows)


def test_answer_comes_after_the_commit(settings: Settings) -> None:
    store = SlowStore()
    with TestClient(create_app(settings, store=store)) as client, ThreadPoolExecutor() as threads:
        answer = threads.submit(write, client, YjsClient(1).type(0, "a"))
        assert store.is_asked.wait(PATIENCE_S)
        client.get("/healthz")  # another request goes its whole way meanwhile
        assert not answer.done()
        assert client.portal is not None
        client.portal.call(store.is_released.set)
        assert answer.result(PATIENCE_S) == 1


def test_update_with_missing_dependencies_is_a_conflict_and_stores_nothing(
    client: TestClient, store: MemoryStore
) -> None:
    author = YjsClient(1)
    first, second = author.type(0, "a"), author.type(1, "b")
    problem(client.post(UPDATES, headers=OWNER, content=second), 409, "conflict")
    problem(client.get(CONTENT, headers=OWNER), 404, "document-not-found")
    assert write(client, first) == 1
    assert read(client) == "a"
    assert len(asyncio.run(store.load(DocumentName("notes"))).tail) == 1
    assert write(client, second) == 2
    assert read(client) == "ab"


@pytest.mark.parametrize("harmful", [b"\1", b"nonsense", b"\0\0\0", YjsClient(1).type(0, "x")[:-1]])
def test_harmful_update_is_refused_and_stores_nothing(client: TestClient, harmful: bytes) -> None:
    problem(client.post(UPDATES, headers=OWNER, content=harmful), 422, "update-refused")
    problem(client.get(CONTENT, headers=OWNER), 404, "document-not-found")


def test_empty_body_is_no_update(client: TestClient) -> None:
    problem(client.post(UPDATES, headers=OWNER), 400, "invalid-request")


@pytest.mark.parametrize("settings", [{"frame_bytes_max": 2048}], indirect=True)
def test_update_above_the_limit_is_refused(client: TestClient) -> None:
    overhead = len(YjsClient(1).type(0, "x" * 1000)) - 1000
    assert write(client, YjsClient(1).type(0, "x" * (2048 - overhead))) == 1
    problem(client.post(UPDATES, headers=OWNER, content=b"\0" * 2049), 413, "too-large")


def test_update_without_the_right_to_write_is_refused(client: TestClient) -> None:
    update = YjsClient(1).type(0, "a")
    problem(client.post(UPDATES, content=update), 401, "token-missing")
    problem(client.post(UPDATES, headers=bearer({"notes": Role.COMMENTER}), content=update), 403, "permission-denied")
    problem(client.post(UPDATES, headers=bearer({"other": Role.OWNER}), content=update), 403, "permission-denied")
    problem(client.get(CONTENT, headers=bearer({"other": Role.OWNER})), 403, "permission-denied")


def test_edits_of_two_programs_at_once_are_both_kept(client: TestClient) -> None:
    one, other = YjsClient(1), YjsClient(2)
    write(client, one.type(0, "one "))
    write(client, other.type(0, "other "))
    assert sorted(read(client).split()) == ["one", "other"]


def test_content_is_that_of_snapshot_and_tail(client: TestClient, store: MemoryStore) -> None:
    author = YjsClient(1)
    write(client, author.type(0, "a"))
    write(client, author.type(1, "b"))
    stored = asyncio.run(store.load(DocumentName("notes")))
    assert load_document(None, stored.tail).text() == read(client) == "ab"


def test_rich_text_is_read_as_its_plain_text(client: TestClient) -> None:
    author = YjsClient(1)
    fragment = author.doc.get("default", type=pycrdt.XmlFragment)
    write(client, author.change(lambda: fragment.children.append(pycrdt.XmlElement("paragraph"))))
    write(client, author.change(lambda: fragment.children[0].children.append(pycrdt.XmlText("Rich."))))
    assert read(client).strip() == "Rich."
