"""The new part of an update is what ``diffUpdate`` of Yjs returns, without the origins of known fronts."""

import random
from collections.abc import Mapping
from typing import Any

import pycrdt
import pytest

from collab.crdt.diff import diff_update
from collab.crdt.guard import inspect_update
from collab.crdt.ranges import IdRanges
from collab.crdt.statevector import encode_state_vector
from collab.crdt.update import ANY, DELETED
from tests.protocol.build import gc, item, skip, text, uint, update

ANN, BOB, COY = 1, 2, 3


def diff(payload: bytes, state: Mapping[int, int], *deleted: tuple[int, int, int]) -> bytes:
    ranges = IdRanges()
    for each in deleted:
        ranges.add(*each)
    return diff_update(inspect_update(payload), state, ranges).payload


def test_an_update_with_only_new_structs_is_returned_unchanged() -> None:
    whole = inspect_update(update((ANN, 3, [text("abc", left=(ANN, 2))]), deletes={ANN: [(0, 1)]}))
    deleted = IdRanges()
    deleted.add(ANN, 0, 1)
    assert diff_update(whole, {ANN: 3, BOB: 9}, deleted) is whole


def test_known_structs_are_left_out() -> None:
    whole = update((BOB, 0, [text("x")]), (ANN, 0, [text("ab"), text("c", left=(ANN, 0)), text("d")]))
    assert diff(whole, {ANN: 2, BOB: 1}) == update((ANN, 2, [text("c", left=(ANN, 0)), text("d")]))
    assert diff(whole, {ANN: 4}) == update((BOB, 0, [text("x")]))
    assert diff(whole, {ANN: 9, BOB: 9}) == update()


@pytest.mark.parametrize(
    ("whole", "rest"),
    [
        (text("abcde"), text("de", left=(ANN, 12))),
        (text("a😀de"), text("de", left=(ANN, 12))),
        (item(ANY, b"\4\x77\1a\x75\2\x78\x79\x7e\x7d\5"), item(ANY, b"\1\x7d\5", left=(ANN, 12))),
        (item(DELETED, uint(300)), item(DELETED, uint(297), left=(ANN, 12))),
        (gc(300), gc(297)),
    ],
    ids=["text", "text in UTF-16", "values", "deleted", "collected"],
)
def test_the_rest_of_a_struct_follows_its_front(whole: bytes, rest: bytes) -> None:
    assert diff(update((ANN, 10, [whole])), {ANN: 13}) == update((ANN, 13, [rest]))


@pytest.mark.parametrize(
    ("whole", "rest"),
    [
        (text("ab", left=(BOB, 7)), text("b", left=(ANN, 10))),
        (text("ab", right=(BOB, 300)), text("b", left=(ANN, 10), right=(BOB, 300))),
        (text("ab", left=(COY, 7), right=(BOB, 300)), text("b", left=(ANN, 10), right=(BOB, 300))),
        (text("ab", parent=(BOB, 300)), text("b", left=(ANN, 10))),
        (text("ab"), text("b", left=(ANN, 10))),
        (item(ANY, b"\2\x78\x79", key="k"), item(ANY, b"\1\x79", left=(ANN, 10), key="k")),
        (item(ANY, b"\2\x78\x79", parent=(BOB, 3), key="k"), item(ANY, b"\1\x79", left=(ANN, 10), key="k")),
    ],
)
def test_the_rest_of_a_struct_has_no_origin_or_parent_of_its_front(whole: bytes, rest: bytes) -> None:
    assert diff(update((ANN, 10, [whole])), {ANN: 11}) == update((ANN, 11, [rest]))


def test_a_skip_over_known_structs_is_left_out() -> None:
    whole = update((ANN, 0, [text("a"), skip(3), text("b", left=(ANN, 3))]), (BOB, 5, [text("c"), skip(2)]))
    rest = update((BOB, 5, [text("c")]), (ANN, 4, [text("b", left=(ANN, 3))]))
    assert diff(whole, {ANN: 4, BOB: 5}) == rest
    assert diff(update((ANN, 4, [skip(2)])), {ANN: 4}) == b"\0\0"


def test_the_low_surrogate_of_a_known_high_one_is_replaced() -> None:
    assert diff(update((ANN, 0, [text("a😀b")])), {ANN: 2}) == update((ANN, 2, [text("\ufffdb", left=(ANN, 1))]))
    assert diff(update((ANN, 0, [text("a😀😀")])), {ANN: 4}) == update((ANN, 4, [text("\ufffd", left=(ANN, 3))]))


def test_known_deletions_are_left_out_with_known_structs() -> None:
    whole = update((ANN, 0, [text("abc")]), deletes={ANN: [(0, 1), (2, 1)], BOB: [(4, 4)]})
    rest = update((ANN, 2, [text("c", left=(ANN, 1))]), deletes={ANN: [(2, 1)]})
    assert diff(whole, {ANN: 2, BOB: 9}, (ANN, 0, 2), (BOB, 0, 8)) == rest


@pytest.mark.parametrize("seed", range(50))
def test_the_new_part_equals_that_of_pycrdt(seed: int) -> None:
    dice = random.Random(seed)
    whole = inspect_update(_a_document(dice))
    ends = {struct.client: struct.clock + struct.length for struct in whole.structs}
    for _ in range(20):
        state = {client: dice.randint(0, end) for client, end in ends.items()}
        ours = inspect_update(diff(whole.payload, state))
        library = inspect_update(pycrdt.get_update(whole.payload, encode_state_vector(state)))
        end = ours.structs[-1].end if ours.structs else 0
        assert ours.structs == library.structs
        assert ours.payload[:end] == library.payload[:end]
        assert set(ours.deletes) == set(library.deletes)


def _a_document(dice: random.Random) -> bytes:
    """Return a document of three clients, with long structs, because pycrdt merges neighbours."""
    docs: list[pycrdt.Doc[Any]] = [pycrdt.Doc(client_id=client) for client in (ANN, BOB, COY)]
    for _ in range(20):
        doc = dice.choice(docs)
        words, values = doc.get("content", type=pycrdt.Text), doc.get("list", type=pycrdt.Array)
        match dice.randrange(4):
            case 0:
                words.insert(dice.randint(0, len(words)), "some words")
            case 1 if len(words) > 4:
                del words[2:4]
            case 2:
                values.insert(dice.randint(0, len(values)), [1, "two", {"three": [3]}, None])
            case _:
                values.append(pycrdt.Map({"in": "side"}))
        other = dice.choice(docs)
        other.apply_update(doc.get_update(other.get_state()))
    for doc in docs:
        docs[0].apply_update(doc.get_update())
    return docs[0].get_update()
