r"""Awareness updates: which clients are present, and the state that each one shares.

A state is JSON of the application. Its bytes are kept as they came, because another JSON writer would change numbers
and escapes. Only a state that every reader understands in the same way is passed on: an object without repeated keys,
or ``null``. Any other state is left out and the rest of the message counts, so that a bad cursor never costs a client
the connection that saves its edits. A lone surrogate (``"\ud83d"``, which browsers write for a name cut through an
emoji) is passed on because its bytes are plain ASCII; code that encodes a decoded state as UTF-8 must escape or
replace it.

Layout (integers are varUints): ``count {client clock json-text}*``. A higher clock replaces a lower one.
Source: y-protocols 1.0 ``awareness.js`` and ``PROTOCOL.md``.
"""

from collections.abc import Iterable

from collab.errors import ProtocolError
from collab.ids import ClientId
from collab.protocol.json_text import check_json
from collab.protocol.limits import (
    AWARENESS_BYTES_MAX,
    AWARENESS_ENTRIES_MAX,
    AWARENESS_STATE_BYTES_MAX,
    CLOCK_END,
)
from collab.protocol.messages import GONE, AwarenessEntry
from collab.protocol.varint import Reader, Writer


def decode_awareness(payload: bytes) -> tuple[AwarenessEntry, ...]:
    """Return the entries that may be passed on, in wire order. The state of a removed client is exactly ``null``.

    Raises ProtocolError for bytes that are no awareness update, or one beyond the bounds in ``limits``.
    """
    if len(payload) > AWARENESS_BYTES_MAX:
        raise ProtocolError(f"An awareness message may have at most {AWARENESS_BYTES_MAX} bytes.")
    reader = Reader(payload)
    count = reader.count()
    if count > AWARENESS_ENTRIES_MAX:
        raise ProtocolError(f"An awareness message may have at most {AWARENESS_ENTRIES_MAX} entries.")
    entries = [_entry(reader) for _ in range(count)]
    reader.end()
    return tuple(entry for entry in entries if entry.clock < CLOCK_END and _is_unambiguous(entry.state))


def encode_awareness(entries: Iterable[AwarenessEntry]) -> bytes:
    """Return the awareness update that holds ``entries``."""
    entries = tuple(entries)
    writer = Writer()
    writer.var_uint(len(entries))
    for entry in entries:
        writer.var_uint(entry.client)
        writer.var_uint(entry.clock)
        writer.var_bytes(entry.state)
    return writer.to_bytes()


def _entry(reader: Reader) -> AwarenessEntry:
    return AwarenessEntry(ClientId(reader.var_uint()), reader.var_uint(), reader.var_bytes())


def _is_unambiguous(state: bytes) -> bool:
    if state == GONE:
        return True
    if len(state) > AWARENESS_STATE_BYTES_MAX:
        return False
    try:
        value = check_json(state, repeated_keys=False)
    except ValueError:
        return False
    return isinstance(value, dict)
