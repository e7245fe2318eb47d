"""How large and how deep what a client sends may be, and why each number is what it is.

Bytes and depth are bounded; counts only where one byte of input would otherwise become many bytes of memory.
An honest client cannot split its SyncStep2: that may be as large as a document, hold any number of clients,
and bring back a whole day of offline work.
"""

import sys
from dataclasses import dataclass

MIB = 1024 * 1024

CLOCK_END = 2**31
"""Clocks, and clock plus length, stay below this: the engine keeps clocks in 32 bits, cuts off what is above,
and subtracts them signed."""

ADDRESS_CHARACTERS_MAX = 512
"""A document name of 255 characters and a session id of the client's; every answer repeats it."""

NESTING_MAX = 200
"""Shared types inside each other. Deleting or reading a nested type recurses, here and in every client: about
2,500 levels overflow a stack of 1 MiB. The deepest honest lists take some 40."""

DOCUMENT_CLIENTS_MAX = 2**17
"""Clients that wrote in one document. It gains one with every page load that brings an edit, so this is years of
honest use; at 100,000 each keystroke already costs the engine 4 ms."""

SPLITS_MAX = 2**16
"""Places at which one update cuts what is in one piece. A day without a connection takes some thousands, a word that is
replaced at thirty thousand places at once twice as many. Each costs the engine 2 µs in a small document, and 150 µs in
one of half a million pieces."""

STATE_VECTOR_ENTRIES_MAX = 2 * DOCUMENT_CLIENTS_MAX
"""Clients in a peer's state vector. More than in a document, to which several replicas let in clients at once:
whoever has all of it must be able to say so."""

AWARENESS_BYTES_MAX = MIB
"""One awareness message. A client that is asked tells every state it knows: about a thousand people."""

AWARENESS_ENTRIES_MAX = 10_000
"""Entries of one awareness message: the smallest takes 5 bytes, and becomes 200 in memory."""

AWARENESS_STATE_BYTES_MAX = 64 * 1024
"""One client's awareness state: a cursor and a name are 200 bytes, a portrait inlined by the app some 20 KiB.
It is sent to everybody, again and again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one update may hold."""

    bytes_max: int = 32 * MIB
    """The default size limit of a document: a client that was offline sends all it has as one update."""

    any_depth_max: int = 64
    """Nesting of lib0 values, which the engine and every client read recursively."""

    structs_max: int = 2**21
    """What 32 MiB of honest text hold at most (about 13 bytes a struct). A hostile struct is 4 bytes, and
    becomes some 250 bytes of memory here and as many in the engine."""

    surrogates_max: int = 2**20
    """Characters outside the basic plane. Each is 4 bytes sent, and about 150 bytes kept."""

    is_stored: bool = False
    """True for updates of our own log and engine, which may hold two kinds of values that are refused in new ones:
    padded integers, and the bigint 2^63-1."""


DEFAULT = Limits()
STORED = Limits(bytes_max=sys.maxsize, structs_max=sys.maxsize, surrogates_max=sys.maxsize, is_stored=True)
"""For updates that were checked when they came in."""
