"""State vectors: how many clocks of each client a peer has.

They are checked before the engine sees them, because it trusts the count of entries and allocates the memory for them
at once: a gigabyte for five bytes.

Layout (integers are varUints): ``count {client clock}*``. A clock is the number of clocks that the peer has.
Source: yjs 13 ``readStateVector``.
"""

from collections.abc import Mapping

from collab.errors import ProtocolError
from collab.protocol.limits import CLOCK_END, STATE_VECTOR_ENTRIES_MAX
from collab.protocol.varint import Reader, Writer


def decode_state_vector(payload: bytes, *, entries_max: int = STATE_VECTOR_ENTRIES_MAX) -> dict[int, int]:
    """Return client id → clock. Raises ProtocolError if the bytes are no state vector, or one that is too long."""
    reader = Reader(payload)
    count = reader.count()
    if count > entries_max:
        raise ProtocolError(f"A state vector may have at most {entries_max} clients.")
    clocks: dict[int, int] = {}
    for _ in range(count):
        client = reader.var_uint()
        if client in clocks:
            raise ProtocolError("The state vector lists a client twice.")
        clocks[client] = clock = reader.var_uint()
        if clock >= CLOCK_END:
            raise ProtocolError("The state vector contains a clock that is too large.")
    reader.end()
    return clocks


def encode_state_vector(clocks: Mapping[int, int]) -> bytes:
    """Return the bytes of a state vector, with higher client ids first, as Yjs writes them."""
    writer = Writer()
    writer.var_uint(len(clocks))
    for client in sorted(clocks, reverse=True):
        writer.var_uint(client)
        writer.var_uint(clocks[client])
    return writer.to_bytes()
