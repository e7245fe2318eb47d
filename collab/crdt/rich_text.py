"""Rich text as the editor holds it, made here: an XML fragment named ``default`` with the editor's own elements."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import pycrdt

from collab.crdt.plaintext import RICH
from collab.crdt.title import write_title
from collab.record import record

Marks: TypeAlias = dict[str, Any]


@record
class Text:
    """Characters with marks, such as ``{"bold": {}}``."""

    text: str
    marks: Marks


@record
class Block:
    """An element with its attributes and its content: texts, or further elements."""

    tag: str
    content: "tuple[Text | Block, ...]" = ()
    attributes: dict[str, Any] | None = None


def rich_text_update(title: str, blocks: Iterable[Block]) -> bytes:
    """Return an update (v1) that makes a document with this title and text out of an empty one."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    write_title(doc, title)
    with doc.transaction():
        _append(doc.get(RICH, type=pycrdt.XmlFragment), blocks)
    return doc.get_update()


def _append(parent: Any, content: Iterable[Text | Block]) -> None:
    text: Any = None
    open_marks: Marks = {}
    for each in content:
        if isinstance(each, Block):
            _append(parent.children.append(pycrdt.XmlElement(each.tag, each.attributes or {})), each.content)
            continue
        if text is None:
            text = parent.children.append(pycrdt.XmlText())
        # Marks are closed by name: an insertion takes on those of the text before it.
        text.insert(len(text), each.text, dict.fromkeys(open_marks) | each.marks)
        open_marks = each.marks
