"""The plain text of documents of every shape."""

from collections.abc import Callable
from typing import Any

import pycrdt
import pytest

from tests.protocol.build import item, string, uint, update
from tests.room.build import YjsClient, document_of


def text_of(write: Callable[[YjsClient], object]) -> str:
    """Return the plain text of the document that ``write`` makes."""
    author = YjsClient(1)
    write(author)
    return document_of(author.everything).text()


def paragraphs(author: YjsClient, *lines: str) -> Any:
    fragment = author.doc.get("default", type=pycrdt.XmlFragment)
    for line in lines:
        block = fragment.children.append(pycrdt.XmlElement("paragraph"))
        if line:
            block.children.append(pycrdt.XmlText(line))
    return fragment


def test_empty_document_has_no_text() -> None:
    assert text_of(lambda author: None) == ""


def test_plain_text_has_no_formats_and_embeds() -> None:
    def write(author: YjsClient) -> None:
        text = author.doc.get("content", type=pycrdt.Text)
        text += "a😀b é"
        text.insert_embed(1, {"image": "x"})
        text.format(0, 3, {"bold": True})

    assert text_of(write) == "a😀b é"


def test_each_block_of_rich_text_is_a_line() -> None:
    assert text_of(lambda author: paragraphs(author, "one", "", "three")) == "one\n\nthree"


def test_blocks_inside_blocks_are_lines_in_document_order() -> None:
    def write(author: YjsClient) -> None:
        fragment = paragraphs(author, "before")
        items = fragment.children.append(pycrdt.XmlElement("list"))
        for word in ("first", "second"):
            item = items.children.append(pycrdt.XmlElement("item"))
            item.children.append(pycrdt.XmlElement("paragraph")).children.append(pycrdt.XmlText(word))
        paragraphs(author, "after")

    assert text_of(write) == "before\nfirst\nsecond\nafter"


def test_inline_elements_read_as_their_text_or_a_newline() -> None:
    def write(author: YjsClient) -> None:
        fragment = paragraphs(author, "")
        block = fragment.children[0]
        block.children.append(pycrdt.XmlText("one"))
        block.children.append(pycrdt.XmlElement("hardBreak"))
        block.children.append(pycrdt.XmlText("two "))
        note = block.children.append(pycrdt.XmlElement("footnote"))
        note.children.append(pycrdt.XmlElement("b")).children.append(pycrdt.XmlText("deep"))
        note.children.append(pycrdt.XmlText(" note"))

    assert text_of(write) == "one\ntwo deep note"


def test_formatted_text_reads_as_plain_text() -> None:
    def write(author: YjsClient) -> None:
        fragment = paragraphs(author, "")
        words = fragment.children[0].children.append(pycrdt.XmlText("bold <words>"))
        words.format(0, 4, {"bold": {}})

    assert text_of(write) == "bold <words>"


def test_plain_text_comes_before_rich_text() -> None:
    def write(author: YjsClient) -> None:
        paragraphs(author, "rich", "text")
        author.type(0, "plain")

    assert text_of(write) == "plain\nrich\ntext"


def test_deep_document_is_read_without_recursion() -> None:
    def write(author: YjsClient) -> None:
        children = author.doc.get("default", type=pycrdt.XmlFragment).children
        for _ in range(190):
            children = children.append(pycrdt.XmlElement("div")).children
        children.append(pycrdt.XmlText("down here"))

    assert text_of(write) == "down here"


@pytest.mark.parametrize("root", ["content", "default"])
@pytest.mark.parametrize(
    ("kind", "content"),
    [(8, uint(1) + b"\x7e"), (3, string("ab")), (7, b"\0"), (7, b"\1"), (7, b"\2"), (7, b"\4"), (5, string("{}"))],
    ids=["value", "binary", "array", "map", "text", "fragment", "embed"],
)
def test_a_root_of_another_shape_reads_as_no_text(root: str, kind: int, content: bytes) -> None:
    document = document_of(update((1, 0, [item(kind, content, root=root)])))
    assert document.text().strip() == ""
    document.encode()
