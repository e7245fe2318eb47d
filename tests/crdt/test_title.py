"""The title in the map ``meta`` of a document."""

from typing import Any

import pycrdt
import pytest

from collab.crdt.title import TITLE_CHARACTERS_MAX, one_line
from tests.room.build import YjsClient, document_of


def entitle(client: YjsClient, value: Any) -> bytes:
    return client.change(lambda: client.doc.get("meta", type=pycrdt.Map).__setitem__("title", value))


def test_document_without_a_title_has_none() -> None:
    assert document_of().title() is None
    assert document_of(YjsClient(1).type(0, "text")).title() is None


@pytest.mark.parametrize("value", ["Minutes", "", "x" * TITLE_CHARACTERS_MAX])
def test_title_is_the_string_in_the_map(value: str) -> None:
    assert document_of(entitle(YjsClient(1), value)).title() == value


def test_title_that_is_a_shared_text_counts_as_well() -> None:
    assert document_of(entitle(YjsClient(1), pycrdt.Text("Minutes"))).title() == "Minutes"


@pytest.mark.parametrize("value", [7.0, None, True, ["a"], {"b": "c"}, pycrdt.Map({"a": 1.0})])
def test_value_of_another_kind_is_no_title(value: Any) -> None:
    assert document_of(entitle(YjsClient(1), value)).title() is None


@pytest.mark.parametrize("root", [pycrdt.Text, pycrdt.Array, pycrdt.XmlFragment])
def test_root_of_another_kind_holds_no_title_and_stays_as_it_is(root: Any) -> None:
    client = YjsClient(1)
    shared = client.doc.get("meta", type=root)
    content = pycrdt.XmlElement("p") if root is pycrdt.XmlFragment else "abc"
    document = document_of(client.change(lambda: _add(shared, content)))
    before = document.encode()
    assert document.title() is None
    assert document.encode() == before
    assert document.reads_back()


def _add(shared: Any, content: Any) -> None:
    if isinstance(shared, pycrdt.Text):
        shared.insert(0, content)
    else:
        (shared.children if isinstance(shared, pycrdt.XmlFragment) else shared).append(content)


def test_title_becomes_one_line_for_the_list() -> None:
    assert one_line(" a\tb\n c\u2028d\0 ") == "a b c d"
    assert one_line("é" * 600) == "é" * TITLE_CHARACTERS_MAX


def test_update_that_sets_the_title_keeps_the_text_and_earlier_titles_away() -> None:
    author = YjsClient(1)
    updates = [author.type(0, "text"), entitle(author, "First")]
    second = document_of(*updates).retitled("Second")
    third = document_of(*updates, second).retitled("Third")
    document = document_of(*updates, second, third)
    assert (document.title(), document.text()) == ("Third", "text")
