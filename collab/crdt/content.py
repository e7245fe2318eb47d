"""The content of structs, compared element by element.

The engine splits and joins structs as it likes and encodes values anew, so the bytes of a struct do not tell whether a
client repeats the content that the document holds. The elements at each clock do.
"""

from typing import Any, NamedTuple

from collab.crdt.scan import read_text
from collab.crdt.update import ANY, EMBED, FORMAT, STRING, InspectedUpdate, Struct, content_start
from collab.crdt.values import equivalent, read_json, read_values
from collab.protocol.varint import read_var_uint

_SURROGATES = range(0xD800, 0xE000)
_REPLACEMENT = 0xFFFD


class Content(NamedTuple):
    """The elements of one struct."""

    clock: int
    """The clock of the first element."""
    elements: bytes | list[Any]
    """A text as UTF-16 (little endian), or a list of values for every other kind."""

    def between(self, begin: int, end: int) -> bytes | list[Any]:
        """Return the elements from clock ``begin`` to ``end - 1``."""
        width = 2 if isinstance(self.elements, bytes) else 1
        return self.elements[width * (begin - self.clock) : width * (end - self.clock)]


def read_content(update: InspectedUpdate, struct: Struct) -> Content:
    """Return the content of a struct of ``update`` that is not of the kind GC, DELETED or SKIP."""
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
    """True if two updates consist of the same structs, however their values are encoded."""
    return len(one.structs) == len(other.structs) and all(
        _equivalent_structs(one, here, other, there) for here, there in zip(one.structs, other.structs, strict=True)
    )


def _equivalent_structs(one: InspectedUpdate, here: Struct, other: InspectedUpdate, there: Struct) -> bool:
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
    """Return the first clock from ``begin`` to ``end - 1`` at which two contents of one kind differ, or None.

    A surrogate equals a replacement character, because Yjs shows the latter for half of a surrogate pair.
    """
    here, there = one.between(begin, end), other.between(begin, end)
    if isinstance(here, bytes) and isinstance(there, bytes):
        return None if here == there else _first_differing_unit(here, there, begin)
    return next((begin + at for at, pair in enumerate(zip(here, there, strict=True)) if not equivalent(*pair)), None)


def _first_differing_unit(here: bytes, there: bytes, begin: int) -> int | None:
    for at, (unit, other) in enumerate(zip(memoryview(here).cast("H"), memoryview(there).cast("H"), strict=True)):
        if unit != other and not (_may_be_surrogate(unit) and _may_be_surrogate(other)):
            return begin + at
    return None


def _may_be_surrogate(unit: int) -> bool:
    return unit == _REPLACEMENT or unit in _SURROGATES
