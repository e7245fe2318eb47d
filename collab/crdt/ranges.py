"""Sets of ids, kept as ranges of clocks for each client.

The deletions of a document are such a set. The engine does not expose its own, so the document keeps one, to tell
whether an update deletes anything new.
"""

from bisect import bisect_left, bisect_right


class IdRanges:
    """For each client, sorted half-open ranges that neither overlap nor touch.

    Adding behind or next to the last range, as typing does, costs a binary search.
    """

    __slots__ = ("_clients",)

    def __init__(self) -> None:
        self._clients: dict[int, tuple[list[int], list[int]]] = {}
        """Client id → starts and ends. Both ascend, and every end is below the next start."""

    def add(self, client: int, start: int, end: int) -> None:
        """Add the ids ``start`` to ``end - 1``."""
        assert start < end
        starts, ends = self._clients.setdefault(client, ([], []))
        first = bisect_left(ends, start)
        last = bisect_right(starts, end)
        if first < last:  # the ranges first..last-1 touch the new one and become one with it
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]

    def covers(self, client: int, start: int, end: int) -> bool:
        """True if every id from ``start`` to ``end - 1`` is in the set."""
        assert start < end
        if client not in self._clients:
            return False
        starts, ends = self._clients[client]
        index = bisect_right(starts, start) - 1
        return index >= 0 and ends[index] >= end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdRanges) and self._clients == other._clients

    __hash__ = None  # type: ignore[assignment]
