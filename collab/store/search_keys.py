"""The texts by which a list is searched and sorted by title. They are made here, for every database alike.

Databases disagree about upper and lower case: SQLite knows that of ASCII only, Postgres that of its locale.
"""

import unicodedata

TITLE_KEY_CHARACTERS_MAX = 200
"""A row of an index must not become too long for Postgres, in the worst of alphabets."""


def fold(text: str) -> str:
    """Return the text without the differences that a search ignores."""
    return unicodedata.normalize("NFC", text).casefold()


def title_key(title: str, name: str) -> str:
    """Return what sorts a document by its title; one without a title is shown, and sorted, by its name."""
    return fold(title or name)[:TITLE_KEY_CHARACTERS_MAX]


def search_text(title: str, name: str) -> str:
    """Return the text that is searched. Neither part holds a line end."""
    return f"{fold(title)}\n{fold(name)}"
