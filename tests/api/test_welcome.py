"""The document that greets a person who tries collab."""

import asyncio
from pathlib import Path

from fastapi.testclient import TestClient

from collab.api.app import create_app
from collab.api.welcome import TEXT, TITLE, read_blocks
from collab.crdt.rich_text import Block, Text, rich_text_update
from collab.settings import load_settings
from collab.store.memory import MemoryStore
from tests.api.calls import DOCUMENTS
from tests.deployment import token
from tests.room.build import document_of


def test_first_start_without_settings_has_a_welcome(tmp_path: Path) -> None:
    store = MemoryStore()
    settings = load_settings(data_dir=tmp_path)
    for _ in range(2):  # a second start adds nothing
        with TestClient(create_app(settings, store=store)):
            pass
    (found,) = asyncio.run(store.latest(9))
    assert (found.name, found.title, found.seq) == ("welcome", TITLE, 1)


def test_server_with_a_secret_begins_empty(client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {token('ada')}"}
    assert client.get(DOCUMENTS, headers=headers).json()["documents"] == []


def test_welcome_is_rich_text_with_a_title() -> None:
    document = document_of(rich_text_update(TITLE, read_blocks(TEXT)))
    assert document.title() == TITLE
    text = document.text()
    assert "Write together" in text
    assert "**" not in text
    assert document.reads_back()


def test_markup_becomes_the_elements_of_the_editor() -> None:
    assert list(read_blocks("## A\n- b *c*\n- d\n\n    e\n     f\n> g `h`\ni")) == [
        Block("heading", (Text("A", {}),), {"level": 2}),
        Block(
            "bulletList",
            (
                Block("listItem", (Block("paragraph", (Text("b ", {}), Text("c", {"italic": {}}))),)),
                Block("listItem", (Block("paragraph", (Text("d", {}),)),)),
            ),
        ),
        Block("codeBlock", (Text("e\n f", {}),)),
        Block("blockquote", (Block("paragraph", (Text("g ", {}), Text("h", {"code": {}}))),)),
        Block("paragraph", (Text("i", {}),)),
    ]


def test_marks_end_where_they_should() -> None:
    blocks = [Block("paragraph", (Text("é", {"bold": {}}), Text("x", {}), Text("🙂", {"code": {}}), Text("y", {})))]
    assert document_of(rich_text_update("", blocks)).text() == "éx🙂y"
