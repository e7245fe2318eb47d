r"""Awareness updates: who is here, and what each client says of itself.

A state is JSON of the application's; we keep its bytes as they came, since another JSON writer would change
numbers and escapes. Only one that means the same to every reader is passed on: an object without repeated
keys, or ``null``. Any other is left out, and the message counts: a bad cursor must not cost anybody the connection
that saves their edits. Half a character (``"\ud83d"``, which browsers write for a name cut through an emoji) is
passed on, being plain ASCII in the bytes; whoever puts a decoded state into UTF-8 must escape or replace it.

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
    """The entries of one awareness update that may be passed on, in wire order. Gone is exactly ``null``.

    Raises ProtocolError when the bytes are no awareness update, or one beyond the bounds of ``limits``.
    """
    if len(payload) > AWARENESS_BYTES_MAX:
        raise ProtocolError(f"An awareness message has at most {AWARENESS_BYTES_MAX} bytes.")
    reader = Reader(payload)
    count = reader.count()
    if count > AWARENESS_ENTRIES_MAX:
        raise ProtocolError(f"An awareness message has at most {AWARENESS_ENTRIES_MAX} entries.")
    entries = [_entry(reader) for _ in range(count)]
    reader.end()
    return tuple(entry for entry in entries if entry.clock < CLOCK_END and _means_one_thing(entry.state))


def encode_awareness(entries: Iterable[AwarenessEntry]) -> bytes:
    """The awareness update that says ``entries``."""
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


def _means_one_thing(state: bytes) -> bool:
    if state == GONE:
        return True
    if len(state) > AWARENESS_STATE_BYTES_MAX:
        return False
    try:
        value = check_json(state, repeated_keys=False)
    except ValueError:
        return False
    return isinstance(value, dict)
