"""Levels and parents, over several updates and in any order within one."""

import pycrdt
import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.nesting import Nesting
from collab.crdt.update import InspectedUpdate
from collab.errors import UpdateRefused
from tests.protocol.build import gc, item, shared, text, update


def _add(nesting: Nesting, update: InspectedUpdate) -> None:
    nesting.add(update, nesting.check(update))


def _add_all(nesting: Nesting, *updates: bytes) -> Nesting:
    for data in updates:
        _add(nesting, inspect_update(data))
    return nesting


def test_levels_follow_parents_and_neighbours() -> None:
    nesting = _add_all(
        Nesting(),
        update((7, 0, [shared(), shared(parent=(7, 0)), text("ab", parent=(7, 1))])),
        update((8, 0, [text("c", left=(7, 3)), text("d", right=(7, 0)), text("e")])),
    )
    assert [nesting.level((7, clock)) for clock in range(4)] == [0, 1, 2, 2]
    assert [nesting.level((8, clock)) for clock in range(3)] == [2, 0, 0]
    assert nesting.level((7, 4)) is None
    assert nesting.level((9, 0)) is None


def test_an_update_may_refer_to_its_later_structs() -> None:
    nesting = _add_all(
        Nesting(),
        update(
            (9, 0, [text("x", parent=(8, 1)), shared(left=(8, 0))]),
            (8, 0, [shared(), shared(parent=(7, 0))]),
            (7, 0, [shared(left=(8, 0))]),
        ),
    )
    assert nesting.level((9, 0)) == 2
    assert nesting.level((9, 1)) == 0


def test_long_chains_of_references_are_followed_without_recursion() -> None:
    length = 20_000
    ones = [text("a", left=(2, n - 1)) if n else text("a") for n in range(length)]
    twos = [text("b", left=(1, n)) for n in range(length)]
    nesting = _add_all(Nesting(), update((2, 0, twos), (1, 0, ones)))
    assert nesting.level((2, length - 1)) == 0


@pytest.mark.parametrize(
    "element",
    [text("a"), item(8, b"\x01\x7e"), item(6, b"\x01k\x04null"), item(5, b"\x041234"), item(3, b"\x01\xff")],
    ids=["text", "value", "mark", "embed", "bytes"],
)
def test_an_element_that_is_no_type_has_no_children(element: bytes) -> None:
    child = update((7, 1, [text("b", parent=(7, 0))]))
    nesting = _add_all(Nesting(), update((7, 0, [element])))
    with pytest.raises(UpdateRefused, match="not a shared type"):
        _add_all(nesting, child)
    assert nesting.level((7, 1)) is None
    with pytest.raises(UpdateRefused, match="not a shared type"):
        _add_all(Nesting(), update((7, 0, [element, text("b", parent=(7, 0))])))


@pytest.mark.parametrize("element", [shared(), item(1, b"\x01"), gc(1)], ids=["type", "deleted", "collected"])
def test_a_type_or_a_deleted_element_may_have_children(element: bytes) -> None:
    nesting = _add_all(Nesting(), update((7, 0, [element])))
    _add_all(nesting, update((8, 0, [text("b", parent=(7, 0))])))
    assert nesting.level((8, 0)) == 1
    assert nesting.may_have_children((7, 0))
    assert not nesting.may_have_children((8, 0))


def test_checking_changes_nothing() -> None:
    nesting = _add_all(Nesting(), update((7, 0, [shared()])))
    child = inspect_update(update((7, 1, [shared(parent=(7, 0)), text("a", parent=(7, 1))])))
    assert nesting.check(child) == nesting.check(child) == [1, 2]
    assert nesting.level((7, 1)) is None


def test_depth_is_bounded_over_many_updates() -> None:
    nesting = Nesting(3)
    _add_all(nesting, update((7, 0, [shared()])))
    for depth in range(3):
        # a sibling of the last type, then a child of the sibling: no parent is named twice
        _add_all(nesting, update((7, 1 + 2 * depth, [shared(left=(7, 2 * depth)), shared(parent=(7, 1 + 2 * depth))])))
    with pytest.raises(UpdateRefused, match="3 deep"):
        _add_all(nesting, update((8, 0, [text("x", parent=(7, 6))])))
    assert nesting.level((8, 0)) is None
    _add_all(nesting, update((8, 0, [text("x", left=(7, 6))])))


def test_a_keystroke_has_the_level_of_its_neighbours() -> None:
    nesting = _add_all(Nesting(), update((7, 0, [shared(), text("a", parent=(7, 0))])))
    _add_all(nesting, update((7, 2, [text("b", left=(7, 1))])))
    _add_all(nesting, update((7, 3, [text("c", left=(7, 0))])))
    _add_all(nesting, update((7, 4, [text("d")])))
    assert [nesting.level((7, clock)) for clock in range(5)] == [0, 1, 1, 0, 0]


def test_levels_of_a_document_of_pycrdt() -> None:
    doc: pycrdt.Doc[pycrdt.XmlFragment] = pycrdt.Doc()
    nesting = Nesting()
    doc.observe(lambda event: _add(nesting, inspect_update(event.update)))
    fragment = doc.get("default", type=pycrdt.XmlFragment)
    for _ in range(3):
        paragraph = fragment.children.append(pycrdt.XmlElement("paragraph", {"align": "left"}))
        run = paragraph.children.append(pycrdt.XmlText("some words"))
        run.insert(4, "thing")
        del run[0:2]
    whole = _add_all(Nesting(), doc.get_update())
    ids = [(s.client, s.clock) for s in inspect_update(doc.get_update()).structs]
    assert {nesting.level(id_) for id_ in ids} == {0, 1, 2}
    assert all(whole.level(id_) == nesting.level(id_) for id_ in ids)
