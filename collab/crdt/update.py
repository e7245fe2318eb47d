"""The guard: a complete structural reading of a Yjs update (v1) before anything else sees its bytes.

It stands between the dialects and the room. The CRDT engine is not safe on raw client bytes: crafted ones
panic it, overflow its stack or leave a document that no client can load. Nothing that this module refuses
ever reaches the engine, the log or another client; what it accepts it describes, so that the room can decide
on clock ranges and dependencies without asking the engine.

It judges bytes alone. Whether what an update needs is there, whose client ids it uses, how deep the document
becomes and whether it cuts through a surrogate pair are the room's to judge, from the description.

Layout (integers are varUints, an id is client then clock)::

    update  = count {count client clock struct*}*  deletes
    struct  = info ...          info: 5 bits kind, then has-parent-key, has-right-origin, has-left-origin
    GC,Skip = info length
    item    = info [left id] [right id] [parent [key]] content     parent and key only when no origin tells
    parent  = 1 root name | 0 id
    deletes = count {client count {clock length}*}*

Source: yjs 13 ``src/utils/UpdateDecoder.js`` and ``src/structs``. In prose: ``docs/protocol.md``.
"""

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from collab.crdt.scan import clock, refuse, skip_json, skip_values, span, text, varint
from collab.errors import UpdateRefused
from collab.protocol.limits import CLOCK_END, DEFAULT, Limits
from collab.protocol.varint import Writer

Id: TypeAlias = tuple[int, int]
"""A character's or element's identity: client, clock."""

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)

LEFT_ORIGIN, RIGHT_ORIGIN, _HAS_KEY = 0x80, 0x40, 0x20
_WITHOUT_ORIGINS = (GC, SKIP)
_XML_ELEMENT, _XML_HOOK, _TYPE_MAX, _WEAK_LINK = 3, 5, 6, 7


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
        return text(item, content_of(item))[0]

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
            if struct.kind not in _WITHOUT_ORIGINS:
                info = payload[struct.begin]
                if info & LEFT_ORIGIN:
                    yield struct.needs[0][0], struct.needs[0][1] + 1
                if info & RIGHT_ORIGIN:
                    yield struct.needs[-1]
        for client, clock, length in self.deletes:
            yield client, clock
            yield client, clock + length


def inspect_update(payload: bytes, limits: Limits = DEFAULT) -> InspectedUpdate:
    """Read a whole update, or raise UpdateRefused with the rule it breaks."""
    if len(payload) > limits.bytes_max:
        raise UpdateRefused(f"An update has at most {limits.bytes_max} bytes.")
    try:
        return _keystroke(payload) or _read(payload, limits)
    except IndexError:
        raise UpdateRefused("The update ends in the middle.") from None


def inspect_stored_update(payload: bytes) -> InspectedUpdate:
    """Read an update of our own, from the store or from the engine, whose size was judged when it came in."""
    return inspect_update(payload, _STORED)


def inspect_front(payload: bytes, end: int) -> InspectedUpdate:
    """Of an update of the engine's, the structs of its first client up to clock ``end``; what follows is not read."""
    most = 16
    while True:
        front = _read(payload, _STORED, most)
        last = front.structs[-1]
        if len(front.structs) < most or last.clock + last.length >= end:
            return front
        most *= 4


_STORED = Limits(bytes_max=sys.maxsize, structs_max=sys.maxsize, surrogates_max=sys.maxsize)


def _keystroke(data: bytes) -> InspectedUpdate | None:
    """The reading of one client's one insertion of plain text beside other text; None for any other update.

    Nine in ten updates are this, so they do not pay for the loops of ``_read``.
    """
    if len(data) < _KEYSTROKE_BYTES_MIN or data[0] != 1 or data[1] != 1:
        return None
    client, at = varint(data, 2)
    tick, begin = clock(data, at)
    info = data[begin]
    if info not in _KEYSTROKE_INFOS:
        return None
    other, at = varint(data, begin + 1)
    other_tick, at = clock(data, at)
    needs: tuple[Id, ...] = ((other, other_tick),)
    if other == client and other_tick >= tick:
        refuse(_NEEDS_ITSELF)
    if info == _BOTH_ORIGINS:
        other, at = varint(data, at)
        other_tick, at = clock(data, at)
        if other == client and other_tick >= tick:
            refuse(_NEEDS_ITSELF)
        needs = (needs[0], (other, other_tick))
    start, end = span(data, at)
    inserted = data[start:end]
    length = end - start
    if not length or not inserted.isascii() or tick + length >= CLOCK_END:
        return None
    struct = Struct(client, tick, length, STRING, needs, begin, end)
    deletes: tuple[DeletedRange, ...] = ()
    if data[end:] != b"\0":
        deletes, tidy = _read_deletes(data, end)
        if not tidy:
            return None
    return InspectedUpdate(data, (struct,), deletes, _NO_IDS, 0)


_KEYSTROKE_BYTES_MIN = 9
_BOTH_ORIGINS = LEFT_ORIGIN | RIGHT_ORIGIN | STRING
_KEYSTROKE_INFOS = (LEFT_ORIGIN | STRING, RIGHT_ORIGIN | STRING, _BOTH_ORIGINS)
_NO_IDS: frozenset[Id] = frozenset()


def _read(data: bytes, limits: Limits, most: int | None = None) -> InspectedUpdate:  # noqa: C901 - one flat loop
    """The reading of an update, or only of the first ``most`` structs of its first client. A call in it costs."""
    size = len(data)
    structs: list[Struct] = []
    low_surrogates: list[Id] = []
    parents: dict[Id, Id | None] = {}
    seen: set[int] = set()
    known: dict[bytes, int] = {}  # the bytes of each client id listed so far, since references repeat them
    emptied = False
    clients, at = varint(data, 0)
    for _ in range(clients):
        count, at = varint(data, at)
        if count == 0:
            refuse("lists a client without structs")
        if count > size - at or len(structs) + count > limits.structs_max:
            refuse("claims too many structs")
        begin = at
        client, at = varint(data, at)
        known[data[begin:at]] = client
        width = at - begin
        tick, at = clock(data, at)
        if client in seen:
            refuse("lists a client twice")
        seen.add(client)
        for _ in range(count if most is None else min(count, most)):
            begin = at
            info = data[at]
            at += 1
            kind = info & 31
            needs: tuple[Id, ...] = ()
            if kind in _WITHOUT_ORIGINS:
                if info != kind:
                    refuse("sets flags on a struct that has none")
                length, at = clock(data, at)
            else:
                parent: Id | None = None
                if info & 0xC0:
                    if info & LEFT_ORIGIN:
                        other = known.get(data[at : at + width], -1)
                        if other < 0:
                            other, at = varint(data, at)
                        else:
                            at += width
                        other_tick, at = clock(data, at)
                        if other == client and other_tick >= tick:
                            refuse(_NEEDS_ITSELF)
                        needs = ((other, other_tick),)
                    if info & RIGHT_ORIGIN:
                        other = known.get(data[at : at + width], -1)
                        if other < 0:
                            other, at = varint(data, at)
                        else:
                            at += width
                        other_tick, at = clock(data, at)
                        if other == client and other_tick >= tick:
                            refuse(_NEEDS_ITSELF)
                        needs = (needs[0], (other, other_tick)) if needs else ((other, other_tick),)
                else:
                    parent, at = _read_parent(data, at)
                    if parent is not None:
                        if parent[0] == client and parent[1] >= tick:
                            refuse(_NEEDS_ITSELF)
                        needs = (parent,)
                    if info & _HAS_KEY:
                        _, at = text(data, at)
                length = 1
                if kind == STRING:
                    start, at = span(data, at)
                    inserted = data[start:at]
                    length = at - start
                    if not inserted.isascii():
                        length = _utf16(inserted, client, tick, low_surrogates)
                        if len(low_surrogates) > limits.surrogates_max:
                            refuse("holds too many characters outside the basic plane")
                elif kind == DELETED:
                    length, at = clock(data, at)
                elif kind == ANY:
                    length, at = varint(data, at)
                    at = skip_values(data, at, length, limits.any_depth_max)
                elif kind == TYPE:
                    at = _skip_type(data, at)
                    parents[client, tick] = parent
                else:
                    at = _skip_single(data, at, kind)
            if length == 0:
                emptied = True
                continue
            end = tick + length
            if end >= CLOCK_END:
                refuse("holds a clock that is too large")
            structs.append(new_struct(Struct, (client, tick, length, kind, needs, begin, at)))
            tick = end
        if most is not None:
            return InspectedUpdate(data, tuple(structs), (), frozenset(low_surrogates), 0)
    deletes, tidy = _read_deletes(data, at)
    if emptied or not tidy:
        return inspect_update(_encode(structs, deletes, data), limits)
    return InspectedUpdate(data, tuple(structs), deletes, frozenset(low_surrogates), _depth(parents))


new_struct = new_range = tuple.__new__
_NEEDS_ITSELF = "holds a struct that needs itself"
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def _read_parent(data: bytes, at: int) -> tuple[Id | None, int]:
    """The parent's id, or None for a root."""
    is_root, at = varint(data, at)
    if is_root == 1:
        return None, text(data, at)[1]
    if is_root != 0:
        refuse("names a parent of an unknown sort")
    client, at = varint(data, at)
    tick, at = clock(data, at)
    return (client, tick), at


def _utf16(inserted: bytes, client: int, tick: int, low_surrogates: list[Id]) -> int:
    """Length of UTF-8 text in UTF-16 units; adds the ids of low surrogates to ``low_surrogates``."""
    try:
        characters = inserted.decode()
    except UnicodeDecodeError:
        refuse("holds a text that is not UTF-8")
    length = len(characters)
    for match in _ASTRAL.finditer(characters):
        tick += 1  # the half that this and every astral character before it adds
        low_surrogates.append((client, tick + match.start()))
        length += 1
    return length


def _skip_single(data: bytes, at: int, kind: int) -> int:
    """Past content that takes one clock."""
    if kind == FORMAT:
        return skip_json(data, text(data, at)[1])
    if kind == EMBED:
        return skip_json(data, at)
    if kind == BINARY:
        return span(data, at)[1]
    if kind == JSON:
        refuse("holds legacy JSON content")
    return refuse("holds a subdocument" if kind == DOC else "holds content of an unknown kind")


def _skip_type(data: bytes, at: int) -> int:
    type_, at = varint(data, at)
    if type_ == _XML_HOOK:
        refuse("holds an XML hook")
    if type_ == _WEAK_LINK:
        refuse("holds a weak link")
    if type_ > _TYPE_MAX:
        refuse("holds a shared type of an unknown kind")
    return text(data, at)[1] if type_ == _XML_ELEMENT else at


def _read_deletes(data: bytes, at: int) -> tuple[tuple[DeletedRange, ...], bool]:
    """The deletions, each client's in order and merged; and whether they stand there like that."""
    size = len(data)
    deletes: list[DeletedRange] = []
    tidy = True
    seen: set[int] = set()
    clients, at = varint(data, at)
    for _ in range(clients):
        client, at = varint(data, at)
        if client in seen:
            refuse("lists a client's deletions twice")
        seen.add(client)
        count, at = varint(data, at)
        if count > size - at:
            refuse("claims too many deletions")
        first, end, in_order = len(deletes), -1, True
        for _ in range(count):
            tick, at = clock(data, at)
            length, at = clock(data, at)
            if length == 0 or tick + length >= CLOCK_END:
                refuse("deletes a range that cannot be")
            if tick <= end:
                in_order = False
            end = tick + length
            deletes.append(new_range(DeletedRange, (client, tick, length)))
        if not in_order:
            tidy = False
            deletes[first:] = _merged(deletes[first:])
    if at != size:
        refuse("goes on after its end")
    return tuple(deletes), tidy


def _merged(ranges: Iterable[DeletedRange]) -> list[DeletedRange]:
    """One client's ranges in order, as few as may be.

    Yjs writes them so. Each range that comes before another one makes the engine read a text again from its beginning.
    """
    merged: list[DeletedRange] = []
    for deleted in sorted(ranges):
        end = merged[-1].clock + merged[-1].length if merged else -1
        if deleted.clock > end:
            merged.append(deleted)
        elif deleted.clock + deleted.length > end:
            merged[-1] = merged[-1]._replace(length=deleted.clock + deleted.length - merged[-1].clock)
    return merged


def _depth(parents: dict[Id, Id | None]) -> int:
    """Longest chain of parents, which may come in any order."""
    depths: dict[Id, int] = {}
    for type_ in parents:
        chain: list[Id] = []
        above: Id | None = type_
        while above is not None and above in parents and above not in depths:
            depths[above] = 0
            chain.append(above)
            above = parents[above]
        depth = depths.get(above, 0) if above is not None else 0
        if depth == 0 and above in depths:
            refuse("holds a type inside itself")
        for link in reversed(chain):
            depth += 1
            depths[link] = depth
    return max(depths.values(), default=0)


def encode_update(structs: Iterable[Struct], deletes: Iterable[DeletedRange], payload: bytes) -> bytes:
    """An update of some structs of an inspected one, and some deletions.

    ``structs`` of one client must be in the order of their clocks and without a gap; a Skip, being the word
    for a gap, is never among them. ``payload``: the inspected update's. As in Yjs,
    higher client ids come first.
    """
    structs = tuple(structs)
    ends: dict[int, int] = {}
    for struct in structs:
        assert struct.kind != SKIP
        assert ends.get(struct.client, struct.clock) == struct.clock
        ends[struct.client] = struct.clock + struct.length
    return _encode(structs, deletes, payload)


def replace_pairs(update: InspectedUpdate, lows: Iterable[Id]) -> InspectedUpdate:
    """The same update with U+FFFD for each half of some of its characters, which are named by their low surrogates."""
    ticks: dict[int, list[int]] = {}
    for client, tick in sorted(lows):
        ticks.setdefault(client, []).append(tick)
    payload = bytearray()
    structs = []
    for struct in update.structs:
        own = ticks.get(struct.client, [])
        own = own[bisect_left(own, struct.clock) : bisect_left(own, struct.clock + struct.length)]
        item = update.payload[struct.begin : struct.end]
        begin = len(payload)
        payload += _with_replacements(item, [tick - struct.clock for tick in own]) if own else item
        structs.append(struct._replace(begin=begin, end=len(payload)))
    return inspect_stored_update(_encode(structs, update.deletes, bytes(payload)))


def _with_replacements(item: bytes, offsets: Iterable[int]) -> bytes:
    """A string item, without the pairs whose low surrogates are at ``offsets`` of its text."""
    content = content_of(item)
    units = bytearray(text(item, content)[0].encode("utf-16-le"))
    for offset in offsets:
        units[offset * 2 - 2 : offset * 2 + 2] = _REPLACEMENTS
    writer = Writer()
    writer.raw(item[:content])
    writer.var_bytes(units.decode("utf-16-le").encode())
    return writer.to_bytes()


_REPLACEMENTS = "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}".encode("utf-16-le")


def content_of(item: bytes) -> int:
    """Where the content of an item begins."""
    info, at = item[0], 1
    for flag in (LEFT_ORIGIN, RIGHT_ORIGIN):
        if info & flag:
            at = clock(item, varint(item, at)[1])[1]
    if info & (LEFT_ORIGIN | RIGHT_ORIGIN):
        return at
    at = _read_parent(item, at)[1]
    return text(item, at)[1] if info & _HAS_KEY else at


def _encode(structs: Iterable[Struct], deletes: Iterable[DeletedRange], payload: bytes) -> bytes:
    by_client: dict[int, list[Struct]] = {}
    for struct in structs:
        by_client.setdefault(struct.client, []).append(struct)
    writer = Writer()
    writer.var_uint(len(by_client))
    for client in sorted(by_client, reverse=True):
        run = by_client[client]
        writer.var_uint(len(run))
        writer.var_uint(client)
        writer.var_uint(run[0].clock)
        for struct in run:
            writer.raw(payload[struct.begin : struct.end])
    ranges: dict[int, list[DeletedRange]] = {}
    for deleted in deletes:
        ranges.setdefault(deleted.client, []).append(deleted)
    writer.var_uint(len(ranges))
    for client in sorted(ranges, reverse=True):
        writer.var_uint(client)
        writer.var_uint(len(ranges[client]))
        for deleted in ranges[client]:
            writer.var_uint(deleted.clock)
            writer.var_uint(deleted.length)
    return writer.to_bytes()
