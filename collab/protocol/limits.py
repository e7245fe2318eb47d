"""How large and how deep what a client sends may be, and why each number is what it is.

Bytes and depth are bounded, and counts only where one byte of input would otherwise become many bytes of
memory: an honest client cannot split its SyncStep2, so that may be as large as a document, hold any number
of clients and bring back a whole day of offline work.
"""

from dataclasses import dataclass

MIB = 1024 * 1024

CLOCK_END = 2**31
"""Clock plus length stays below this: the CRDT engine keeps clocks in 32 bits and subtracts them signed."""

CLIENT_MAX = 2**53 - 1
"""Yjs draws client ids of 32 bits, pycrdt of 53; JavaScript cannot hold more."""

DEPTH_MAX = 64
"""Nesting of JSON and of lib0 values. The engine and every client read them recursively."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one update may hold."""

    bytes_max: int = 32 * MIB
    """The default size limit of a document: a client that was offline sends all it has as one update."""

    any_depth_max: int = DEPTH_MAX

    structs_max: int = 2**21
    """What 32 MiB of honest text hold at most (about 13 bytes a struct). A hostile struct is 4 bytes, and
    becomes some 250 bytes of memory here and as many in the engine."""

    surrogates_max: int = 2**20
    """Characters outside the basic plane. Each is 4 bytes sent and about 150 bytes kept."""


DEFAULT = Limits()
