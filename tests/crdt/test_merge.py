"""Several updates merged into one message."""

import random
from typing import Any

import pycrdt
import pytest

from collab.crdt import merge as module
from collab.crdt.guard import inspect_update
from collab.crdt.merge import merge_updates
from collab.crdt.update import SKIP
from tests.interop.content import hash_of
from tests.interop.oracle import Oracle
from tests.protocol.build import item, shared, text, update
from tests.room.build import YjsClient, document_of, inspected


def merged(*updates: bytes) -> list[bytes]:
    return list(merge_updates(inspected(*updates)))


def test_one_update_alone_is_the_same_bytes() -> None:
    alone = update((3, 0, [text("a")]), (9, 0, [text("b")]), deletes={3: [(0, 1)]})
    assert merged(alone) == [alone]
    assert merged() == []


def test_structs_of_each_client_follow_one_another() -> None:
    one = update((3, 0, [text("a"), text("b", left=(3, 0))]), (9, 4, [text("x")]))
    other = update((3, 2, [text("c", left=(3, 1))]))
    assert merged(one, other) == [
        update((9, 4, [text("x")]), (3, 0, [text("a"), text("b", left=(3, 0)), text("c", left=(3, 1))]))
    ]


def test_deletions_become_sorted_ranges() -> None:
    updates = [update(deletes={3: [(5, 1)], 9: [(0, 1)]}), update(deletes={3: [(2, 2), (6, 1)]})]
    assert merged(*updates) == [update(deletes={9: [(0, 1)], 3: [(2, 2), (5, 2)]})]


def test_values_stay_byte_for_byte() -> None:
    """The engine would make a number of the bigint."""
    bigint = item(8, b"\x01\x7a" + (5).to_bytes(8, "big"))
    after = shared(left=(3, 0))
    assert merged(update((3, 0, [bigint])), update((3, 1, [after]))) == [update((3, 0, [bigint, after]))]


def test_update_that_leaves_a_gap_begins_a_new_message() -> None:
    one, other, third = update((3, 0, [text("a")])), update((3, 2, [text("c")])), update((3, 3, [text("d")]))
    assert merged(one, other, third) == [one, update((3, 2, [text("c"), text("d")]))]


def test_merged_update_is_bounded_and_a_larger_one_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ann = YjsClient(3)
    edits = [ann.type(at, "x") for at in range(4)]
    monkeypatch.setattr(module, "MERGED_BYTES_MAX", len(edits[0]) + len(edits[1]))
    assert merged(*edits[:2]) != edits[:2]
    assert len(merged(*edits[:3])) == 2
    large = update((9, 0, [text("x" * 100)]))
    assert merged(edits[0], large, edits[1]) == [edits[0], large, edits[1]]


@pytest.mark.node
@pytest.mark.parametrize("seed", range(30))
def test_yjs_and_the_engine_read_a_merged_history_as_the_updates_one_by_one(oracle: Oracle, seed: int) -> None:
    dice = random.Random(seed)
    history = [written.bytes for written in oracle.history(seed, writers=dice.randint(1, 4), edits=30)]
    updates: list[bytes] = []
    at = 0
    while at < len(history):
        size = dice.randint(1, 12)
        updates += merged(*history[at : at + size])
        at += size
    assert len(updates) < len(history)
    one_by_one, in_messages = oracle.read([history, updates])
    assert in_messages.error is None
    assert in_messages.waited is None
    assert (in_messages.content, in_messages.state) == (one_by_one.content, one_by_one.state)
    assert not any(struct.kind == SKIP for each in updates for struct in inspect_update(each).structs)
    engine: Any = pycrdt.Doc()
    for each in updates:
        engine.apply_update(each)
    assert hash_of(engine) == hash_of(document_of(*history)._doc)
