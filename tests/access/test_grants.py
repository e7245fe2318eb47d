"""Patterns, and the documents that they match."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.access.grants import matches, parse_grants
from collab.access.roles import Role
from collab.errors import InvalidRequest

FITS = [
    ("notes/42", "notes/42"),
    ("team/*", "team/plan"),
    ("team/a*-draft", "team/a-draft"),
    ("team/a*-draft", "team/april-draft"),
    ("*", "plan"),
    ("*/plan", "team/plan"),
    ("a*b*c", "aXbYbZc"),
    ("*ab*b*", "abab"),
    ("**", "plan"),
    ("**", "team/2026/plan"),
    ("team/**", "team/plan"),
    ("team/**", "team/2026/q1/plan"),
    ("team/**/plan", "team/2026/q1/plan"),
    ("**/plan", "team/plan"),
    ("**/**", "team/plan"),
    ("team/**/*-draft", "team/x/y/a-draft"),
    ("ü/*", "ü/é"),
]
FITS_NOT = [
    ("notes/42", "notes/421"),
    ("notes/42", "notes/4"),
    ("notes/42", "Notes/42"),
    ("team/*", "team"),
    ("team/*", "team/2026/plan"),
    ("team/*", "teams/plan"),
    ("*", "team/plan"),
    ("team/a*-draft", "team/b-draft"),
    ("ab*ba", "aba"),
    ("a*b*c", "aXc"),
    ("a*bc*c", "abc"),
    ("team/**", "team"),
    ("team/**/plan", "team/plan"),
    ("**/plan", "plan"),
    ("**/**", "plan"),
    ("a.c", "abc"),
    ("[ab]", "a"),
    ("?", "a"),
    ("team:x", "team_x"),
]


@pytest.mark.parametrize(("pattern", "name"), FITS)
def test_pattern_speaks_of(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.parametrize(("pattern", "name"), FITS_NOT)
def test_pattern_does_not_speak_of(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


SEGMENT = st.text("ab*", min_size=1, max_size=5).filter(lambda segment: "**" not in segment)
PATTERN = st.lists(SEGMENT | st.just("**"), min_size=1, max_size=5).map("/".join)
NAME = st.lists(st.text("ab*", min_size=1, max_size=5), min_size=1, max_size=5).map("/".join)


@given(pattern=PATTERN, name=NAME)
def test_matching_agrees_with_the_same_rule_said_as_a_regular_expression(pattern: str, name: str) -> None:
    segments = [
        "[^/]+(?:/[^/]+)*" if segment == "**" else re.escape(segment).replace(r"\*", "[^/]*")
        for segment in pattern.split("/")
    ]
    assert matches(pattern, name) == (re.fullmatch("/".join(segments), name) is not None)


@given(name=NAME)
def test_name_without_stars_as_pattern_speaks_of_itself(name: str) -> None:
    name = name.replace("*", "c")
    assert matches(name, name)


def test_pattern_of_many_stars_is_answered_without_backtracking() -> None:
    assert not matches("*".join("a" * 100) + "b", "a" * 255)
    assert not matches("/".join(["**", "a"] * 50), "/".join(["a"] * 99 + ["b"]))


def test_grants_are_read_from_words() -> None:
    claim = {"notes/42": "owner", "team/*": "editor", "**": "viewer"}
    assert parse_grants(claim) == {"notes/42": Role.OWNER, "team/*": Role.EDITOR, "**": Role.VIEWER}
    assert parse_grants({}) == {}


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (None, "object"),
        ("editor", "object"),
        (["notes/*"], "object"),
        ({"": "editor"}, "1 to 255"),
        ({"a" * 256: "editor"}, "1 to 255"),
        ({"a//b": "editor"}, "segment"),
        ({"../a": "editor"}, "segment"),
        ({"/": "editor"}, "segment"),
        ({"a\x00": "editor"}, "control"),
        ({"u\u0308": "editor"}, "normalization form C"),
        ({7: "editor"}, "text"),
        ({"team/a**": "editor"}, "whole segment"),
        ({"***": "editor"}, "whole segment"),
        ({"notes/*": "admin"}, "one of viewer"),
        ({"notes/*": None}, "must name a role"),
        ({"notes/*": 3}, "must name a role"),
        ({"notes/*": ["editor"]}, "must name a role"),
    ],
)
def test_malformed_grants_are_refused_in_words(claim: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        parse_grants(claim)
