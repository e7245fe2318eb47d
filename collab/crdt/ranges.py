"""Sets of ids, kept as ranges of clocks for each client.

A document's deletions are such a set, and the engine does not show its own: the room keeps one to tell
whether an update deletes anything new.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class IdRanges:
    """For each client sorted, disjoint, half-open ranges; ranges that touch are one.

    Adding at the end or to the last range, which is what typing does, costs a binary search.
    """

    __slots__ = ("_clients",)

    def __init__(self) -> None:
        self._clients: dict[int, tuple[list[int], list[int]]] = {}
        """Starts and ends; both ascend, and every end is below the next start."""

    def add(self, client: int, start: int, end: int) -> None:
        """Add the ids ``start`` to ``end - 1``."""
        assert start < end
        starts, ends = self._clients.setdefault(client, ([], []))
        first = bisect_left(ends, start)
        last = bisect_right(starts, end)
        if first < last:  # ranges first..last-1 touch the new one: all become one
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]

    def covers(self, client: int, start: int, end: int) -> bool:
        """Whether every id ``start`` to ``end - 1`` is in."""
        assert start < end
        if client not in self._clients:
            return False
        starts, ends = self._clients[client]
        index = bisect_right(starts, start) - 1
        return index >= 0 and ends[index] >= end

    def copy(self) -> "IdRanges":
        """An independent copy."""
        copy = IdRanges()
        copy._clients = {client: (starts[:], ends[:]) for client, (starts, ends) in self._clients.items()}
        return copy

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Every range as client, start, end; ascending within a client."""
        for client, (starts, ends) in self._clients.items():
            for start, end in zip(starts, ends, strict=True):
                yield client, start, end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdRanges) and self._clients == other._clients

    __hash__ = None  # type: ignore[assignment]
