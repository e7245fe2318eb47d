"""The new part of an update, which alone is applied, logged and sent. Yjs calls this ``diffUpdate``.

A client answers a SyncStep1 with whole structs, and the document may already have the front of some. The engine and
the clients then take the rest of such a struct, but also believe what the struct says about its front: its origins and
its parent. If that contradicts the document, Yjs throws, and the engine shows text that no client shows. So the front
is left out, and the rest only says that it follows the front. Repeated content is not logged and sent again either.
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
    """Return the part of ``update`` that is new to a document with ``state``, in which ``deleted`` is deleted.

    It is the very same object if every struct is new. The update must be ready for ``state``: the gap of every Skip has
    been filled, and the Skip is left out.
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
    """Return the deleted ranges of ``update`` that are not wholly in ``deleted``."""
    return tuple(d for d in update.deletes if not deleted.covers(d.client, d.clock, d.clock + d.length))


def _rest(struct: Struct, known: int, payload: bytes) -> bytes:
    """Return the bytes of a struct without its first ``known`` elements."""
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
    """Write the content without its first ``known`` elements. Content of other kinds has only one element."""
    at = content_start(item)
    if struct.kind == STRING:
        # If the high surrogate of a pair is known, the low one becomes U+FFFD, as in Yjs.
        units = read_text(item, at)[0].encode("utf-16-le")
        writer.var_string(units[2 * known :].decode("utf-16-le", "replace"))
        return
    writer.var_uint(struct.length - known)
    if struct.kind == ANY:
        _, at = read_var_uint(item, at)
        writer.raw(item[skip_values(item, at, known, STORED) :])
