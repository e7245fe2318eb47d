"""Which elements of a document may hold others, and how deep each lies.

The guard sees one update at a time, and two harms need more than that. A chain of shared types inside each
other, one level an update, ends in a recursion too deep for the engine and for every client. And a child of
something that is no type makes the engine fail after it has applied half of an update. Neither can be asked
of the engine, so whoever applies updates keeps this beside the document.
"""

from bisect import bisect_right

from collab.crdt.ranges import IdRanges
from collab.crdt.update import DELETED, GC, STRING, TYPE, Id, InspectedUpdate
from collab.errors import UpdateRefused
from collab.protocol.limits import NESTING_MAX

_CONTAINERS = (TYPE, DELETED, GC)
"""What was deleted may have been a type, and somebody who did not know may write into it; nobody sees that."""


class Nesting:
    """The levels of a document's elements: 0 in a root, one more inside each type."""

    __slots__ = ("_containers", "_deepest", "_levels")

    def __init__(self, deepest: int = NESTING_MAX) -> None:
        self._deepest = deepest
        self._levels: dict[int, _Levels] = {}
        self._containers = IdRanges()

    def check(self, update: InspectedUpdate) -> list[int]:
        """Return the level that each struct would have. Changes nothing.

        The predecessors of all structs must be here or in the update, and none of the structs may be here. Raises
        UpdateRefused when the update puts something into what is no shared type, or nests deeper than allowed.
        """
        if len(update.structs) == 1 and (level := self._continued_level(update)) is not None:
            return [level]
        levels = _Reading(self, update).levels()
        if max(levels, default=0) > self._deepest:
            raise UpdateRefused(f"The update nests shared types more than {self._deepest} deep.")
        return levels

    def add(self, update: InspectedUpdate, levels: list[int]) -> None:
        """Take in an update whose structs have these ``levels``, as ``check`` returned them."""
        for struct, level in zip(update.structs, levels, strict=True):
            end = struct.clock + struct.length
            self._levels.setdefault(struct.client, _Levels()).extend(struct.clock, end, level)
            if struct.kind in _CONTAINERS:
                self._containers.add(struct.client, struct.clock, end)

    def _continued_level(self, update: InspectedUpdate) -> int | None:
        """Return the level of a keystroke: text beside what lies level with what its client wrote before."""
        struct = update.structs[0]
        levels = self._levels.get(struct.client)
        if struct.kind != STRING or levels is None or not struct.needs or update.parent_of(struct):
            return None
        level = levels.last
        return level if all(self.level(id_) == level for id_ in struct.needs) else None

    def level(self, id_: Id) -> int | None:
        """The level of an element, or None when it is not here."""
        levels = self._levels.get(id_[0])
        return levels.at(id_[1]) if levels else None

    def holds(self, id_: Id) -> bool:
        """Whether an element may hold others."""
        return self._containers.covers(id_[0], id_[1], id_[1] + 1)


class _Levels:
    """One client's levels, as runs: what somebody writes mostly lies level with what they wrote before."""

    __slots__ = ("_end", "_levels", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._levels: list[int] = []
        self._end = 0

    def at(self, clock: int) -> int | None:
        return self._levels[bisect_right(self._starts, clock) - 1] if clock < self._end else None

    @property
    def last(self) -> int:
        return self._levels[-1]

    def extend(self, clock: int, end: int, level: int) -> None:
        """Take in what comes next."""
        assert clock == self._end
        if not self._levels or self._levels[-1] != level:
            self._starts.append(clock)
            self._levels.append(level)
        self._end = end


class _Reading:
    """Finds the levels of one update's structs, which may refer to each other in any order."""

    def __init__(self, nesting: Nesting, update: InspectedUpdate) -> None:
        self._nesting = nesting
        self._update = update
        self._found = [-1] * len(update.structs)
        self._clients: dict[int, tuple[list[int], int]] = {}
        """Each client's first clocks, and the index of its first struct."""
        for index, struct in enumerate(update.structs):
            self._clients.setdefault(struct.client, ([], index))[0].append(struct.clock)

    def levels(self) -> list[int]:
        """The level of each struct. With a stack of its own, since a chain may be as long as the update."""
        for index in range(len(self._found)):
            stack = [index]
            while stack:
                assert len(stack) <= 3 * len(self._found), "the update refers to itself in a circle"
                missing = self._settle(stack[-1])
                if missing:
                    stack += missing
                else:
                    stack.pop()
        return self._found

    def _settle(self, index: int) -> list[int]:
        """Find one struct's level, or tell which structs' levels it takes."""
        if self._found[index] >= 0:
            return []
        struct = self._update.structs[index]
        needed = []
        missing = []
        for id_ in struct.needs:
            level = self._nesting.level(id_)
            if level is None:
                other = self._index(id_)
                level = self._found[other]
                if level < 0:
                    missing.append(other)
            needed.append(level)
        if not missing:
            parent = self._update.parent_of(struct)
            if parent is not None and not self._may_hold(parent):
                raise UpdateRefused("The update puts something into what is no shared type.")
            self._found[index] = max(needed, default=0) + (parent is not None)
        return missing

    def _may_hold(self, id_: Id) -> bool:
        if self._nesting.level(id_) is not None:
            return self._nesting.holds(id_)
        return self._update.structs[self._index(id_)].kind in _CONTAINERS

    def _index(self, id_: Id) -> int:
        """The struct of this update that holds an element."""
        clocks, first = self._clients[id_[0]]
        return first + bisect_right(clocks, id_[1]) - 1
