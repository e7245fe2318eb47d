"""What stands at each clock of a struct, and whether two structs say the same there.

It stands between the guard, which knows where a struct's bytes are, and ``room/ownership``, which compares what a
client repeats with what stands in the document. The engine cuts and joins structs as it likes and writes values anew:
so it is elements that are compared, not bytes.
"""

from typing import Any, NamedTuple

from collab.crdt.scan import read_text
from collab.crdt.update import ANY, EMBED, FORMAT, STRING, InspectedUpdate, Struct, content_start
from collab.crdt.values import equivalent, read_json, read_values
from collab.protocol.varint import read_var_uint

_HALVES = range(0xD800, 0xE000)
_REPLACEMENT = 0xFFFD


class Content(NamedTuple):
    """The elements of one struct that says something."""

    clock: int
    """Of the first element."""
    elements: bytes | list[Any]
    """A text in UTF-16, little end first; of other kinds, a list of values."""

    def between(self, begin: int, end: int) -> bytes | list[Any]:
        """The elements from clock ``begin`` to ``end - 1``."""
        width = 2 if isinstance(self.elements, bytes) else 1
        return self.elements[width * (begin - self.clock) : width * (end - self.clock)]


def read_content(update: InspectedUpdate, struct: Struct) -> Content:
    """What is in a struct of ``update`` that is neither deleted nor a gap."""
    if struct.kind == STRING:
        return Content(struct.clock, update.text_of(struct).encode("utf-16-le"))
    item = update.payload[struct.begin : struct.end]
    at = content_start(item)
    if struct.kind == ANY:
        return Content(struct.clock, read_values(item, read_var_uint(item, at)[1], struct.length)[0])
    if struct.kind == EMBED:
        return Content(struct.clock, [read_json(item, at)])
    if struct.kind == FORMAT:
        key, at = read_text(item, at)
        return Content(struct.clock, [[key, read_json(item, at)]])
    return Content(struct.clock, [item[at:]])


def equivalent_updates(one: InspectedUpdate, other: InspectedUpdate) -> bool:
    """Whether two updates consist of the same structs, in whatever bytes their values are written."""
    return len(one.structs) == len(other.structs) and all(
        _is_same_struct(one, here, other, there) for here, there in zip(one.structs, other.structs, strict=True)
    )


def _is_same_struct(one: InspectedUpdate, here: Struct, other: InspectedUpdate, there: Struct) -> bool:
    item, known = one.payload[here.begin : here.end], other.payload[there.begin : there.end]
    if (here.client, here.clock, here.length, here.kind) != (there.client, there.clock, there.length, there.kind):
        return False
    if item == known:
        return True
    if here.kind not in (ANY, EMBED, FORMAT) or item[: content_start(item)] != known[: content_start(known)]:
        return False
    end = here.clock + here.length
    return first_difference(read_content(one, here), read_content(other, there), here.clock, end) is None


def first_difference(one: Content, other: Content, begin: int, end: int) -> int | None:
    """The first clock from ``begin`` to ``end - 1`` at which two contents of one kind differ.

    Halves of characters agree with what stands for them: who cut one sees a replacement.
    """
    here, there = one.between(begin, end), other.between(begin, end)
    if isinstance(here, bytes) and isinstance(there, bytes):
        return None if here == there else _first_differing_unit(here, there, begin)
    return next((begin + at for at, pair in enumerate(zip(here, there, strict=True)) if not equivalent(*pair)), None)


def _first_differing_unit(here: bytes, there: bytes, begin: int) -> int | None:
    for at, (unit, other) in enumerate(zip(memoryview(here).cast("H"), memoryview(there).cast("H"), strict=True)):
        if unit != other and not (_may_be_half(unit) and _may_be_half(other)):
            return begin + at
    return None


def _may_be_half(unit: int) -> bool:
    return unit == _REPLACEMENT or unit in _HALVES
