"""Recognise an update in Yjs' second encoding (v2), which this server does not speak.

Both encodings are bare bytes without a mark of their own, and Yjs exports them side by side (``encodeStateAsUpdate``
and ``encodeStateAsUpdateV2``), so a client may send the wrong one. Its author should be told that, and not that the
update is cut short.

Layout::

    update v2 = 0 • nine columns, each behind its length as a varUint • the rest: counts, clocks and deletions

Source: yjs 13 ``UpdateEncoderV2.toUint8Array``.
"""

from collab.crdt.scan import read_span
from collab.errors import ProtocolError

_COLUMNS = 9
"""Key clocks, clients, left clocks, right clocks, infos, strings, parent infos, type references, lengths."""
_REST_BYTES_MIN = 2
"""The number of clients with structs, and the number of clients with deletions."""

REFUSAL = "The update is encoded as v2, and this server speaks v1: use encodeStateAsUpdate or the 'update' event."


def looks_like_v2(payload: bytes) -> bool:
    """True if bytes that are no update v1 have the layout of an update v2.

    A valid update v1 may have that layout by chance, so try to read it as one first.
    """
    if payload[:1] != b"\0":
        return False
    at = 1
    try:
        for _ in range(_COLUMNS):
            at = read_span(payload, at)[1]
    except (IndexError, ProtocolError):
        return False
    return len(payload) - at >= _REST_BYTES_MIN
