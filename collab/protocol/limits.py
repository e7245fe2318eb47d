"""Bounds on what a client sends, with the reason for each number.

Bytes and depth are bounded. Counts are bounded only where one byte of input would become many bytes of memory: an
honest client cannot split its SyncStep2, which may be as large as a document, hold structs of any number of clients
and bring back a whole day of offline work.
"""

import sys
from dataclasses import dataclass

MIB = 1024 * 1024

CLOCK_END = 2**31
"""Clocks, and clock plus length, stay below this: the engine truncates clocks to 32 bits, and subtracts them signed."""

ADDRESS_CHARACTERS_MAX = 512
"""A document name of up to 255 characters and the client's session id. Every answer repeats the address."""

NESTING_MAX = 200
"""Shared types inside each other. Deleting or reading a nested type recurses, here and in every client: about 2,500
levels overflow a stack of 1 MiB. The deepest lists of honest documents take some 40."""

DOCUMENT_CLIENTS_MAX = 2**17
"""Clients that have written in one document. It gains one with every page load that brings an edit, so this is years
of honest use; with 100,000 clients each keystroke already costs the engine 4 ms."""

SPLITS_MAX = 2**16
"""Places at which one update splits structs. A day of offline work takes some thousands; replacing a word at thirty
thousand places at once takes twice that many. Each split costs the engine 2 µs in a small document, and 150 µs
in one of half a million structs."""

STATE_VECTOR_ENTRIES_MAX = 2 * DOCUMENT_CLIENTS_MAX
"""Clients in a peer's state vector. It is larger than DOCUMENT_CLIENTS_MAX, because several replicas may accept new
clients at the same time, and a peer that has all of them must be able to say so."""

AWARENESS_BYTES_MAX = MIB
"""One awareness message. A client answers a query with every state it knows: about a thousand people."""

AWARENESS_ENTRIES_MAX = 10_000
"""Entries of one awareness message. The smallest takes 5 bytes on the wire and 200 in memory."""

AWARENESS_STATE_BYTES_MAX = 64 * 1024
"""One client's awareness state. A cursor and a name are 200 bytes, a portrait inlined by the application some 20 KiB.
Every change of it is sent to everybody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one update."""

    bytes_max: int = 32 * MIB
    """The default size limit of a document, because a client that was offline sends all it has as one update."""

    any_depth_max: int = 64
    """Nesting of lib0 values. The engine and every client read them recursively."""

    structs_max: int = 2**21
    """The most that 32 MiB of honest text hold, at about 13 bytes a struct. A hostile struct takes 4 bytes on the wire,
    some 250 bytes of memory here and as many in the engine."""

    surrogates_max: int = 2**20
    """Characters outside the basic plane (surrogate pairs). Each takes 4 bytes on the wire and about 150 in memory."""

    is_stored: bool = False
    """True for updates of our own log and engine, which may hold two kinds of values that are refused in new ones:
    padded integers, and the bigint 2^63-1."""


DEFAULT = Limits()
STORED = Limits(bytes_max=sys.maxsize, structs_max=sys.maxsize, surrogates_max=sys.maxsize, is_stored=True)
"""For updates of our own log and engine, which were checked when they came in."""
