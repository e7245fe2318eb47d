"""What may hold what, and how deep: across updates, in any order within one."""

import pycrdt
import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.nesting import Nesting
from collab.errors import UpdateRefused
from tests.protocol.build import gc, item, shared, text, update


def _admit(nesting: Nesting, *updates: bytes) -> Nesting:
    for data in updates:
        each = inspect_update(data)
        nesting.add(each, nesting.check(each))
    return nesting


def test_levels_follow_parents_and_neighbours() -> None:
    nesting = _admit(
        Nesting(),
        update((7, 0, [shared(), shared(parent=(7, 0)), text("ab", parent=(7, 1))])),
        update((8, 0, [text("c", left=(7, 3)), text("d", right=(7, 0)), text("e")])),
    )
    assert [nesting.level((7, clock)) for clock in range(4)] == [0, 1, 2, 2]
    assert [nesting.level((8, clock)) for clock in range(3)] == [2, 0, 0]
    assert nesting.level((7, 4)) is None
    assert nesting.level((9, 0)) is None


def test_an_update_may_refer_to_what_comes_later_in_it() -> None:
    nesting = _admit(
        Nesting(),
        update(
            (9, 0, [text("x", parent=(8, 1)), shared(left=(8, 0))]),
            (8, 0, [shared(), shared(parent=(7, 0))]),
            (7, 0, [shared(left=(8, 0))]),
        ),
    )
    assert nesting.level((9, 0)) == 2
    assert nesting.level((9, 1)) == 0


def test_a_long_knot_of_references_is_read_in_time_and_without_recursion() -> None:
    length = 20_000
    ones = [text("a", left=(2, n - 1)) if n else text("a") for n in range(length)]
    twos = [text("b", left=(1, n)) for n in range(length)]
    nesting = _admit(Nesting(), update((2, 0, twos), (1, 0, ones)))
    assert nesting.level((2, length - 1)) == 0


@pytest.mark.parametrize(
    "element",
    [text("a"), item(8, b"\x01\x7e"), item(6, b"\x01k\x04null"), item(5, b"\x041234"), item(3, b"\x01\xff")],
    ids=["text", "value", "mark", "embed", "bytes"],
)
def test_what_is_no_type_holds_nothing(element: bytes) -> None:
    child = update((7, 1, [text("b", parent=(7, 0))]))
    nesting = _admit(Nesting(), update((7, 0, [element])))
    with pytest.raises(UpdateRefused, match="no shared type"):
        _admit(nesting, child)
    assert nesting.level((7, 1)) is None
    with pytest.raises(UpdateRefused, match="no shared type"):
        _admit(Nesting(), update((7, 0, [element, text("b", parent=(7, 0))])))


@pytest.mark.parametrize("element", [shared(), item(1, b"\x01"), gc(1)], ids=["type", "deleted", "collected"])
def test_a_type_and_what_may_have_been_one_may_hold(element: bytes) -> None:
    nesting = _admit(Nesting(), update((7, 0, [element])))
    _admit(nesting, update((8, 0, [text("b", parent=(7, 0))])))
    assert nesting.level((8, 0)) == 1
    assert nesting.holds((7, 0))
    assert not nesting.holds((8, 0))


def test_depth_is_bounded_however_it_is_reached() -> None:
    nesting = Nesting(3)
    _admit(nesting, update((7, 0, [shared()])))
    for depth in range(3):
        # a sibling of the last type, then a child of the sibling: no parent is named twice
        _admit(nesting, update((7, 1 + 2 * depth, [shared(left=(7, 2 * depth)), shared(parent=(7, 1 + 2 * depth))])))
    with pytest.raises(UpdateRefused, match="3 deep"):
        _admit(nesting, update((8, 0, [text("x", parent=(7, 6))])))
    assert nesting.level((8, 0)) is None
    _admit(nesting, update((8, 0, [text("x", left=(7, 6))])))


def test_a_keystroke_continues_or_begins_a_run() -> None:
    nesting = _admit(Nesting(), update((7, 0, [shared(), text("a", parent=(7, 0))])))
    _admit(nesting, update((7, 2, [text("b", left=(7, 1))])))
    _admit(nesting, update((7, 3, [text("c", left=(7, 0))])))
    _admit(nesting, update((7, 4, [text("d")])))
    assert [nesting.level((7, clock)) for clock in range(5)] == [0, 1, 1, 0, 0]


def test_it_holds_a_real_document() -> None:
    doc: pycrdt.Doc[pycrdt.XmlFragment] = pycrdt.Doc()
    nesting = Nesting()
    doc.observe(lambda event: nesting.add(update := inspect_update(event.update), nesting.check(update)))
    fragment = doc.get("default", type=pycrdt.XmlFragment)
    for _ in range(3):
        paragraph = fragment.children.append(pycrdt.XmlElement("paragraph", {"align": "left"}))
        run = paragraph.children.append(pycrdt.XmlText("some words"))
        run.insert(4, "thing")
        del run[0:2]
    whole = _admit(Nesting(), doc.get_update())
    ids = [(s.client, s.clock) for s in inspect_update(doc.get_update()).structs]
    assert {nesting.level(id_) for id_ in ids} == {0, 1, 2}
    assert all(whole.level(id_) == nesting.level(id_) for id_ in ids)
