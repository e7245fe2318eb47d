"""Cursors: only the server that made one can read it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.api.list_cursor import CURSOR_CHARACTERS_MAX, ListCursor
from collab.errors import InvalidRequest
from collab.ids import DocumentName
from collab.store.base import ListOrder, Position
from collab.store.search_keys import TITLE_KEY_CHARACTERS_MAX

KEY = os.urandom(32)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=255)


def position(name: str, key: str = "", order: ListOrder = ListOrder.NAME) -> Position:
    return Position(order, key, DocumentName(name))


@given(order=st.sampled_from(ListOrder), key=TEXT, name=TEXT)
def test_opened_cursor_is_the_position_that_was_sealed(order: ListOrder, key: str, name: str) -> None:
    sealed = position(name, key, order)
    assert ListCursor(KEY).open(ListCursor(KEY).seal(sealed), order) == sealed


@pytest.mark.parametrize("character", ["\U0001f642", '"', "\\"])
def test_cursor_of_the_longest_position_fits_into_the_query(character: str) -> None:
    longest = position(character * 255, character * TITLE_KEY_CHARACTERS_MAX, ListOrder.TITLE)
    cursor = ListCursor(KEY).seal(longest)
    assert ListCursor(KEY).open(cursor, ListOrder.TITLE) == longest
    assert len(cursor) <= CURSOR_CHARACTERS_MAX


def test_length_of_a_cursor_does_not_tell_the_length_of_the_name() -> None:
    assert len({len(ListCursor(KEY).seal(position("x" * length))) for length in (1, 20, 100, 235)}) == 1


@pytest.mark.parametrize("cursor", ["notes/42", "x", "=", "\0", "\u00e9", "\ud800", "x" * CURSOR_CHARACTERS_MAX])
def test_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        ListCursor(KEY).open(cursor, ListOrder.NAME)


def test_cursor_of_another_key_or_changed_on_the_way_is_refused() -> None:
    cursor = ListCursor(os.urandom(32)).seal(position("notes/42"))
    for other in (cursor, ListCursor(KEY).seal(position("notes/42"))[:-8] + cursor[-8:]):
        with pytest.raises(InvalidRequest, match="start again"):
            ListCursor(KEY).open(other, ListOrder.NAME)


def test_cursor_of_another_order_is_refused() -> None:
    cursor = ListCursor(KEY).seal(position("notes/42", "notes", ListOrder.TITLE))
    with pytest.raises(InvalidRequest, match="sort=title"):
        ListCursor(KEY).open(cursor, ListOrder.NAME)


def test_cursor_of_the_version_before_is_refused() -> None:
    old = ListCursor(KEY)._fernet.encrypt(b"notes/42".ljust(256, b"\0")).decode()
    with pytest.raises(InvalidRequest, match="start again"):
        ListCursor(KEY).open(old, ListOrder.NAME)
