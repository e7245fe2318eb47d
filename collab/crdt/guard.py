"""The guard: it reads a Yjs update (v1) completely, before any other code sees its bytes.

The CRDT engine is not safe on raw client bytes: crafted ones make it panic, overflow its stack or leave a document that
no client can load. An update that is refused here never reaches the engine, the log or another client. One that is
accepted is described, so that clock ranges and dependencies can be judged without asking the engine.

The guard judges bytes alone. Missing dependencies, the owners of client ids, the depth of the document and splits
through surrogate pairs are judged later, from the description.

Layout (integers are varUints, an id is client then clock)::

    update  = count {count client clock struct*}*  deletes
    struct  = info ...          info: 5 bits kind, then has-parent-key, has-right-origin, has-left-origin
    GC,Skip = info length
    item    = info [left id] [right id] [parent [key]] content     parent and key only without an origin
    parent  = 1 root name | 0 id
    deletes = count {client count {clock length}*}*

Source: yjs 13 ``src/utils/UpdateDecoder.js`` and ``src/structs``. In prose: ``docs/protocol.md``.
"""

import heapq
import re

from collab.crdt import update_v2
from collab.crdt.encoding import encode_in_steps
from collab.crdt.scan import read_clock, read_parent, read_span, read_text, refuse, skip_json, skip_values_in_steps
from collab.crdt.steps import BYTES_PER_STEP, ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import (
    ANY,
    BINARY,
    DELETED,
    DOC,
    EMBED,
    FORMAT,
    HAS_KEY,
    JSON,
    LEFT_ORIGIN,
    RIGHT_ORIGIN,
    STRING,
    TYPE,
    WITHOUT_ORIGINS,
    DeletedRange,
    Id,
    InspectedUpdate,
    Struct,
)
from collab.errors import ProtocolError, UpdateRefused
from collab.protocol.limits import CLOCK_END, DEFAULT, STORED, Limits
from collab.protocol.varint import read_var_uint

_XML_ELEMENT, _XML_HOOK, _TYPE_MAX, _WEAK_LINK = 3, 5, 6, 7


def inspect_update(payload: bytes, limits: Limits = DEFAULT) -> InspectedUpdate:
    """Return the description of an update. Raises UpdateRefused with the rule that the update breaks."""
    if len(payload) <= min(_KEYSTROKE_BYTES_MAX, limits.bytes_max):  # spare nine updates in ten the generators below
        try:
            if (keystroke := _keystroke(payload)) is not None:
                return keystroke
        except (IndexError, ProtocolError, UpdateRefused):
            pass  # what is wrong with it is said below
    return finish(inspect_in_steps(payload, limits))


def inspect_in_steps(
    payload: bytes, limits: Limits = DEFAULT, structs: list[Struct] | None = None
) -> Steps[InspectedUpdate]:
    """Do the same in steps. ``structs`` gets what has been read, from which the caller may see that it is enough."""
    if len(payload) > limits.bytes_max:
        raise UpdateRefused(f"An update may have at most {limits.bytes_max} bytes.")
    try:
        return (yield from _read(payload, limits, structs=structs))
    except (IndexError, ProtocolError, UpdateRefused) as error:
        if update_v2.looks_like_v2(payload):
            raise UpdateRefused(update_v2.REFUSAL) from None
        if _looks_like_text(payload):
            raise UpdateRefused(_TEXT) from None
        if isinstance(error, UpdateRefused):
            raise
        raise UpdateRefused(_CUT_SHORT if isinstance(error, IndexError) else str(error)) from None


_CUT_SHORT = "The update ends in the middle."
_TEXT = "This is text, not a Yjs update: send the bytes that encodeStateAsUpdate or the 'update' event gives."
_TEXT_BYTES = 256
"""So much of what is no update is looked at. Nearly every update has control characters among its first bytes."""


def _looks_like_text(payload: bytes) -> bool:
    """Return True if bytes that are no update are something that a person wrote, such as JSON or a line of text."""
    begin = payload[:_TEXT_BYTES].decode("utf-8", "ignore")
    return bool(begin) and all(character.isprintable() or character in "\t\r\n" for character in begin)


def inspect_stored_update(payload: bytes) -> InspectedUpdate:
    """Return the description of an update of our own log or engine, which may have any size."""
    return inspect_update(payload, STORED)


def inspect_front(payload: bytes, end: int) -> Steps[InspectedUpdate]:
    """Return the description of the first client's structs up to clock ``end``, in an update of the engine.

    The structs behind them and the deletions are not read.
    """
    most = 16
    while True:
        front = yield from _read(payload, STORED, most)
        last = front.structs[-1]
        if len(front.structs) < most or last.clock + last.length >= end:
            return front
        most *= 4


def _keystroke(data: bytes) -> InspectedUpdate | None:
    """Return the description of one insertion of ASCII text beside other text, or None for any other update.

    Nine in ten updates are such keystrokes, so they skip the loops of ``_read``.
    """
    if len(data) < _KEYSTROKE_BYTES_MIN or data[0] != 1 or data[1] != 1:
        return None
    client, at = read_var_uint(data, 2)
    clock, begin = read_clock(data, at)
    info = data[begin]
    if info not in _KEYSTROKE_INFOS:
        return None
    other, at = read_var_uint(data, begin + 1)
    other_clock, at = read_clock(data, at)
    needs: tuple[Id, ...] = ((other, other_clock),)
    if other == client and other_clock >= clock:
        refuse(_NEEDS_ITSELF)
    if info == _BOTH_ORIGINS:
        other, at = read_var_uint(data, at)
        other_clock, at = read_clock(data, at)
        if other == client and other_clock >= clock:
            refuse(_NEEDS_ITSELF)
        needs = (needs[0], (other, other_clock))
    start, end = read_span(data, at)
    inserted = data[start:end]
    length = end - start
    if not length or not inserted.isascii() or clock + length >= CLOCK_END:
        return None
    struct = Struct(client, clock, length, STRING, needs, begin, end)
    deletes: tuple[DeletedRange, ...] = ()
    if data[end:] != b"\0":
        deletes, tidy = finish(_read_deletes(data, end))
        if not tidy:
            return None
    return InspectedUpdate(data, (struct,), deletes, _NO_IDS, 0)


_KEYSTROKE_BYTES_MIN = 9
_KEYSTROKE_BYTES_MAX = 1024
_BOTH_ORIGINS = LEFT_ORIGIN | RIGHT_ORIGIN | STRING
_KEYSTROKE_INFOS = (LEFT_ORIGIN | STRING, RIGHT_ORIGIN | STRING, _BOTH_ORIGINS)
_NO_IDS: frozenset[Id] = frozenset()


def _read(  # noqa: C901 - one flat loop
    data: bytes, limits: Limits, structs_max: int | None = None, structs: list[Struct] | None = None
) -> Steps[InspectedUpdate]:
    """Return the description of an update, or only of the first ``structs_max`` structs of its first client.

    Large updates spend their time here, so it is one loop with few calls.
    """
    pause = BYTES_PER_STEP
    size = len(data)
    structs = [] if structs is None else structs
    low_surrogates: set[Id] = set()
    parents: dict[Id, Id | None] = {}
    seen: set[int] = set()
    known: dict[bytes, int] = {}  # the bytes of each client id so far → the id, because origins repeat them
    emptied = False
    clients, at = read_var_uint(data, 0)
    for _ in range(clients):
        count, at = read_var_uint(data, at)
        if count == 0:
            refuse("lists a client without structs")
        if count > size - at or len(structs) + count > limits.structs_max:
            refuse("announces more structs than it contains")
        begin = at
        client, at = read_var_uint(data, at)
        known[data[begin:at]] = client
        width = at - begin
        clock, at = read_clock(data, at)
        if client in seen:
            refuse("lists a client twice")
        seen.add(client)
        for _ in range(count if structs_max is None else min(count, structs_max)):
            begin = at
            if at >= pause:
                pause = at + BYTES_PER_STEP
                yield
            info = data[at]
            at += 1
            kind = info & 31
            needs: tuple[Id, ...] = ()
            if kind in WITHOUT_ORIGINS:
                if info != kind:
                    refuse("sets flags on a struct that has none")
                length, at = read_clock(data, at)
            else:
                parent: Id | None = None
                if info & 0xC0:
                    if info & LEFT_ORIGIN:
                        other = known.get(data[at : at + width], -1)
                        if other < 0:
                            other, at = read_var_uint(data, at)
                        else:
                            at += width
                        other_clock, at = read_clock(data, at)
                        if other == client and other_clock >= clock:
                            refuse(_NEEDS_ITSELF)
                        needs = ((other, other_clock),)
                    if info & RIGHT_ORIGIN:
                        other = known.get(data[at : at + width], -1)
                        if other < 0:
                            other, at = read_var_uint(data, at)
                        else:
                            at += width
                        other_clock, at = read_clock(data, at)
                        if other == client and other_clock >= clock:
                            refuse(_NEEDS_ITSELF)
                        needs = (needs[0], (other, other_clock)) if needs else ((other, other_clock),)
                else:
                    parent, at = read_parent(data, at)
                    if parent is not None:
                        if parent[0] == client and parent[1] >= clock:
                            refuse(_NEEDS_ITSELF)
                        needs = (parent,)
                    if info & HAS_KEY:
                        _, at = read_text(data, at)
                length = 1
                if kind == STRING:
                    start, at = read_span(data, at)
                    inserted = data[start:at]
                    length = at - start
                    if not inserted.isascii():
                        length = yield from _utf16(inserted, client, clock, low_surrogates, limits)
                elif kind == DELETED:
                    length, at = read_clock(data, at)
                elif kind == ANY:
                    length, at = read_var_uint(data, at)
                    at = yield from skip_values_in_steps(data, at, length, limits)
                elif kind == TYPE:
                    at = _skip_type(data, at)
                    parents[client, clock] = parent
                else:
                    at = _skip_single(data, at, kind)
            if length == 0:
                emptied = True
                continue
            end = clock + length
            if end >= CLOCK_END:
                refuse("contains a clock that is too large")
            structs.append(_new_struct(Struct, (client, clock, length, kind, needs, begin, at)))
            clock = end
        if structs_max is not None:
            return InspectedUpdate(data, tuple(structs), (), frozenset(low_surrogates), 0)
    deletes, tidy = yield from _read_deletes(data, at)
    if emptied or not tidy:
        tidied = yield from encode_in_steps(structs, deletes, data)
        return (yield from inspect_in_steps(tidied, limits))
    depth = yield from _depth(parents)
    return InspectedUpdate(data, tuple(structs), deletes, frozenset(low_surrogates), depth)


_new_struct = _new_range = tuple.__new__
_NEEDS_ITSELF = "holds a struct that needs itself"
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def _utf16(inserted: bytes, client: int, clock: int, low_surrogates: set[Id], limits: Limits) -> Steps[int]:
    """Return the length of UTF-8 text in UTF-16 units. Adds the ids of its low surrogates to ``low_surrogates``."""
    try:
        characters = inserted.decode()
    except UnicodeDecodeError:
        refuse("contains text that is not valid UTF-8")
    extra = 0
    for extra, match in enumerate(_ASTRAL.finditer(characters), 1):
        low_surrogates.add((client, clock + match.start() + extra))  # each before it has one more unit than characters
        if extra % ITEMS_PER_STEP == 0:
            if len(low_surrogates) > limits.surrogates_max:
                break
            yield
    if len(low_surrogates) > limits.surrogates_max:
        refuse("contains too many characters outside the Basic Multilingual Plane")
    return len(characters) + extra


def _skip_single(data: bytes, at: int, kind: int) -> int:
    """Return the position behind content of one clock."""
    if kind == FORMAT:
        return skip_json(data, read_text(data, at)[1])
    if kind == EMBED:
        return skip_json(data, at)
    if kind == BINARY:
        return read_span(data, at)[1]
    if kind == JSON:
        refuse("contains legacy JSON content")
    return refuse("contains a subdocument" if kind == DOC else "contains content of an unknown kind")


def _skip_type(data: bytes, at: int) -> int:
    type_, at = read_var_uint(data, at)
    if type_ == _XML_HOOK:
        refuse("contains an XML hook")
    if type_ == _WEAK_LINK:
        refuse("contains a weak link")
    if type_ > _TYPE_MAX:
        refuse("contains a shared type of an unknown kind")
    return read_text(data, at)[1] if type_ == _XML_ELEMENT else at


def _read_deletes(data: bytes, at: int) -> Steps[tuple[tuple[DeletedRange, ...], bool]]:
    """Return the deletions, sorted and merged within each client, and True if the bytes have them so already."""
    size = len(data)
    pause = at + BYTES_PER_STEP
    deletes: list[DeletedRange] = []
    tidy = True
    seen: set[int] = set()
    clients, at = read_var_uint(data, at)
    for _ in range(clients):
        client, at = read_var_uint(data, at)
        if client in seen:
            refuse("lists a client's deletions twice")
        seen.add(client)
        count, at = read_var_uint(data, at)
        if count > size - at:
            refuse("announces more deletions than it contains")
        first, end, in_order = len(deletes), -1, True
        for _ in range(count):
            if at >= pause:
                pause = at + BYTES_PER_STEP
                yield
            clock, at = read_clock(data, at)
            length, at = read_clock(data, at)
            if length == 0 or clock + length >= CLOCK_END:
                refuse("deletes an impossible range")
            if clock <= end:
                in_order = False
            end = clock + length
            deletes.append(_new_range(DeletedRange, (client, clock, length)))
        if not in_order:
            tidy = False
            deletes[first:] = yield from _merged(deletes[first:])
    if at != size:
        refuse("has extra bytes at its end")
    return tuple(deletes), tidy


def merge_ranges(ranges: list[DeletedRange]) -> list[DeletedRange]:
    """Return one client's ranges sorted and merged, as Yjs writes them.

    For each range that is out of order, the engine would read a text again from its beginning.
    """
    return finish(_merged(ranges))


def _merged(ranges: list[DeletedRange]) -> Steps[list[DeletedRange]]:
    runs = []
    for at in range(0, len(ranges), SORTED_PER_STEP):
        runs.append(sorted(ranges[at : at + SORTED_PER_STEP]))
        if at:
            yield
    merged: list[DeletedRange] = []
    for index, deleted in enumerate(heapq.merge(*runs)):
        if index % ITEMS_PER_STEP == ITEMS_PER_STEP - 1:
            yield
        end = merged[-1].clock + merged[-1].length if merged else -1
        if deleted.clock > end:
            merged.append(deleted)
        elif deleted.clock + deleted.length > end:
            merged[-1] = merged[-1]._replace(length=deleted.clock + deleted.length - merged[-1].clock)
    return merged


SORTED_PER_STEP = 4096


def _depth(parents: dict[Id, Id | None]) -> Steps[int]:
    """Return the length of the longest chain of parents, which may come in any order."""
    depths: dict[Id, int] = {}
    deepest = 0
    for index, type_ in enumerate(parents, 1):
        if index % ITEMS_PER_STEP == 0:
            yield
        chain: list[Id] = []
        above: Id | None = type_
        while above is not None and above in parents and above not in depths:
            depths[above] = 0
            chain.append(above)
            above = parents[above]
            if len(chain) % ITEMS_PER_STEP == 0:
                yield
        depth = depths.get(above, 0) if above is not None else 0
        if depth == 0 and above in depths:
            refuse("contains a type inside itself")
        for link in reversed(chain):
            depth += 1
            depths[link] = depth
        deepest = max(deepest, depth)
    return deepest
