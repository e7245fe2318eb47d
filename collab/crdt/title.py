"""The title of a document: the value ``title`` of its map ``meta``.

It lives in the document, so that it travels, merges and is saved like the text. The catalogue holds a copy for lists.
Clients may put anything there, so what is read is made fit for a list first.
"""

import unicodedata
from typing import Any

import pycrdt

META, TITLE = "meta", "title"

TITLE_CHARACTERS_MAX = 500


def read_title(doc: "pycrdt.Doc[Any]") -> str | None:
    """Return the title of a document, or None if it has never had one."""
    value = doc.get(META, type=pycrdt.Map).get(TITLE)
    return one_line(str(value)) if isinstance(value, str | pycrdt.Text) else None


def write_title(doc: "pycrdt.Doc[Any]", title: str) -> bytes:
    """Set the title, and return the update that does so."""
    before = doc.get_state()
    doc.get(META, type=pycrdt.Map)[TITLE] = title
    return doc.get_update(before)


def one_line(text: str) -> str:
    """Return the text as one line that every list can show and every database can store."""
    spaced = "".join(" " if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") else each for each in text)
    return " ".join(spaced.split())[:TITLE_CHARACTERS_MAX]
