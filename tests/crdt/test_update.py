"""The description of an update: parents, texts, gaps, and the places where it splits structs."""

import json
from pathlib import Path
from typing import Any

import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.update import content_start
from tests.protocol.build import gc, item, shared, string, text, update

_RECORDED = json.loads((Path(__file__).parent.parent / "vectors" / "updates.json").read_text())
_ACCEPTED: dict[str, Any] = _RECORDED["accepted"]


def test_only_a_struct_that_names_an_element_has_a_parent_id() -> None:
    structs = [text("in a root"), shared(parent=(8, 3)), text("beside", left=(7, 0)), gc(1)]
    inspected = inspect_update(update((7, 10, structs)))
    assert [inspected.parent_of(struct) for struct in inspected.structs] == [None, (8, 3), None, None]


@pytest.mark.parametrize(
    "string_item",
    [
        text("wörter 😀"),
        text("wörter 😀", left=(9, 2**30)),
        text("wörter 😀", right=(300, 1)),
        text("wörter 😀", left=(9, 2), right=(2**40, 1)),
        text("wörter 😀", parent=(8, 500)),
        item(4, string("wörter 😀"), key="title"),
        item(4, string("wörter 😀"), parent=(8, 500), key="title"),
    ],
)
def test_the_text_of_a_struct_is_found_behind_its_origins_and_parent(string_item: bytes) -> None:
    assert string_item[content_start(string_item) :] == string("wörter 😀")
    inspected = inspect_update(update((7, 10, [string_item])))
    assert inspected.text_of(inspected.structs[0]) == "wörter 😀"


def test_an_update_tells_where_it_splits_structs() -> None:
    data = update(
        (
            7,
            10,
            [text("x", left=(3, 4), right=(4, 6)), text("y", right=(5, 1)), text("zz"), shared(parent=(3, 0)), gc(2)],
        ),
        deletes={9: [(2, 3)]},
    )
    inspected = inspect_update(data)
    assert set(inspected.splits({})) == {(3, 5), (4, 6), (5, 1), (9, 2), (9, 5)}
    assert set(inspected.splits({7: 13})) - set(inspected.splits({})) == {(7, 13)}
    assert set(inspected.splits({7: 12})) == set(inspected.splits({}))


def test_deleting_half_a_character_in_yjs_splits_at_its_low_surrogate() -> None:
    torn = inspect_update(bytes.fromhex(_ACCEPTED["torn whole"]["hex"]))
    torn_at = set(torn.splits({})) & inspect_update(bytes.fromhex(_ACCEPTED["torn 1"]["hex"])).low_surrogates
    assert torn_at == {(16, 2)}
