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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn, TypeAlias

from collab.errors import UpdateRefused
from collab.protocol.json_text import check_json, has_lone_surrogates
from collab.protocol.limits import CLIENT_MAX, CLOCK_END, DEFAULT, Limits
from collab.protocol.varint import Writer

Id: TypeAlias = tuple[int, int]
"""A character's or element's identity: client, clock."""

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)

_NAMED_TYPES = (3, 5)
_XML_HOOK = 5
_WEAK_LINK = 7
_TYPE_MAX = 6


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
    """What may be logged, applied and sent: the client's bytes, without zero-length strings if it had any."""
    structs: tuple[Struct, ...]
    deletes: tuple[DeletedRange, ...]
    low_surrogates: frozenset[Id]
    """Ids of the second halves of characters outside the basic plane."""
    depth: int
    """Deepest nesting of shared types by parent ids inside this update; 0 when it makes no type."""

    def cuts(self) -> Iterator[Id]:
        """Where this update would split what exists: ids that become the first of a right part.

        One that is a low surrogate cuts through a character.
        """
        payload = self.payload
        for struct in self.structs:
            if struct.kind not in (GC, SKIP):
                info = payload[struct.begin]
                if info & 0x80:
                    client, clock = struct.needs[0]
                    yield client, clock + 1
                if info & 0x40:
                    yield struct.needs[1 if info & 0x80 else 0]
        for client, clock, length in self.deletes:
            yield client, clock
            yield client, clock + length


def inspect_update(payload: bytes, limits: Limits = DEFAULT) -> InspectedUpdate:
    """Read a whole update, or raise UpdateRefused with the rule it breaks."""
    if len(payload) > limits.bytes_max:
        raise UpdateRefused(f"An update has at most {limits.bytes_max} bytes.")
    try:
        return _parse(payload, limits)
    except IndexError:
        raise UpdateRefused("The update ends in the middle.") from None


def _refuse(why: str) -> NoReturn:
    raise UpdateRefused(f"The update {why}.")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varUint and the position after it."""
    value = data[at]
    at += 1
    if value < 128:
        return value, at
    value &= 127
    for shift in (7, 14, 21, 28, 35, 42, 49):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value > CLIENT_MAX:
                _refuse("holds a number that is too large")
            return value, at
    _refuse("holds a number that is too long")


def _clock(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    if value >= CLOCK_END:
        _refuse("holds a clock that is too large")
    return value, at


def _bytes(data: bytes, at: int) -> tuple[int, int]:
    """Where length-prefixed bytes begin and end."""
    length, at = _varint(data, at)
    end = at + length
    if end > len(data):
        _refuse("claims more than it holds")
    return at, end


def _string(data: bytes, at: int) -> tuple[str, int]:
    at, end = _bytes(data, at)
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        _refuse("holds a text that is not UTF-8")


def _parse(data: bytes, limits: Limits) -> InspectedUpdate:  # noqa: C901 - one flat loop: calls cost more
    size = len(data)
    structs: list[Struct] = []
    lows: list[Id] = []
    parents: dict[Id, Id | None] = {}
    seen: set[int] = set()
    empty_strings = False
    clients, at = _varint(data, 0)
    for _ in range(clients):
        count, at = _varint(data, at)
        if count == 0:
            _refuse("lists a client without structs")
        if count > size - at or len(structs) + count > limits.structs_max:
            _refuse("claims too many structs")
        client, at = _varint(data, at)
        clock, at = _clock(data, at)
        if client in seen:
            _refuse("lists a client twice")
        seen.add(client)
        for _ in range(count):
            begin = at
            info = data[at]
            at += 1
            kind = info & 31
            needs: tuple[Id, ...] = ()
            if kind in (GC, SKIP):
                if info & 0xE0:
                    _refuse("sets flags on a struct that has none")
                length, at = _clock(data, at)
            else:
                parent: Id | None = None
                if info & 0xC0:
                    if info & 0x80:
                        other, at = _varint(data, at)
                        tick, at = _clock(data, at)
                        needs = ((other, tick),)
                        if other == client and tick >= clock:
                            _refuse("holds a struct that needs itself")
                    if info & 0x40:
                        other, at = _varint(data, at)
                        tick, at = _clock(data, at)
                        needs += ((other, tick),)
                        if other == client and tick >= clock:
                            _refuse("holds a struct that needs itself")
                else:
                    is_root, at = _varint(data, at)
                    if is_root == 1:
                        _, at = _string(data, at)
                    elif is_root == 0:
                        other, at = _varint(data, at)
                        tick, at = _clock(data, at)
                        parent = (other, tick)
                        needs = (parent,)
                        if other == client and tick >= clock:
                            _refuse("holds a struct that needs itself")
                    else:
                        _refuse("names a parent of an unknown sort")
                    if info & 0x20:
                        _, at = _string(data, at)
                length = 1
                if kind == STRING:
                    text, at = _string(data, at)
                    length = len(text)
                    if not text.isascii():
                        for match in _ASTRAL.finditer(text):
                            length += 1
                            lows.append((client, clock + match.start() + length - len(text)))
                        if len(lows) > limits.surrogates_max:
                            _refuse("holds too many characters outside the basic plane")
                    if length == 0:
                        empty_strings = True
                        continue
                elif kind == DELETED:
                    length, at = _clock(data, at)
                elif kind == FORMAT:
                    _, at = _string(data, at)
                    at = _json(data, at)
                elif kind == TYPE:
                    at = _type(data, at)
                    parents[client, clock] = parent
                elif kind == ANY:
                    length, at = _varint(data, at)
                    at = _values(data, at, length, limits)
                elif kind == EMBED:
                    at = _json(data, at)
                elif kind == BINARY:
                    _, at = _bytes(data, at)
                else:
                    _refuse(_UNWELCOME.get(kind, "holds content of an unknown kind"))
            if length == 0:
                _refuse("holds a struct of no length")
            if clock + length >= CLOCK_END:
                _refuse("holds a clock that is too large")
            structs.append(Struct(client, clock, length, kind, needs, begin, at))
            clock += length
    deletes = _deletes(data, at)
    if empty_strings:
        return inspect_update(_encode(structs, deletes, data), limits)
    return InspectedUpdate(data, tuple(structs), deletes, frozenset(lows), _depth(parents))


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_UNWELCOME = {JSON: "holds legacy JSON content", DOC: "holds a subdocument"}


def _type(data: bytes, at: int) -> int:
    type_, at = _varint(data, at)
    if type_ == _XML_HOOK:
        _refuse("holds an XML hook")
    if type_ == _WEAK_LINK:
        _refuse("holds a weak link")
    if type_ > _TYPE_MAX:
        _refuse("holds a shared type of an unknown kind")
    if type_ in _NAMED_TYPES:
        _, at = _string(data, at)
    return at


def _json(data: bytes, at: int) -> int:
    at, end = _bytes(data, at)
    raw = data[at:end]
    if raw not in _PLAIN_JSON:
        try:
            value = check_json(raw)
        except ValueError:
            _refuse("holds JSON that is no JSON, or nested too deep")
        if has_lone_surrogates(raw, value):
            _refuse("holds JSON with half a character")
    return end


_PLAIN_JSON = frozenset((b"null", b"true", b"false", b"{}", b'""'))


def _values(data: bytes, at: int, count: int, limits: Limits) -> int:  # noqa: C901 - one flat loop
    """Past ``count`` lib0 values."""
    size = len(data)
    if count > size - at:
        _refuse("claims too many values")
    open_: list[tuple[int, bool]] = []
    keyed = False
    while True:
        while count == 0:
            if not open_:
                return at
            count, keyed = open_.pop()
        count -= 1
        if keyed:
            _, at = _string(data, at)
        tag = data[at]
        at += 1
        if tag == 119:
            _, at = _string(data, at)
        elif tag in (120, 121, 126, 127):
            pass
        elif tag == 125:
            at = _signed(data, at)
        elif tag == 124:
            at += 4
        elif tag in (122, 123):
            at += 8
        elif tag in (117, 118):
            if len(open_) >= limits.any_depth_max:
                _refuse("holds values that are nested too deep")
            open_.append((count, keyed))
            keyed = tag == 118
            count, at = _varint(data, at)
            if count > size - at:
                _refuse("claims too many values")
        elif tag == 116:
            _, at = _bytes(data, at)
        else:
            _refuse("holds a value of an unknown kind")
        if at > size:
            raise IndexError


def _signed(data: bytes, at: int) -> int:
    byte = data[at]
    at += 1
    value = byte & 63
    shift = 6
    while byte > 127:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if shift > 62 or value > CLIENT_MAX:
            _refuse("holds a number that is too large")
    return at


def _deletes(data: bytes, at: int) -> tuple[DeletedRange, ...]:
    size = len(data)
    deletes: list[DeletedRange] = []
    seen: set[int] = set()
    clients, at = _varint(data, at)
    for _ in range(clients):
        client, at = _varint(data, at)
        if client in seen:
            _refuse("lists a client's deletions twice")
        seen.add(client)
        count, at = _varint(data, at)
        if count > size - at:
            _refuse("claims too many deletions")
        for _ in range(count):
            clock, at = _clock(data, at)
            length, at = _clock(data, at)
            if length == 0 or clock + length >= CLOCK_END:
                _refuse("deletes a range that cannot be")
            deletes.append(DeletedRange(client, clock, length))
    if at != size:
        _refuse("goes on after its end")
    return tuple(deletes)


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
            _refuse("holds a type inside itself")
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
