"""Several updates as one message: what a room sends when more than one edit waits. Yjs calls this ``mergeUpdates``.

Structs are copied byte for byte, as when one update is sent alone. The engine merges as well, but it decodes every
value and writes it anew, which turns a bigint into a number.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from collab.crdt.guard import merge_ranges
from collab.crdt.update import DeletedRange, InspectedUpdate
from collab.protocol.varint import Writer

MERGED_BYTES_MAX = 64 * 1024
"""Bytes of one merged update. Above it a message more costs less than copying; a larger update goes alone."""

_Run: TypeAlias = tuple[int, int, int, int, bytes]
"""The structs that one update has of one client: client id, first clock, end, number of structs, and their bytes, which
stand side by side."""


def merge_updates(updates: Iterable[InspectedUpdate]) -> Iterator[bytes]:
    """Yield the content of ``updates`` in as few updates as possible, in the order in which a document took them.

    Each must be what was new to the document, so of each client one continues another. Where one is left out for a
    reader who wrote it, a new message begins: a Skip in its place would have Yjs wait for what the reader has.
    """
    merged = Merged()
    for update in updates:
        if not merged.add(update):
            yield merged.encode()
            merged = Merged()
            merged.add(update)
    if not merged.is_empty:
        yield merged.encode()


class Merged:
    """Updates that become one, step by step. Each must be what was new to a document that has those before it."""

    __slots__ = ("_count", "_deletes", "_first", "_runs", "_size")

    def __init__(self) -> None:
        self._first: InspectedUpdate | None = None
        self._count = 0
        self._runs: dict[int, list[_Run]] = {}
        self._deletes: list[DeletedRange] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """True if no update was added."""
        return not self._count

    def add(self, update: InspectedUpdate) -> bool:
        """Add the next update. Return False, and change nothing, if it must be told in an update of its own."""
        size = self._size + len(update.payload)
        new = _runs(update)
        if self._count and (size > MERGED_BYTES_MAX or _leaves_gap(self._runs, new)):
            return False
        self._first = self._first or update
        self._count += 1
        self._size = size
        self._deletes += update.deletes
        for run in new:
            if run[0] in self._runs:
                self._runs[run[0]].append(run)
            else:
                self._runs[run[0]] = [run]
        return True

    def encode(self) -> bytes:
        """Return the updates as one, with higher client ids first, as Yjs writes them."""
        if self._first is not None and self._count == 1:
            return self._first.payload
        writer = Writer()
        writer.var_uint(len(self._runs))
        for client in sorted(self._runs, reverse=True):
            own = self._runs[client]
            writer.var_uint(sum([run[3] for run in own]))
            writer.var_uint(client)
            writer.var_uint(own[0][1])
            writer.raw(b"".join([run[4] for run in own]))
        _write_deletes(writer, self._deletes)
        return writer.to_bytes()


def _runs(update: InspectedUpdate) -> list[_Run]:
    structs, payload = update.structs, update.payload
    runs: list[_Run] = []
    at, count = 0, len(structs)
    while at < count:
        client, clock, _, _, _, begin, _ = structs[at]
        after = count
        if structs[-1].client != client:
            after = next(n for n in range(at, count) if structs[n].client != client)
        _, last_clock, length, _, _, _, end = structs[after - 1]
        runs.append((client, clock, last_clock + length, after - at, payload[begin:end]))
        at = after
    return runs


def _leaves_gap(runs: dict[int, list[_Run]], new: list[_Run]) -> bool:
    return any(client in runs and runs[client][-1][2] != clock for client, clock, *_ in new)


def _write_deletes(writer: Writer, deletes: list[DeletedRange]) -> None:
    by_client: dict[int, list[DeletedRange]] = {}
    for deleted in deletes:
        by_client.setdefault(deleted.client, []).append(deleted)
    writer.var_uint(len(by_client))
    for client in sorted(by_client, reverse=True):
        ranges = merge_ranges(by_client[client])
        writer.var_uint(client)
        writer.var_uint(len(ranges))
        for deleted in ranges:
            writer.var_uint(deleted.clock)
            writer.var_uint(deleted.length)
