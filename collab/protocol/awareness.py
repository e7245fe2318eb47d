r"""Awareness updates: who is here, and what each client says of itself.

A state is JSON of the application's; we keep its bytes as they came, since another JSON writer would change
numbers and escapes. It is checked to be JSON that means one thing to every reader: an object without
repeated keys, or ``null``. Half a character (``"\ud83d"``, which browsers write for a name cut through an
emoji) is allowed here, being plain ASCII in the bytes; whoever puts a decoded state into UTF-8 must escape or
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
    """The entries of one awareness update, in wire order.

    Raises ProtocolError when the bytes are none, or beyond the bounds of ``limits``. Gone is exactly
    ``null``.
    """
    if len(payload) > AWARENESS_BYTES_MAX:
        raise ProtocolError(f"An awareness message has at most {AWARENESS_BYTES_MAX} bytes.")
    reader = Reader(payload)
    count = reader.count()
    if count > AWARENESS_ENTRIES_MAX:
        raise ProtocolError(f"An awareness message has at most {AWARENESS_ENTRIES_MAX} entries.")
    entries = tuple(_entry(reader) for _ in range(count))
    reader.end()
    return entries


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
    client, clock, state = reader.var_uint(), reader.var_uint(), reader.var_bytes()
    if clock >= CLOCK_END:
        raise ProtocolError("An awareness clock is too large.")
    if state != GONE:
        _check_state(state)
    return AwarenessEntry(ClientId(client), clock, state)


def _check_state(state: bytes) -> None:
    if len(state) > AWARENESS_STATE_BYTES_MAX:
        raise ProtocolError(f"An awareness state has at most {AWARENESS_STATE_BYTES_MAX} bytes.")
    try:
        value = check_json(state, repeated_keys=False)
    except ValueError:
        raise ProtocolError("An awareness state is not JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolError("An awareness state is neither an object nor null.")
