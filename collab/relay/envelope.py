"""A relay frame ↔ its bytes, sealed so that only a replica of this deployment can have made them.

Without the seal, any program that can write to Redis could write into documents. The seal does not prevent replays of
earlier frames; they are harmless, because rows are ordered by ``seq`` and presence by its clocks.

Layout (integers are varUints, ``u64`` is 8 bytes, most significant first)::

    envelope = version(=1)  kind  sender u64  origin u64  document varString  row | presence | sharing  seal(16 bytes)
    row      = epoch  seq  n  payload varBytes        kind 0
    presence = is_query(0|1)  payload varBytes          kind 1
    sharing  = nothing                                  kind 2

``sender`` is the replica, which recognises its own frames by it; ``origin`` is the writer of the row or presence. They
differ for rows, which one room's life writes. The seal is the HMAC-SHA-256 of all bytes before it, its first 16 bytes.
"""

import hmac
import struct
from typing import assert_never

from collab.errors import ProtocolError
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.protocol.varint import Reader, Writer
from collab.relay.base import PresenceFrame, RelayFrame, RowFrame, SharingFrame

VERSION = 1
SEAL_BYTES = 16
_ROW, _PRESENCE, _SHARING = range(3)
_HEAD = struct.Struct(">BBQQ")
_SENDER = struct.Struct(">2xQ")


def encode(frame: RelayFrame, *, sender: WriterId, key: bytes) -> bytes:
    """Return ``frame`` as bytes, sealed with ``key``, which only the replicas know."""
    out = Writer()
    match frame:
        case RowFrame(document, epoch, row):
            out.raw(_HEAD.pack(VERSION, _ROW, sender, row.writer))
            out.var_string(document)
            out.var_uint(epoch)
            out.var_uint(row.seq)
            out.var_uint(row.n)
            out.var_bytes(row.payload)
        case PresenceFrame(document, writer, payload, is_query):
            out.raw(_HEAD.pack(VERSION, _PRESENCE, sender, writer))
            out.var_string(document)
            out.byte(is_query)
            out.var_bytes(payload)
        case SharingFrame(document):
            out.raw(_HEAD.pack(VERSION, _SHARING, sender, sender))
            out.var_string(document)
        case _:
            assert_never(frame)
    body = out.to_bytes()
    return body + _seal(body, key)


def decode(envelope: bytes, *, key: bytes) -> tuple[WriterId, RelayFrame]:
    """Return the sender and the frame. Raises ProtocolError for a wrong seal, another version or malformed bytes."""
    body, seal = envelope[:-SEAL_BYTES], envelope[-SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(body, key)):
        raise ProtocolError("The seal of a relay frame does not match.")
    if len(body) < _HEAD.size or body[0] != VERSION:
        raise ProtocolError("The relay frame has a format this version does not know.")
    _, kind, sender, writer = _HEAD.unpack_from(body)
    reader = Reader(body)
    reader.position = _HEAD.size
    document = DocumentName(reader.var_string())
    frame: RelayFrame
    if kind == _ROW:
        epoch, seq, n = Epoch(reader.var_uint()), Sequence(reader.var_uint()), reader.var_uint()
        frame = RowFrame(document, epoch, CommittedRow(seq, WriterId(writer), n, reader.var_bytes()))
    elif kind == _PRESENCE:
        is_query = reader.byte() == 1
        frame = PresenceFrame(document, WriterId(writer), reader.var_bytes(), is_query)
    elif kind == _SHARING:
        frame = SharingFrame(document)
    else:
        raise ProtocolError("The relay frame is of a kind this version does not know.")
    reader.end()
    return WriterId(sender), frame


def is_from(envelope: bytes, sender: WriterId) -> bool:
    """Return True if the envelope names ``sender``. The seal is not checked: this only skips a replica's own frames."""
    return len(envelope) >= _HEAD.size and _SENDER.unpack_from(envelope) == (sender,)


def _seal(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:SEAL_BYTES]
