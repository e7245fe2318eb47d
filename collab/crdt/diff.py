"""What of an update is new: that alone is applied, logged and sent when the rest is here already.

It stands between the guard, which judges bytes whatever the document holds, and the engine. A client that is asked
what it has answers with its structs whole, and of some the front has come meanwhile. Engine and clients then take the
rest, but believe what the struct says of its front: what it lies beside, and in what. An honest client says what it
said before; where another says what the document denies, Yjs throws, and the engine shows what no client does. So the
front is left out, and the rest says only that it goes on behind it. What is repeated is not logged and sent again
either.

Yjs calls this ``diffUpdate``.
"""

from collections.abc import Mapping

from collab.crdt.encoding import encode_update
from collab.crdt.guard import inspect_stored_update
from collab.crdt.ranges import IdRanges
from collab.crdt.scan import read_text, skip_values
from collab.crdt.update import (
    ANY,
    GC,
    LEFT_ORIGIN,
    RIGHT_ORIGIN,
    SKIP,
    STRING,
    DeletedRange,
    InspectedUpdate,
    Struct,
    content_start,
)
from collab.protocol.limits import STORED
from collab.protocol.varint import Writer, read_var_uint


def diff_update(update: InspectedUpdate, state: Mapping[int, int], deleted: IdRanges) -> InspectedUpdate:
    """What ``update`` brings to a document that has ``state`` and in which ``deleted`` is deleted.

    The update itself, untouched, when every struct in it is new. It must be ready for ``state``: what a Skip in it
    skips is there, and the Skip is left out.
    """
    if all(struct.clock >= state.get(struct.client, 0) and struct.kind != SKIP for struct in update.structs):
        return update
    structs = []
    rests = bytearray()
    for struct in update.structs:
        if struct.kind == SKIP:
            continue
        known = state.get(struct.client, 0) - struct.clock
        if known <= 0:
            structs.append(struct)
        elif known < struct.length:
            begin = len(update.payload) + len(rests)
            rests += _rest(struct, known, update.payload)
            end = len(update.payload) + len(rests)
            structs.append(
                Struct(struct.client, struct.clock + known, struct.length - known, struct.kind, (), begin, end)
            )
    return inspect_stored_update(encode_update(structs, new_deletions(update, deleted), update.payload + rests))


def new_deletions(update: InspectedUpdate, deleted: IdRanges) -> tuple[DeletedRange, ...]:
    """The ranges of ``update`` of which something is not in ``deleted``."""
    return tuple(d for d in update.deletes if not deleted.covers(d.client, d.clock, d.clock + d.length))


def _rest(struct: Struct, known: int, payload: bytes) -> bytes:
    """The bytes of a struct without its first ``known`` elements."""
    writer = Writer()
    if struct.kind == GC:
        writer.byte(GC)
        writer.var_uint(struct.length - known)
        return writer.to_bytes()
    item = payload[struct.begin : struct.end]
    writer.byte(item[0] | LEFT_ORIGIN)
    origins = [(struct.client, struct.clock + known - 1)]
    if item[0] & RIGHT_ORIGIN:
        origins.append(struct.needs[-1])
    for client, clock in origins:
        writer.var_uint(client)
        writer.var_uint(clock)
    _write_content(writer, struct, known, item)
    return writer.to_bytes()


def _write_content(writer: Writer, struct: Struct, known: int, item: bytes) -> None:
    """What is left of content that can be cut; no other is longer than one element."""
    at = content_start(item)
    if struct.kind == STRING:
        # Of a character whose first half is here, the rest is what Yjs makes of half a character: U+FFFD.
        units = read_text(item, at)[0].encode("utf-16-le")
        writer.var_string(units[2 * known :].decode("utf-16-le", "replace"))
        return
    writer.var_uint(struct.length - known)
    if struct.kind == ANY:
        _, at = read_var_uint(item, at)
        writer.raw(item[skip_values(item, at, known, STORED) :])
