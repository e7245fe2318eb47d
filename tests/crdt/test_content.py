"""Whether two updates say the same, struct for struct."""

import pytest

from collab.crdt.content import equivalent_updates
from collab.crdt.guard import inspect_update
from tests.protocol.build import gc, item, string, text, update

ANN = 7
STANDS = [text("abc"), item(5, string('{"a":1,"b":[2]}')), gc(2)]
KEYS = item(5, string('{"b":[2.0],"a":1}'))


def test_the_order_of_keys_and_the_form_of_numbers_do_not_count() -> None:
    one, other = (inspect_update(update((ANN, 0, structs))) for structs in (STANDS, [STANDS[0], KEYS, STANDS[2]]))
    assert one.payload != other.payload
    assert equivalent_updates(one, other)


@pytest.mark.parametrize(
    "other",
    [
        [*STANDS[:2], gc(3)],
        [*STANDS, gc(1)],
        [text("abd"), *STANDS[1:]],
        [text("ab"), text("c", left=(ANN, 1)), *STANDS[1:]],
        [STANDS[0], item(5, string('{"a":1,"b":[3]}')), STANDS[2]],
        [STANDS[0], item(5, string('{"b":[2],"a":1}'), left=(ANN, 0)), STANDS[2]],
        [STANDS[0], item(5, string('{"b":[2],"a":1}'), root="other"), STANDS[2]],
        [STANDS[0], item(6, string("k") + string("1")), STANDS[2]],
    ],
    ids=["length", "more", "text", "cut", "value", "neighbour", "root", "kind"],
)
def test_anything_else_does(other: list[bytes]) -> None:
    one, theirs = (inspect_update(update((ANN, 0, structs))) for structs in (STANDS, other))
    assert not equivalent_updates(one, theirs)
    assert not equivalent_updates(theirs, one)
