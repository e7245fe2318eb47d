"""The plain text of a document.

Two shapes are known. Rich text is an XML fragment named ``default``, and each block becomes a line. Plain text,
Markdown and code are a text named ``content``. The walk does not recurse, because authors decide how deep a document
is nested.
"""

from collections.abc import Iterator
from typing import Any

import pycrdt

RICH = "default"
PLAIN = "content"


def read_text(doc: "pycrdt.Doc[Any]") -> str:
    """Return the text of a document: its plain text first if it has both shapes, "" if it has neither."""
    roots = set(doc.keys())
    parts: list[str] = []
    with doc.transaction():
        if PLAIN in roots:
            parts.append(_text_of(doc.get(PLAIN, type=pycrdt.Text)))
        if RICH in roots:
            parts += _blocks(doc.get(RICH, type=pycrdt.XmlFragment))
    return "\n".join(part for index, part in enumerate(parts) if part or index)


def _blocks(fragment: pycrdt.XmlFragment) -> Iterator[str]:
    """Yield the text of every element that contains text itself, in document order. An empty element is a line too."""
    stack: list[Any] = [fragment]
    while stack:
        node = stack.pop()
        children = list(node.children)
        if any(isinstance(child, pycrdt.XmlText) for child in children):
            yield "".join(_inline(child) for child in children)
        elif not children and isinstance(node, pycrdt.XmlElement):
            yield ""
        else:
            stack.extend(reversed(children))


def _inline(node: Any) -> str:
    """Return the text of one child of a block. An element without text (a hard break, an image) reads as a newline."""
    parts: list[str] = []
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, pycrdt.XmlText):
            parts.append(_text_of(node))
        elif children := list(node.children):
            stack.extend(reversed(children))
        else:
            parts.append("\n")
    return "".join(parts)


def _text_of(text: Any) -> str:
    """Return the inserted characters, without formatting and embeds."""
    return "".join(piece for piece, _ in text.diff() if isinstance(piece, str))
