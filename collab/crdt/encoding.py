"""Write updates from the structs of inspected ones.

Structs are copied byte for byte from the payload in which the guard found them.
"""

from bisect import bisect_left
from collections.abc import Iterable

from collab.crdt.scan import read_text
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import SKIP, DeletedRange, Id, InspectedUpdate, Struct, content_start
from collab.protocol.varint import Writer


def encode_update(structs: Iterable[Struct], deletes: Iterable[DeletedRange], payload: bytes) -> bytes:
    """Return an update of some structs of an inspected update, whose bytes are ``payload``, and some deletions.

    The structs of one client must be in the order of their clocks and without a gap, hence without a Skip. As in Yjs,
    higher client ids come first.
    """
    structs = tuple(structs)
    ends: dict[int, int] = {}
    for struct in structs:
        assert struct.kind != SKIP
        assert ends.get(struct.client, struct.clock) == struct.clock
        ends[struct.client] = struct.clock + struct.length
    return encode_structs(structs, deletes, payload)


def encode_structs(structs: Iterable[Struct], deletes: Iterable[DeletedRange], payload: bytes) -> bytes:
    """Return the same as ``encode_update``, of structs in which a Skip may stand for a gap."""
    return finish(encode_in_steps(structs, deletes, payload))


def encode_in_steps(structs: Iterable[Struct], deletes: Iterable[DeletedRange], payload: bytes) -> Steps[bytes]:
    """Do the same as ``encode_structs`` in steps."""
    by_client: dict[int, list[Struct]] = {}
    for index, struct in enumerate(structs, 1):
        by_client.setdefault(struct.client, []).append(struct)
        if index % ITEMS_PER_STEP == 0:
            yield
    writer = Writer()
    writer.var_uint(len(by_client))
    written = 0
    for client in sorted(by_client, reverse=True):
        run = by_client[client]
        writer.var_uint(len(run))
        writer.var_uint(client)
        writer.var_uint(run[0].clock)
        for struct in run:
            writer.raw(payload[struct.begin : struct.end])
            written += 1
            if written % ITEMS_PER_STEP == 0:
                yield
    yield from _write_deletes(writer, deletes)
    return writer.to_bytes()


def _write_deletes(writer: Writer, deletes: Iterable[DeletedRange]) -> Steps[None]:
    ranges: dict[int, list[DeletedRange]] = {}
    for index, deleted in enumerate(deletes, 1):
        ranges.setdefault(deleted.client, []).append(deleted)
        if index % ITEMS_PER_STEP == 0:
            yield
    writer.var_uint(len(ranges))
    for client in sorted(ranges, reverse=True):
        writer.var_uint(client)
        writer.var_uint(len(ranges[client]))
        for index, deleted in enumerate(ranges[client], 1):
            writer.var_uint(deleted.clock)
            writer.var_uint(deleted.length)
            if index % ITEMS_PER_STEP == 0:
                yield


def encode_numbers(*numbers: int) -> bytes:
    """Return varUints one after the other."""
    writer = Writer()
    for number in numbers:
        writer.var_uint(number)
    return writer.to_bytes()


def replace_pairs(update: InspectedUpdate, lows: Iterable[Id]) -> bytes:
    """Return an update with U+FFFD in place of each surrogate of some pairs, given by the ids of their ``lows``."""
    clocks: dict[int, list[int]] = {}
    for client, clock in sorted(lows):
        clocks.setdefault(client, []).append(clock)
    payload = bytearray()
    structs = []
    for struct in update.structs:
        own = clocks.get(struct.client, [])
        own = own[bisect_left(own, struct.clock) : bisect_left(own, struct.clock + struct.length)]
        item = update.payload[struct.begin : struct.end]
        begin = len(payload)
        payload += _with_replacements(item, [clock - struct.clock for clock in own]) if own else item
        structs.append(struct._replace(begin=begin, end=len(payload)))
    return encode_structs(structs, update.deletes, bytes(payload))


def _with_replacements(item: bytes, offsets: Iterable[int]) -> bytes:
    """Return a string item without the pairs whose low surrogates are at ``offsets`` of its text, in UTF-16 units."""
    content = content_start(item)
    units = bytearray(read_text(item, content)[0].encode("utf-16-le"))
    for offset in offsets:
        units[offset * 2 - 2 : offset * 2 + 2] = _REPLACEMENTS
    writer = Writer()
    writer.raw(item[:content])
    writer.var_bytes(units.decode("utf-16-le").encode())
    return writer.to_bytes()


_REPLACEMENTS = "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}".encode("utf-16-le")
