"""Which part of an update is ready to be applied, and what the rest waits for.

The engine loses text when an update arrives before what it builds on, so it is given only what is *ready*: of each
client the structs that follow its last one and refer to nothing that is missing, and the deletions of what is there.
Yjs keeps the rest in ``pendingStructs`` and ``pendingDs``; ``room/pending.py`` does so here.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from collab.crdt.encoding import encode_in_steps, encode_numbers, encode_update
from collab.crdt.guard import inspect_stored_update
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import SKIP, DeletedRange, Id, InspectedUpdate, Struct
from collab.protocol.limits import CLOCK_END

NO_CLIENTS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Split:
    """An update in two parts."""

    ready: InspectedUpdate | None
    """The part that can be applied now; None if there is none."""
    rest: InspectedUpdate | None
    """The part that cannot; None if there is none. It may hold Skips; its depth is that of the whole."""
    waits_for: Mapping[int, int]
    """Client id → the lowest clock of it that the rest waits for. Once one of them is here, more may be ready."""


def is_ready(update: InspectedUpdate, state: Mapping[int, int]) -> bool:
    """Return True if all of ``update`` can be applied to a document that has ``state``."""
    ends: dict[int, int] = {}
    refers_ahead = False
    for struct in update.structs:
        client, clock = struct.client, struct.clock
        end = ends.get(client, state.get(client, 0))
        if struct.kind == SKIP:
            continue  # the struct after it tells whether the gap has been filled
        if clock > end:
            return False
        for needed, needed_clock in struct.needs:
            if needed_clock >= state.get(needed, 0) and needed_clock >= ends.get(needed, 0):
                refers_ahead = True  # perhaps to a struct of another client that comes later in this update
        ends[client] = max(clock + struct.length, end)
    for client, clock, length in update.deletes:
        if clock + length > ends.get(client, state.get(client, 0)):
            return False
    return not refers_ahead or not _Integration(update, state).blocked


def split_update(update: InspectedUpdate, state: Mapping[int, int], withheld: frozenset[int] = NO_CLIENTS) -> Split:
    """Split ``update`` into the largest part that is ready for ``state`` and the rest.

    Structs of the clients ``withheld`` are never ready; they wait until all that the update has of that client is here.
    """
    integration = _Integration(update, state, withheld)
    ready_deletes, rest_deletes = _split_deletes(update, integration.have, state)
    ready = None
    if integration.taken or ready_deletes:
        ready = inspect_stored_update(encode_update(integration.taken, ready_deletes, update.payload))
    rest_structs = integration.rest()
    if not rest_structs and not rest_deletes:
        return Split(ready, None, {})
    waits_for = integration.waits_for()
    for client, clock, _ in rest_deletes:
        waits_for[client] = min(clock, waits_for.get(client, clock))
    return Split(ready, finish(rest_in_steps(update, rest_structs, rest_deletes)), waits_for)


def _split_deletes(
    update: InspectedUpdate, have: Mapping[int, int], state: Mapping[int, int]
) -> tuple[list[DeletedRange], list[DeletedRange]]:
    """Split the deletions into those of what will be there and those of what is missing."""
    ready: list[DeletedRange] = []
    rest: list[DeletedRange] = []
    for deleted in update.deletes:
        client, clock, length = deleted
        known = min(length, max(0, have.get(client, state.get(client, 0)) - clock))
        if known == length:
            ready.append(deleted)
        else:
            if known:
                ready.append(DeletedRange(client, clock, known))
            rest.append(DeletedRange(client, clock + known, length - known))
    return ready, rest


def rest_in_steps(
    update: InspectedUpdate, structs: Iterable[Struct], deletes: Iterable[DeletedRange]
) -> Steps[InspectedUpdate]:
    """Return a part of an update as an update of its own, in which a gap stays a Skip.

    It is not read again: an update may lose its structs one by one, and each time the whole rest would be read.
    """
    runs: dict[int, list[Struct]] = defaultdict(list)
    for index, struct in enumerate(structs, 1):
        runs[struct.client].append(struct)
        if index % ITEMS_PER_STEP == 0:
            yield
    payload = bytearray(encode_numbers(len(runs)))
    moved: list[Struct] = []
    for client, run in runs.items():
        payload += encode_numbers(len(run), client, run[0].clock)
        for struct in run:
            begin = len(payload)
            payload += update.payload[struct.begin : struct.end]
            moved.append(struct._replace(begin=begin, end=len(payload)))
            if len(moved) % ITEMS_PER_STEP == 0:
                yield
    deletes = tuple(deletes)
    payload += (yield from encode_in_steps((), deletes, b""))[1:]  # the deletions, behind "no structs"
    # Pairs of the other part are not ours: where it splits one itself, two characters stand in its place.
    lows = frozenset((client, low) for client, low in update.low_surrogates if low >= _begin(runs.get(client)))
    return replace(update, payload=bytes(payload), structs=tuple(moved), deletes=deletes, low_surrogates=lows)


def _begin(run: list[Struct] | None) -> int:
    return run[0].clock if run else CLOCK_END


class _Integration:
    """Which structs of an update can be integrated, found as the integration itself proceeds.

    Each client's queue advances until its front refers to an id that is missing, and again when that id has come. A
    queue that waits is woken once for each id, so the whole takes time linear (but for a logarithm) in structs and
    references, however they refer to each other.
    """

    def __init__(
        self, update: InspectedUpdate, state: Mapping[int, int], withheld: frozenset[int] = NO_CLIENTS
    ) -> None:
        self._state = state
        self._queues: dict[int, deque[Struct]] = defaultdict(deque)
        for struct in update.structs:
            self._queues[struct.client].append(struct)
        self.have = {client: state.get(client, 0) for client in self._queues}
        """What the document has of each client once the taken structs are in it."""
        self.taken: list[Struct] = []
        """The structs that can be integrated and are not here yet, in wire order. Of each client a prefix."""
        self._withheld = withheld
        self._waiting_on: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """Client id → heap of (clock, client whose queue waits for it)."""
        self._run()
        self.taken.sort(key=lambda struct: struct.begin)

    @property
    def blocked(self) -> bool:
        """True if some structs cannot be integrated."""
        return any(self._queues.values())

    def rest(self) -> list[Struct]:
        """Return the structs that cannot be integrated, in wire order."""
        return [struct for queue in self._queues.values() for struct in queue]

    def waits_for(self) -> dict[int, int]:
        """Return for each client the lowest clock that the rest waits for."""
        lowest = {client: waiting[0][0] for client, waiting in self._waiting_on.items() if waiting}
        for client, queue in self._queues.items():
            if queue and client in self._withheld:
                last = queue[-1].clock + queue[-1].length - 1
                lowest[client] = min(last, lowest.get(client, last))
        return lowest

    def _run(self) -> None:
        runnable = deque(self._queues)
        while runnable:
            client = runnable.popleft()
            self._advance(client)
            waiting = self._waiting_on[client]
            while waiting and waiting[0][0] < self.have[client]:
                runnable.append(heappop(waiting)[1])

    def _advance(self, client: int) -> None:
        """Take structs off the front of a client's queue until one of them is blocked."""
        queue, have = self._queues[client], self.have
        while queue:
            struct = queue[0]
            end = struct.clock + struct.length
            if end <= have[client] or struct.kind == SKIP:
                queue.popleft()  # here already, or a gap, of which the next struct tells whether it was filled
                continue
            if client in self._withheld:
                return
            blocking = (client, struct.clock - 1) if struct.clock > have[client] else self._missing(struct)
            if blocking is not None:
                heappush(self._waiting_on[blocking[0]], (blocking[1], client))
                return
            self.taken.append(queue.popleft())
            have[client] = end

    def _missing(self, struct: Struct) -> Id | None:
        return _missing(struct, self.have, self._state)


def _missing(struct: Struct, have: Mapping[int, int], state: Mapping[int, int]) -> Id | None:
    """Return the first id that ``struct`` refers to and that is missing."""
    for client, clock in struct.needs:
        if clock >= have.get(client, state.get(client, 0)):
            return client, clock
    return None
