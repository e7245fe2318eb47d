"""A large update as a series of small ones, in the order in which the engine can take them.

One call into the engine cannot be interrupted, and a few kilobytes can keep it busy for seconds: for each insertion
between two elements it passes over everything that lies between them, and it splits a long text by copying it. So a
large update is cut into *slices*, each an update of its own. What a slice may cost is bounded by its *jumps*: structs
that do not continue the text before them, each of which has its place searched, and the ends of deleted ranges.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from collab.crdt.encoding import encode_numbers, encode_structs, encode_update
from collab.crdt.guard import inspect_stored_update
from collab.crdt.ranges import IdRanges
from collab.crdt.steps import ITEMS_PER_STEP, Steps
from collab.crdt.update import DELETED, GC, SKIP, STRING, DeletedRange, Id, InspectedUpdate, Struct

SLICE_STRUCTS_MAX = 500
"""Structs given to the engine at a time. At the end of each call it joins what belongs together, one by one: a day of
typing in one update, as many clients send it when they reconnect, would take it seconds."""


@dataclass(frozen=True, slots=True)
class SliceSize:
    """The most that one slice may hold."""

    structs: int = SLICE_STRUCTS_MAX
    jumps: int = SLICE_STRUCTS_MAX


def jumps(update: InspectedUpdate, enough: int) -> int:
    """Return how many places of a document ``update`` touches, or some number above ``enough``."""
    count = 2 * len(update.deletes)
    if len(update.structs) == 1:
        return count + 1
    before = None
    for struct in update.structs:
        count += not _continues(struct, before)
        if count > enough:
            break
        before = struct
    return count


def _continues(struct: Struct, before: Struct | None) -> bool:
    """True if the engine finds the place of ``struct`` behind the struct before it, without a search."""
    if struct.kind in (GC, SKIP):
        return True
    if before is None or before.client != struct.client or struct.kind != STRING:
        return False
    return bool(struct.needs) and struct.needs[0] == (struct.client, struct.clock - 1)


class CausalOrder:
    """The structs of an update in the order in which they can be integrated.

    Iterating yields structs whose predecessors are in the document or were yielded before; now and then it yields
    None, to end a step. Higher clients come first, but after what they refer to. That is the engine's own order, in
    which what is written at one place is inserted from the right; in another it would search for each place from the
    left. Afterwards ``rest`` holds what could not come, and ``waits_for`` what it waits for.
    """

    def __init__(
        self,
        update: InspectedUpdate,
        state: Mapping[int, int],
        is_withheld: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """``state``: the document's state vector, as it is at each step.

        ``is_withheld``: True for a client whose structs wait until all that the update has of it is here.
        """
        self._update = update
        self._state = state
        self._is_withheld = is_withheld
        self._withheld: dict[int, bool] = {}
        self._queues: dict[int, deque[Struct]] = defaultdict(deque)
        self._have: dict[int, int] = {}
        self._blocked: dict[int, Id] = {}
        """Client id → the id that the front of its queue waits for, and that this update cannot bring."""

    def __iter__(self) -> Iterator[Struct | None]:
        for index, struct in enumerate(self._update.structs, 1):
            if struct.clock + struct.length > self._state.get(struct.client, 0):
                self._queues[struct.client].append(struct)
            if index % ITEMS_PER_STEP == 0:
                yield None
        for client in sorted(self._queues, reverse=True):
            yield from self._drain(client)

    @property
    def rest(self) -> Iterator[Struct]:
        """The structs that could not come, in wire order within each client."""
        return (struct for queue in self._queues.values() for struct in queue)

    @property
    def waits_for(self) -> dict[int, int]:
        """Client id → the lowest clock of it that the rest waits for."""
        lowest: dict[int, int] = {}
        for client, clock in self._blocked.values():
            lowest[client] = min(clock, lowest.get(client, clock))
        return lowest

    def _drain(self, client: int) -> Iterator[Struct | None]:
        """Yield the structs of one client as far as they go, and before each what it refers to.

        ``stack`` holds clients of which each waits for the next.
        """
        stack: list[int] = []
        on_stack: set[int] = set()
        steps = 0
        while stack or (self._queues[client] and client not in self._blocked):
            steps += 1
            if steps % ITEMS_PER_STEP == 0:
                yield None
            now = stack[-1] if stack else client
            struct = self._front(now)
            missing = None if struct is None else self._missing(struct)
            if struct is None or (missing is not None and not self._may_bring(missing, on_stack, now)):
                if missing is not None:
                    self._blocked[now] = missing
                if stack:
                    on_stack.discard(stack.pop())
                continue
            if missing is not None:
                for each in (missing[0],) if stack else (client, missing[0]):
                    stack.append(each)
                    on_stack.add(each)
                continue
            yield self._queues[now].popleft()
            self._have[now] = struct.clock + struct.length
            if stack:
                on_stack.discard(stack.pop())

    def _front(self, client: int) -> Struct | None:
        """Return the first struct of a client that is not here; drop those that are, and gaps."""
        queue, have = self._queues[client], self.have(client)
        while queue:
            struct = queue[0]
            if struct.clock + struct.length > have and struct.kind != SKIP:
                return struct
            queue.popleft()  # the struct after a gap tells whether it was filled
        return None

    def _missing(self, struct: Struct) -> Id | None:
        """Return the first id that a struct waits for."""
        if struct.client not in self._withheld:
            self._withheld[struct.client] = self._is_withheld(struct.client)
        if self._withheld[struct.client]:
            last = self._queues[struct.client][-1]
            return struct.client, last.clock + last.length - 1
        if struct.clock > self.have(struct.client):
            return struct.client, struct.clock - 1
        for client, clock in struct.needs:
            if clock >= self.have(client):
                return client, clock
        return None

    def _may_bring(self, missing: Id, on_stack: set[int], now: int) -> bool:
        """True if the structs of this update may bring what is missing: they do not wait for something themselves."""
        client = missing[0]
        return client != now and client not in self._blocked and client not in on_stack and bool(self._queues[client])

    def have(self, client: int) -> int:
        """Return the end of what is here of a client once the yielded structs are."""
        return max(self._have.get(client, 0), self._state.get(client, 0))


def slices(
    update: InspectedUpdate, order: CausalOrder, size: Callable[[], SliceSize], deleted: IdRanges | None = None
) -> Iterator[InspectedUpdate | None]:
    """Yield the structs of ``order`` as updates of at most ``size()``; now and then None, to end a step.

    The document may grow at every yield. What it has gained from others is left out, so a slice ends where that would
    leave a gap.

    ``deleted``: all that the update deletes. A struct without content then comes with its deletion: a client that has
    the content, since it wrote it, learns from nothing else that it is deleted.
    """
    structs: list[Struct] = []
    ends: dict[int, int] = {}
    places = 0
    limits = size()
    for struct in order:
        if struct is None:
            yield None
            continue
        client, clock = struct.client, struct.clock
        places += not _continues(struct, structs[-1] if structs else None)
        is_full = places > limits.jumps or len(structs) >= limits.structs
        if structs and (is_full or ends.get(client, clock) != clock):
            yield part_of(update, structs, _deletions_of(structs, deleted))
            structs, ends, places, limits = [], {}, 1, size()
        structs.append(struct)
        ends[client] = clock + struct.length
    if structs:
        yield part_of(update, structs, _deletions_of(structs, deleted))


def _deletions_of(structs: Iterable[Struct], deleted: IdRanges | None) -> list[DeletedRange]:
    """Return the deletions of those structs that have no content."""
    if deleted is None:
        return []
    return [
        DeletedRange(client, clock, length)
        for client, clock, length, kind, *_ in structs
        if kind in (GC, DELETED) and deleted.covers(client, clock, clock + length)
    ]


def deleted_ranges(update: InspectedUpdate) -> Steps[IdRanges]:
    """Return all that an update deletes."""
    ranges = IdRanges()
    for index, deleted in enumerate(update.deletes, 1):
        ranges.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        if index % ITEMS_PER_STEP == 0:
            yield
    return ranges


def deletion_slices(
    update: InspectedUpdate, deletes: Iterable[DeletedRange | None], size: Callable[[], SliceSize]
) -> Iterator[InspectedUpdate | None]:
    """Yield deletions as updates of at most ``size()``; now and then None, to end a step."""
    ranges: list[DeletedRange] = []
    limits = size()
    for deleted in deletes:
        if deleted is None:
            yield None
            continue
        if ranges and 2 * len(ranges) >= limits.jumps:
            yield part_of(update, (), ranges)
            ranges, limits = [], size()
        ranges.append(deleted)
    if ranges:
        yield part_of(update, (), ranges)


def part_of(
    update: InspectedUpdate, structs: Iterable[Struct], deletes: Iterable[DeletedRange] = ()
) -> InspectedUpdate:
    """Return a part of an update as an update of its own. Its structs need not be read again."""
    structs, deletes = tuple(structs), tuple(deletes)
    if update.low_surrogates:
        return inspect_stored_update(encode_update(structs, deletes, update.payload))
    runs: dict[int, list[Struct]] = {}
    for struct in structs:
        runs.setdefault(struct.client, []).append(struct)
    payload = bytearray(encode_numbers(len(runs)))
    moved: list[Struct] = []
    for client in sorted(runs, reverse=True):
        run = runs[client]
        payload += encode_numbers(len(run), client, run[0].clock)
        clock = run[0].clock
        for struct in run:
            assert struct.clock == clock, "the structs of a client follow each other"
            clock += struct.length
            begin = len(payload)
            payload += update.payload[struct.begin : struct.end]
            moved.append(struct._replace(begin=begin, end=len(payload)))
    payload += encode_structs((), deletes, b"")[1:]  # the deletions, behind "no structs"
    return replace(update, payload=bytes(payload), structs=tuple(moved), deletes=deletes)
