"""Updates written from the structs of inspected ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from collab.crdt.encoding import encode_update, replace_pairs
from collab.crdt.guard import inspect_update
from collab.crdt.update import SKIP, STRING
from tests.protocol.build import skip, text, update

_RECORDED = json.loads((Path(__file__).parent.parent / "vectors" / "updates.json").read_text())
_ACCEPTED: dict[str, Any] = _RECORDED["accepted"]


@pytest.mark.parametrize("name", sorted(_ACCEPTED.keys() - {"a gap"}))  # a Skip is never written
def test_an_update_of_yjs_is_written_back_to_the_same_bytes(name: str) -> None:
    data = bytes.fromhex(_ACCEPTED[name]["hex"])
    inspected = inspect_update(data)
    assert encode_update(inspected.structs, inspected.deletes, data) == data


def test_a_gap_is_never_written() -> None:
    data = update((7, 0, [text("ab"), skip(3), text("c")]))
    structs = inspect_update(data).structs
    assert [(s.clock, s.length, s.kind) for s in structs] == [(0, 2, STRING), (2, 3, SKIP), (5, 1, STRING)]
    assert encode_update(structs[:1], (), data) == update((7, 0, [text("ab")]))
    with pytest.raises(AssertionError):
        encode_update(structs[:2], (), data)
    with pytest.raises(AssertionError):
        encode_update([structs[0], structs[2]], (), data)


def test_higher_clients_are_written_first() -> None:
    data = update((3, 0, [text("a"), text("b")]), (9, 5, [text("c")]), deletes={3: [(0, 1)], 9: [(1, 1), (3, 1)]})
    inspected = inspect_update(data)
    part = encode_update([inspected.structs[0], inspected.structs[2]], inspected.deletes, data)
    assert part == update((9, 5, [text("c")]), (3, 0, [text("a")]), deletes={9: [(1, 1), (3, 1)], 3: [(0, 1)]})
    assert encode_update((), (), data) == b"\0\0"


def test_replaced_pairs_become_two_replacement_characters() -> None:
    data = update((7, 10, [text("a😀b😀", left=(8, 4)), text("𝒳")]), (3, 0, [text("😀")]), deletes={3: [(0, 2)]})
    inspected = inspect_update(data)
    assert inspected.low_surrogates == {(7, 12), (7, 15), (7, 17), (3, 1)}
    expected = update((7, 10, [text("a😀b��", left=(8, 4)), text("��")]), (3, 0, [text("😀")]), deletes={3: [(0, 2)]})
    assert replace_pairs(inspected, [(7, 17), (7, 15)]) == expected
    assert replace_pairs(inspected, []) == data
