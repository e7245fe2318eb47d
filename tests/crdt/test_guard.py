"""The guard reads an update as Yjs does, and refuses harmful ones."""

import json
import random
from pathlib import Path
from typing import Any

import pycrdt
import pytest

from collab.crdt.encoding import encode_update
from collab.crdt.guard import inspect_front, inspect_stored_update, inspect_update
from collab.crdt.steps import finish
from collab.crdt.update import DELETED, GC, DeletedRange, InspectedUpdate
from collab.errors import UpdateRefused
from collab.protocol.limits import CLOCK_END, Limits
from collab.protocol.varint import UINT_MAX
from tests.protocol.build import gc, item, shared, skip, string, text, uint, update

_RECORDED = json.loads((Path(__file__).parent.parent / "vectors" / "updates.json").read_text())
_ACCEPTED: dict[str, Any] = _RECORDED["accepted"]


def _reading(inspected: InspectedUpdate) -> dict[str, list[list[int]]]:
    """Return an inspected update in the form in which the reading of Yjs is recorded."""
    return {
        "structs": [[s.client, s.clock, s.length, s.kind] for s in inspected.structs],
        "deletes": [[d.client, d.clock, d.length] for d in inspected.deletes],
    }


# --- reading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _ACCEPTED)
def test_an_update_is_read_as_yjs_reads_it(name: str) -> None:
    case = _ACCEPTED[name]
    inspected = inspect_update(bytes.fromhex(case["hex"]))
    assert inspected.payload.hex() == case["hex"]
    assert _reading(inspected) == {"structs": case["structs"], "deletes": case["deletes"]}


def test_each_struct_has_its_place_and_the_ids_it_needs() -> None:
    structs = [text("ab"), text("c", left=(7, 1)), text("d", right=(9, 300)), shared(parent=(2**40, 5))]
    data = update((7, 0, structs), (9, 300, [text("x", left=(9, 299), right=(7, 0))]))
    read = inspect_update(data).structs
    assert [data[s.begin : s.end] for s in read] == [*structs, text("x", left=(9, 299), right=(7, 0))]
    assert [s.needs for s in read] == [(), ((7, 1),), ((9, 300),), ((2**40, 5),), ((9, 299), (7, 0))]
    inspected = inspect_update(data)
    assert [inspected.parent_of(s) for s in read] == [None, None, None, (2**40, 5), None]


@pytest.mark.parametrize("client", [0, 127, 128, 2**21, 2**28, 2**32 - 1, 2**35, 2**42, UINT_MAX])
def test_client_ids_of_every_width_are_read(client: int) -> None:
    other = client ^ 1
    structs = [text("a", left=(client, 3)), text("b", left=(other, 3), right=(client, 2)), item(1, uint(2))]
    inspected = inspect_update(update((client, 4, structs), deletes={client: [(0, 2)], other: [(1, 1)]}))
    assert inspected.structs[1].needs == ((other, 3), (client, 2))
    assert inspected.deletes == (DeletedRange(client, 0, 2), DeletedRange(other, 1, 1))


@pytest.mark.parametrize(
    ("left", "right"), [((7, 4), None), (None, (7, 4)), ((8, 9), (7, 4)), ((8, 9), (8, 4)), ((8, 2**30), None)]
)
@pytest.mark.parametrize("deletes", [{}, {7: [(1, 2)]}, {7: [(1, 2), (4, 1)], 9: [(0, 1)]}])
def test_a_keystroke_is_read_as_any_other_update(
    left: tuple[int, int] | None, right: tuple[int, int] | None, deletes: dict[int, list[tuple[int, int]]]
) -> None:
    key = text("hello", left=left, right=right)
    alone = inspect_update(update((7, 5, [key]), deletes=deletes))
    with_another = inspect_update(update((7, 5, [key, text("x")]), deletes=deletes))
    shift = alone.structs[0].begin - with_another.structs[0].begin
    assert shift == 0
    assert alone.structs[0] == with_another.structs[0]
    assert alone.deletes == with_another.deletes


@pytest.mark.parametrize("characters", ["é", "漢字", "😀", "a😀b𝒳c"])
def test_text_is_measured_in_utf16_units(characters: str) -> None:
    struct = inspect_update(update((7, 5, [text(characters, left=(7, 4))]))).structs[0]
    assert struct.length == len(characters.encode("utf-16-le")) // 2


def test_low_surrogates_are_listed() -> None:
    inspected = inspect_update(update((7, 10, [text("a😀b😀"), text("𝒳")]), (3, 0, [text("é")])))
    assert inspected.low_surrogates == {(7, 12), (7, 15), (7, 17)}


def test_depth_counts_parents_in_any_order() -> None:
    assert inspect_update(update((7, 0, [text("a")]))).depth == 0
    assert inspect_update(update((7, 0, [shared(), shared(left=(7, 0))]))).depth == 1
    chain = update(
        (9, 0, [shared(parent=(8, 0))]), (8, 0, [shared(parent=(7, 1))]), (7, 0, [shared(), shared(parent=(7, 0))])
    )
    assert inspect_update(chain).depth == 4


def test_the_depth_of_a_long_chain_is_found_without_recursion() -> None:
    chain = [shared(), *(shared(parent=(7, n)) for n in range(50_000))]
    assert inspect_update(update((7, 0, chain))).depth == 50_001


def test_the_front_of_a_long_history_is_read_alone() -> None:
    data = update((9, 5, [text("ab")] * 100), (3, 0, [text("c")]), deletes={3: [(0, 1)]})
    whole = inspect_update(data)
    for end, count in ((6, 16), (5 + 2 * 16, 16), (6 + 2 * 16, 64), (5 + 2 * 100, 100)):
        front = finish(inspect_front(data, end))
        assert front.structs == whole.structs[:count]
        assert [front.text_of(struct) for struct in front.structs] == ["ab"] * count
    assert finish(inspect_front(update((9, 5, [text("ab")])), 7)).structs == whole.structs[:1]


# --- structs without content ---------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [text(""), text("", left=(7, 1)), item(1, b"\0"), item(8, b"\0"), gc(0), skip(0)])
def test_a_struct_of_no_length_is_left_out(empty: bytes) -> None:
    inspected = inspect_update(
        update(
            (9, 0, [empty]),
            (7, 2, [text("a"), empty, text("b"), skip(2), empty, text("c")]),
            deletes={7: [(0, 1)]},
        )
    )
    expected = update((7, 2, [text("a"), text("b"), skip(2), text("c")]), deletes={7: [(0, 1)]})
    assert inspected.payload == expected
    assert inspected == inspect_update(expected)


def test_an_update_of_structs_of_no_length_is_empty() -> None:
    assert inspect_update(update((7, 2, [text("", left=(7, 1))]))).payload == b"\0\0"


# --- deletions in disorder -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges", "tidy"),
    [
        ([(8, 1), (4, 2), (0, 1)], [(0, 1), (4, 2), (8, 1)]),
        ([(0, 2), (2, 3)], [(0, 5)]),
        ([(0, 5), (1, 2)], [(0, 5)]),
        ([(3, 4), (1, 3), (9, 1)], [(1, 6), (9, 1)]),
        ([(2, 1), (2, 1)], [(2, 1)]),
    ],
    ids=["descending", "touching", "inside", "overlapping", "twice"],
)
@pytest.mark.parametrize("keystroke", [False, True])
def test_deletions_in_disorder_are_sorted_and_merged(
    ranges: list[tuple[int, int]], tidy: list[tuple[int, int]], keystroke: bool
) -> None:
    structs = [(7, 20, [text("a", left=(7, 19))])] if keystroke else []
    untouched = [(1, 1), (3, 1)]
    inspected = inspect_update(update(*structs, deletes={9: untouched, 7: ranges}))
    expected = update(*structs, deletes={9: untouched, 7: tidy})
    assert inspected.payload == expected
    assert inspected == inspect_update(expected)


def test_deletions_in_order_are_unchanged_for_any_order_of_clients() -> None:
    data = update(deletes={3: [(0, 1), (2, 1)], 9: [], 5: [(4, 4)]})
    assert inspect_update(data).payload == data


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _RECORDED["refused"])
def test_content_of_yjs_that_is_not_supported_is_refused(name: str) -> None:
    with pytest.raises(UpdateRefused):
        inspect_update(bytes.fromhex(_RECORDED["refused"][name]))


_KEYSTROKE = update((7, 5, [text("x", left=(7, 4))]))
_BOTH = update((7, 5, [text("x", left=(8, 4), right=(8, 5))]))
_HARMFUL = {
    "nothing at all": (b"", "ends in the middle"),
    "a client without structs": (b"\x01\x00\x07\x00\x00", "without structs"),
    "a client twice": (update((7, 0, [text("a")]), (7, 1, [text("b")])), "client twice"),
    "deletions of a client twice": (b"\x00\x02\x07\x01\x00\x01\x07\x01\x00\x01", "deletions twice"),
    "more structs than bytes": (b"\x01\xff\xff\xff\xff\x0f\x07\x00\x00", "more structs than it contains"),
    "more deletions than bytes": (b"\x00\x01\x07\xff\xff\xff\xff\x0f", "more deletions than it contains"),
    "more clients than bytes": (b"\xff\xff\xff\xff\x0f", "ends in the middle"),
    "a padded client id": (b"\x01\x01\x87\x00" + update((7, 0, [text("a")]))[3:], "more bytes than it needs"),
    "a padded integer among values": (update((7, 0, [item(8, b"\x01\x7d\x80\x00")])), "more bytes than it needs"),
    "a client id beyond JavaScript": (b"\x01\x01" + b"\xff" * 7 + b"\x1f\x00\x00", "larger than 2"),
    "an end that goes on": (update() + b"\0", "has extra bytes at its end"),
    "a clock beyond 31 bits": (update((7, CLOCK_END, [text("a")])), "clock that is too large"),
    "a struct past the last clock": (update((7, CLOCK_END - 2, [text("ab")])), "clock that is too large"),
    "a keystroke past the last clock": (update((7, CLOCK_END - 1, [text("a", left=(7, 4))])), "clock"),
    "a collected range past the last clock": (update((7, 5, [gc(CLOCK_END - 5)])), "clock that is too large"),
    "a deleted range of nothing": (update(deletes={7: [(3, 0)]}), "impossible range"),
    "a deleted range past the last clock": (update(deletes={7: [(CLOCK_END - 2, 2)]}), "impossible range"),
    "flags on a collected range": (update((7, 0, [b"\x80\x01"])), "flags"),
    "an unknown kind": (update((7, 0, [item(11)])), "unknown kind"),
    "the bit beyond the kinds": (update((7, 0, [item(0x14, string("a"))])), "unknown kind"),
    "legacy JSON": (update((7, 0, [item(2, b"\x01" + string("1"))])), "legacy JSON"),
    "a subdocument": (update((7, 0, [item(9, string("g") + b"\x76\x00")])), "subdocument"),
    "an XML hook": (update((7, 0, [item(7, b"\x05" + string("h"))])), "XML hook"),
    "a weak link": (update((7, 0, [item(7, b"\x07\x00")])), "weak link"),
    "an unknown type": (update((7, 0, [item(7, b"\x08")])), "unknown kind"),
    "a parent of an unknown kind": (update((7, 0, [b"\x04\x02"])), "unknown kind"),
    "text that is not UTF-8": (update((7, 0, [item(4, b"\x01\xff")])), "UTF-8"),
    "a keystroke that is not UTF-8": (update((7, 5, [item(4, b"\x01\xff", left=(7, 4))])), "UTF-8"),
    "a root name that is not UTF-8": (update((7, 0, [b"\x04\x01\x01\xff\x01a"])), "UTF-8"),
    "a mark with malformed JSON": (update((7, 0, [item(6, string("k") + string("{"))])), "JSON that is malformed"),
    "an embed with malformed JSON": (update((7, 0, [item(5, string("NaN"))])), "JSON that is malformed"),
    "values nested too deep": (update((7, 0, [item(8, b"\x01" + b"\x75\x01" * 65 + b"\x7e")])), "too deep"),
    "a neighbour that is itself": (update((7, 5, [text("x", left=(7, 5))])), "needs itself"),
    "a right neighbour that is itself": (update((7, 5, [text("x", right=(7, 5))])), "needs itself"),
    "a right neighbour to come": (update((7, 5, [text("x", left=(7, 4), right=(7, 6))])), "needs itself"),
    "a neighbour to come": (update((7, 5, [text("x", left=(7, 6)), text("y")])), "needs itself"),
    "a right neighbour to come, among others": (update((7, 5, [text("x", right=(7, 5)), text("y")])), "needs itself"),
    "a parent that is itself": (update((7, 5, [shared(parent=(7, 5))])), "needs itself"),
    "types in a circle": (update((7, 0, [shared(parent=(8, 0))]), (8, 0, [shared(parent=(7, 0))])), "inside itself"),
}  # fmt: skip


@pytest.mark.parametrize("name", _HARMFUL)
def test_a_harmful_update_is_refused_with_the_reason(name: str) -> None:
    data, reason = _HARMFUL[name]
    with pytest.raises(UpdateRefused, match=reason):
        inspect_update(data)


@pytest.mark.parametrize("name", ["formatting whole", "shared whole", "xml whole", "together", "a gap", "text 2"])
def test_an_update_cut_short_anywhere_is_refused(name: str) -> None:
    data = bytes.fromhex(_ACCEPTED[name]["hex"])
    for end in range(len(data)):
        with pytest.raises(UpdateRefused):
            inspect_update(data[:end])


@pytest.mark.parametrize("data", [_KEYSTROKE, _BOTH])
def test_a_keystroke_cut_short_anywhere_is_refused(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(UpdateRefused):
            inspect_update(data[:end])


def test_random_bytes_are_refused_or_read_stably() -> None:
    random_ = random.Random(1)
    for _ in range(20_000):
        data = bytes(random_.choices((0, 1, 2, 4, 7, 0x84, 0xC4, 127, 128, 255), k=random_.randrange(40)))
        try:
            inspected = inspect_update(data)
        except UpdateRefused:
            continue
        assert inspect_update(inspected.payload) == inspected


# --- bounds --------------------------------------------------------------------------------------------


def test_the_size_of_an_update_is_bounded() -> None:
    assert inspect_update(_KEYSTROKE, Limits(bytes_max=len(_KEYSTROKE))).payload == _KEYSTROKE
    with pytest.raises(UpdateRefused, match="at most"):
        inspect_update(_KEYSTROKE, Limits(bytes_max=len(_KEYSTROKE) - 1))


def test_the_number_of_structs_is_bounded_over_all_clients() -> None:
    data = update((8, 0, [gc(1)] * 3), (7, 0, [gc(1)] * 2))
    assert len(inspect_update(data, Limits(structs_max=5)).structs) == 5
    with pytest.raises(UpdateRefused, match="more structs than it contains"):
        inspect_update(data, Limits(structs_max=4))
    assert len(inspect_stored_update(data).structs) == 5


def test_the_number_of_surrogate_pairs_is_bounded() -> None:
    data = update((7, 0, [text("😀😀"), text("😀")]))
    assert len(inspect_update(data, Limits(surrogates_max=3)).low_surrogates) == 3
    with pytest.raises(UpdateRefused, match="Basic Multilingual Plane"):
        inspect_update(data, Limits(surrogates_max=2))


def test_the_depth_of_values_is_a_limit() -> None:
    data = update((7, 0, [item(8, b"\x01\x75\x01\x75\x01\x7e")]))
    assert inspect_update(data, Limits(any_depth_max=2)).payload == data
    with pytest.raises(UpdateRefused, match="too deep"):
        inspect_update(data, Limits(any_depth_max=1))


_PADDED_INTEGER = update((7, 0, [item(8, b"\x01\x75\x01\x7d\x80\x00")]))
_LARGEST_BIGINT = bytes.fromhex(_RECORDED["refused"]["the largest bigint"])


@pytest.mark.parametrize(("data", "reason"), [(_PADDED_INTEGER, "more bytes than"), (_LARGEST_BIGINT, "bigint")])
def test_a_value_that_is_refused_today_is_read_from_the_log(data: bytes, reason: str) -> None:
    with pytest.raises(UpdateRefused, match=reason):
        inspect_update(data)
    assert inspect_stored_update(data).payload == data


def test_a_stored_update_obeys_every_rule_but_size() -> None:
    with pytest.raises(UpdateRefused, match="without structs"):
        inspect_stored_update(b"\x01\x00\x07\x00\x00")


def test_an_update_of_pycrdt_is_read_and_written_back() -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    words = doc.get("t", type=pycrdt.Text)
    words += "some 😀 words"
    words.format(0, 4, {"bold": True})
    del words[1:3]
    doc.get("m", type=pycrdt.Map)["k"] = {"a": [1, 2.5, None, True, "x", 2**60]}
    for data in [*updates, doc.get_update()]:
        inspected = inspect_update(data)
        assert inspected.payload == data
        assert encode_update(inspected.structs, inspected.deletes, data) == data
    kinds = {struct.kind for struct in inspect_update(doc.get_update()).structs}
    assert DELETED in kinds
    assert GC not in kinds


@pytest.mark.parametrize("text", ["Hello.", '{"type": "doc"}', "Zwei\nZeilen\tmit ä", "# Title\r\n" * 1000])
def test_text_is_refused_in_words_that_help(text: str) -> None:
    with pytest.raises(UpdateRefused) as caught:
        inspect_update(text.encode())
    assert str(caught.value).startswith("This is text, not a Yjs update: send the bytes")
