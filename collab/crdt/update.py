"""An update that passed the guard, described: its structs, the ranges it deletes and the ids it needs.

The description is what the rest of the server reasons about; nothing behind the guard parses client bytes again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from collab.crdt.scan import read_clock, read_parent, read_text
from collab.protocol.varint import read_var_uint

Id: TypeAlias = tuple[int, int]
"""A character's or element's identity: client, clock."""

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)

LEFT_ORIGIN, RIGHT_ORIGIN, HAS_KEY = 0x80, 0x40, 0x20
"""The flags in the first byte of a struct, above the five bits of its kind."""

WITHOUT_ORIGINS = (GC, SKIP)


class Struct(NamedTuple):
    """One struct of an update, in wire order."""

    client: int
    clock: int
    length: int
    """In clock ticks: UTF-16 units of text, elements otherwise."""
    kind: int
    """Content kind: 0 GC, 1 deleted, 3 and up as in the constants of this module, 10 skip."""
    needs: tuple[Id, ...]
    """Ids that must exist before: left origin, right origin, parent."""
    begin: int
    end: int
    """Its bytes in the payload."""


class DeletedRange(NamedTuple):
    """Elements that the update says are deleted."""

    client: int
    clock: int
    length: int


@dataclass(frozen=True, slots=True)
class InspectedUpdate:
    """An update that passed the guard, and what is in it."""

    payload: bytes
    """What may be logged, applied and sent: the client's bytes, but for empty strings and deletions in disorder."""
    structs: tuple[Struct, ...]
    deletes: tuple[DeletedRange, ...]
    """Of each client in order, and neither overlapping nor touching."""
    low_surrogates: frozenset[Id]
    """Ids of the second halves of characters outside the basic plane."""
    depth: int
    """Deepest nesting of shared types by parent ids inside this update; 0 when it makes no type."""

    @property
    def has_gap(self) -> bool:
        """Whether its writer lacked something between what is here."""
        return any(struct.kind == SKIP for struct in self.structs)

    def parent_of(self, struct: Struct) -> Id | None:
        """The parent, where the struct names an element as its parent and not a root or its neighbours."""
        if not struct.needs or self.payload[struct.begin] & (LEFT_ORIGIN | RIGHT_ORIGIN):
            return None
        return struct.needs[0]

    def text_of(self, struct: Struct) -> str:
        """The text of one of its string structs."""
        item = self.payload[struct.begin : struct.end]
        return read_text(item, content_start(item))[0]

    def cuts(self, state: Mapping[int, int]) -> Iterator[Id]:
        """Where this update splits structs, its own or the document's: the first ids of the right parts.

        One that is a low surrogate cuts through a character. ``state``: the document's state vector; a struct
        of which it has the front is split too.
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
    """Where the content of an item begins."""
    info, at = item[0], 1
    for flag in (LEFT_ORIGIN, RIGHT_ORIGIN):
        if info & flag:
            at = read_clock(item, read_var_uint(item, at)[1])[1]
    if info & (LEFT_ORIGIN | RIGHT_ORIGIN):
        return at
    at = read_parent(item, at)[1]
    return read_text(item, at)[1] if info & HAS_KEY else at
