"""An update that passed the guard, described: its structs, the ranges it deletes and the ids it needs.

The rest of the server reasons about this description instead of the bytes.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from collab.crdt.scan import read_clock, read_parent, read_text
from collab.protocol.varint import read_var_uint
from collab.record import record

Id: TypeAlias = tuple[int, int]
"""The identity of one character or element: client id and clock."""

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)

LEFT_ORIGIN, RIGHT_ORIGIN, HAS_KEY = 0x80, 0x40, 0x20
"""The flags in the first byte of a struct, above the five bits of its kind."""

WITHOUT_ORIGINS = (GC, SKIP)


class Struct(NamedTuple):
    """One struct of an update, in wire order."""

    client: int
    clock: int
    length: int
    """In clocks: UTF-16 units of text, or elements."""
    kind: int
    """One of the kinds GC to SKIP above."""
    needs: tuple[Id, ...]
    """The ids that must be integrated before: left origin and right origin, or the parent."""
    begin: int
    end: int
    """Where its bytes begin and end in the payload."""


class DeletedRange(NamedTuple):
    """A range of elements that the update deletes."""

    client: int
    clock: int
    length: int


@record
class InspectedUpdate:
    """An update that passed the guard, and its description."""

    payload: bytes
    """The bytes to log, apply and send: those of the client, without empty structs and with deletions in order."""
    structs: tuple[Struct, ...]
    deletes: tuple[DeletedRange, ...]
    """In order within each client, and neither overlapping nor touching."""
    low_surrogates: frozenset[Id]
    """The ids of the low surrogates of characters outside the basic plane."""
    depth: int
    """The deepest nesting of shared types by parent ids inside this update; 0 if it creates no type."""

    def parent_of(self, struct: Struct) -> Id | None:
        """Return the parent of a struct, or None if it names a root or its neighbours instead of an element."""
        if not struct.needs or self.payload[struct.begin] & (LEFT_ORIGIN | RIGHT_ORIGIN):
            return None
        return struct.needs[0]

    def text_of(self, struct: Struct) -> str:
        """Return the text of a string struct."""
        item = self.payload[struct.begin : struct.end]
        return read_text(item, content_start(item))[0]

    def splits(self, state: Mapping[int, int]) -> Iterator[Id]:
        """Yield where this update splits structs, its own or the document's: the first id of each right part.

        If that id is a low surrogate, the split cuts through a character. A struct is also split if only its front is
        in ``state``, the document's state vector.
        """
        payload = self.payload
        for struct in self.structs:
            client, clock = struct.client, struct.clock
            if clock < state.get(client, 0) < clock + struct.length:
                yield client, state[client]
            if struct.kind not in WITHOUT_ORIGINS:
                info = payload[struct.begin]
                if info & LEFT_ORIGIN:
                    yield struct.needs[0][0], struct.needs[0][1] + 1
                if info & RIGHT_ORIGIN:
                    yield struct.needs[-1]
        for client, clock, length in self.deletes:
            yield client, clock
            yield client, clock + length


def content_start(item: bytes) -> int:
    """Return where the content of an item begins, behind its origins or its parent."""
    info, at = item[0], 1
    for flag in (LEFT_ORIGIN, RIGHT_ORIGIN):
        if info & flag:
            at = read_clock(item, read_var_uint(item, at)[1])[1]
    if info & (LEFT_ORIGIN | RIGHT_ORIGIN):
        return at
    at = read_parent(item, at)[1]
    return read_text(item, at)[1] if info & HAS_KEY else at
