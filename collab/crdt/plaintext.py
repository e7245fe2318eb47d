"""A document as plain text, for people and programs that want only the words.

Two shapes are known (``docs/protocol.md``): rich text is an XML fragment named ``default``, whose blocks become
lines; plain text, Markdown and code are a text named ``content``. Walks with a stack of its own: how deep a
document is nested is its authors' choice, and must not become our recursion.
"""

from collections.abc import Iterator
from typing import Any

import pycrdt

RICH = "default"
PLAIN = "content"


def read_text(doc: "pycrdt.Doc[Any]") -> str:
    """The text of a document; of one that has both shapes, the plain one first. Empty when it has neither."""
    roots = set(doc.keys())
    parts: list[str] = []
    with doc.transaction():
        if PLAIN in roots:
            parts.append(_text_of(doc.get(PLAIN, type=pycrdt.Text)))
        if RICH in roots:
            parts += _blocks(doc.get(RICH, type=pycrdt.XmlFragment))
    return "\n".join(part for index, part in enumerate(parts) if part or index)


def _blocks(fragment: pycrdt.XmlFragment) -> Iterator[str]:
    """The text of every element that holds text itself, in document order. An empty paragraph is a line too."""
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
    """The text of one child of a block. Whatever has none inside (a hard break, an image) reads as a line's end."""
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
    """The inserted characters, without formatting and embeds."""
    return "".join(piece for piece, _ in text.diff() if isinstance(piece, str))
