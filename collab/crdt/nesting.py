"""The nesting level of every element of a document, and which elements may have children.

The guard sees one update at a time, and two kinds of harm need more than that. A chain of shared types inside each
other, one level with each update, ends in a recursion too deep for the engine and for every client. And a child of an
element that is no shared type makes the engine fail after it has applied half of an update. The engine tells neither
in advance, so this is kept beside the document.
"""

from bisect import bisect_right

from collab.crdt.ranges import IdRanges
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import DELETED, GC, STRING, TYPE, Id, InspectedUpdate
from collab.errors import UpdateRefused
from collab.protocol.limits import NESTING_MAX

_CONTAINERS = (TYPE, DELETED, GC)
"""A deleted element may have been a type, and a client that does not know of the deletion may write into it. That text
is never shown."""


class Nesting:
    """The levels of a document's elements: 0 in a root, and one more inside each type."""

    __slots__ = ("_containers", "_deepest", "_levels")

    def __init__(self, deepest: int = NESTING_MAX) -> None:
        self._deepest = deepest
        self._levels: dict[int, _Levels] = {}
        self._containers = IdRanges()

    def check(self, update: InspectedUpdate) -> list[int]:
        """Return the level that each struct would have. Changes nothing.

        The predecessors of all structs must be here or in the update, and none of the structs may be here. Raises
        UpdateRefused if the update adds a child to something that is not a shared type, or nests deeper than allowed.
        """
        if len(update.structs) == 1 and (level := self._continued_level(update)) is not None:
            return [level]
        return finish(self._check(update))

    def check_and_add(self, update: InspectedUpdate) -> Steps[None]:
        """Check an update and take it in, in steps."""
        levels = yield from self._check(update)
        yield from self._add(update, levels)

    def _check(self, update: InspectedUpdate) -> Steps[list[int]]:
        levels = yield from _LevelSearch(self, update).levels()
        if max(levels, default=0) > self._deepest:
            raise UpdateRefused(f"The update nests shared types more than {self._deepest} deep.")
        return levels

    def add(self, update: InspectedUpdate, levels: list[int]) -> None:
        """Take in an update whose structs have these ``levels``, as ``check`` returned them."""
        finish(self._add(update, levels))

    def _add(self, update: InspectedUpdate, levels: list[int]) -> Steps[None]:
        for index, (struct, level) in enumerate(zip(update.structs, levels, strict=True), 1):
            if index % ITEMS_PER_STEP == 0:
                yield
            end = struct.clock + struct.length
            self._levels.setdefault(struct.client, _Levels()).extend(struct.clock, end, level)
            if struct.kind in _CONTAINERS:
                self._containers.add(struct.client, struct.clock, end)

    def _continued_level(self, update: InspectedUpdate) -> int | None:
        """Return the level of a keystroke, if its neighbours are at the level of its client's last element."""
        struct = update.structs[0]
        levels = self._levels.get(struct.client)
        if struct.kind != STRING or levels is None or not struct.needs or update.parent_of(struct):
            return None
        level = levels.last
        return level if all(self.level(id_) == level for id_ in struct.needs) else None

    def level(self, id_: Id) -> int | None:
        """Return the level of an element, or None if it is not here."""
        levels = self._levels.get(id_[0])
        return levels.at(id_[1]) if levels else None

    def may_have_children(self, id_: Id) -> bool:
        """True if an element is, or may have been, a shared type."""
        return self._containers.covers(id_[0], id_[1], id_[1] + 1)


class _Levels:
    """One client's levels, kept as runs, because most elements are at the level of the one before."""

    __slots__ = ("_end", "_levels", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._levels: list[int] = []
        self._end = 0

    def at(self, clock: int) -> int | None:
        """Return the level of one element, or None if it is not here."""
        return self._levels[bisect_right(self._starts, clock) - 1] if clock < self._end else None

    @property
    def last(self) -> int:
        """The level of the client's last element."""
        return self._levels[-1]

    def extend(self, clock: int, end: int, level: int) -> None:
        """Add the elements ``clock`` to ``end - 1``, which follow the client's last one."""
        assert clock == self._end
        if not self._levels or self._levels[-1] != level:
            self._starts.append(clock)
            self._levels.append(level)
        self._end = end


class _LevelSearch:
    """Finds the levels of one update's structs, which may refer to each other in any order."""

    def __init__(self, nesting: Nesting, update: InspectedUpdate) -> None:
        self._nesting = nesting
        self._update = update
        self._found = [-1] * len(update.structs)
        self._clients: dict[int, tuple[list[int], int]] = {}
        """Each client's first clocks, and the index of its first struct."""
        for index, struct in enumerate(update.structs):
            self._clients.setdefault(struct.client, ([], index))[0].append(struct.clock)

    def levels(self) -> Steps[list[int]]:
        """Return the level of each struct. It does not recurse, because a chain may be as long as the update."""
        steps = 0
        for index in range(len(self._found)):
            stack = [index]
            while stack:
                steps += 1
                if steps % ITEMS_PER_STEP == 0:
                    yield
                assert len(stack) <= 3 * len(self._found), "the references of the update are cyclic"
                missing = self._find(stack[-1])
                if missing:
                    stack += missing
                else:
                    stack.pop()
        return self._found

    def _find(self, index: int) -> list[int]:
        """Find the level of one struct, or return the structs that need to be found first."""
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
            if parent is not None and not self._may_have_children(parent):
                raise UpdateRefused("The update adds a child to something that is not a shared type.")
            self._found[index] = max(needed, default=0) + (parent is not None)
        return missing

    def _may_have_children(self, id_: Id) -> bool:
        if self._nesting.level(id_) is not None:
            return self._nesting.may_have_children(id_)
        return self._update.structs[self._index(id_)].kind in _CONTAINERS

    def _index(self, id_: Id) -> int:
        """Return the index of the struct of this update that contains an element."""
        clocks, first = self._clients[id_[0]]
        return first + bisect_right(clocks, id_[1]) - 1
