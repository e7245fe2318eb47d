"""Cursors: only the server that made one can read it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.api.list_cursor import CURSOR_CHARACTERS_MAX, ListCursor
from collab.errors import InvalidRequest

KEY = os.urandom(32)
LONGEST = "\U0001f642" * 255


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=255))
def test_opened_cursor_is_the_name_that_was_sealed(name: str) -> None:
    assert ListCursor(KEY).open(ListCursor(KEY).seal(name)) == name


def test_cursor_of_the_longest_name_fits_into_the_query() -> None:
    cursor = ListCursor(KEY).seal(LONGEST)
    assert ListCursor(KEY).open(cursor) == LONGEST
    assert len(cursor) <= CURSOR_CHARACTERS_MAX


def test_length_of_a_cursor_does_not_tell_the_length_of_the_name() -> None:
    assert len({len(ListCursor(KEY).seal("x" * length)) for length in (1, 20, 100, 255)}) == 1


@pytest.mark.parametrize("cursor", ["notes/42", "x", "=", "\0", "\u00e9", "\ud800", "x" * CURSOR_CHARACTERS_MAX])
def test_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        ListCursor(KEY).open(cursor)


def test_cursor_of_another_key_or_changed_on_the_way_is_refused() -> None:
    cursor = ListCursor(os.urandom(32)).seal("notes/42")
    for other in (cursor, ListCursor(KEY).seal("notes/42")[:-8] + cursor[-8:]):
        with pytest.raises(InvalidRequest, match="start again"):
            ListCursor(KEY).open(other)
