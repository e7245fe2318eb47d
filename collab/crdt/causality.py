"""May an update be applied now, and if not, what is it waiting for and which part of it may?

pycrdt loses text when an update comes before what it builds on, so this question is asked of every
update before it gets there. An update is *ready* for a state vector when every struct follows its
client's last one and everything it refers to, and everything it deletes, is in the document or comes
earlier in the update itself.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush

from collab.crdt.encoding import encode_update
from collab.crdt.update import SKIP, DeletedRange, Id, InspectedUpdate, Struct
from collab.protocol.limits import CLOCK_END

NEVER: Id = (0, CLOCK_END)
"""An id that cannot come. It is what an update waits for whose structs wait for each other."""


def first_missing(update: InspectedUpdate, state: Mapping[int, int]) -> Id | None:
    """An id that must be here before ``update`` can be applied to a document that has ``state``.

    None when nothing is missing: the update is ready. The id is never one that the update itself brings, so
    until it has come, asking again is of no use.
    """
    ends: dict[int, int] = {}
    cyclic = False
    for struct in update.structs:
        client, clock = struct.client, struct.clock
        end = ends.get(client, state.get(client, 0))
        if struct.kind == SKIP:
            continue  # the struct behind it says what is missing, if it still is
        if clock > end:
            return client, clock - 1
        for needed, needed_clock in struct.needs:
            if needed_clock >= state.get(needed, 0) and needed_clock >= ends.get(needed, 0):
                cyclic = True  # perhaps later in this update, of another client
        ends[client] = max(clock + struct.length, end)
    for client, clock, length in update.deletes:
        if clock + length > ends.get(client, state.get(client, 0)):
            return client, clock + length - 1
    if not cyclic:
        return None
    _, missing = _integrate(update, state)
    if not missing:
        return None
    return next((id_ for id_ in missing if id_[1] >= ends.get(id_[0], 0)), NEVER)


def ready_part(update: InspectedUpdate, state: Mapping[int, int], barred: frozenset[int] = frozenset()) -> bytes | None:
    """The largest part of ``update`` that is ready for ``state``, encoded anew; None when that is nothing.

    It holds no struct of the clients ``barred``.
    """
    structs, _ = _integrate(update, state, barred)
    have = dict(state)
    for struct in structs:
        have[struct.client] = max(struct.clock + struct.length, have.get(struct.client, 0))
    deletes = [part for deleted in update.deletes if (part := _known(deleted, have)) is not None]
    if not structs and not deletes:
        return None
    return encode_update(structs, deletes, update.payload)


def in_slices(update: InspectedUpdate, state: Mapping[int, int], structs_max: int) -> Iterator[bytes]:
    """An update that is ready for ``state``, as updates of at most ``structs_max`` structs, in the order to apply them.

    Deletions come last. One that is small enough is given as it is. The order is the engine's own, in which what is
    written at one place comes in from the right: in another one it would search for each place from the left.
    """
    if len(update.structs) <= structs_max:
        yield update.payload
        return
    structs = _in_order(update, state)
    for at in range(0, len(structs), structs_max):
        yield encode_update(structs[at : at + structs_max], (), update.payload)
    if update.deletes:
        yield encode_update((), update.deletes, update.payload)


def _in_order(update: InspectedUpdate, state: Mapping[int, int]) -> list[Struct]:
    """The structs of an update that is ready: higher clients first, but for what these refer to."""
    queues: dict[int, deque[Struct]] = defaultdict(deque)
    for struct in update.structs:
        queues[struct.client].append(struct)
    have = {client: state.get(client, 0) for client in queues}
    ordered: list[Struct] = []
    waiting: list[int] = []
    for client in sorted(queues, reverse=True):
        while waiting or queues[client]:
            now = waiting[-1] if waiting else client
            struct = queues[now][0]
            missing = _missing(struct, have, state)
            if missing is not None:
                waiting += [missing[0]] if waiting else [client, missing[0]]
                continue
            ordered.append(queues[now].popleft())
            have[now] = struct.clock + struct.length
            if waiting:
                waiting.pop()
    return ordered


def _known(deleted: DeletedRange, have: Mapping[int, int]) -> DeletedRange | None:
    """The front of a deleted range that lies in the document."""
    length = min(deleted.length, have.get(deleted.client, 0) - deleted.clock)
    return DeletedRange(deleted.client, deleted.clock, length) if length > 0 else None


def _integrate(
    update: InspectedUpdate, state: Mapping[int, int], barred: frozenset[int] = frozenset()
) -> tuple[list[Struct], list[Id]]:
    """The structs that can be integrated, in wire order, and the ids that those in front of the rest refer to.

    Of each client it is a prefix, up to the first that waits. Works like the integration itself: each client's
    queue moves until its front refers to an id that is not there, and moves again when that id has come. A
    waiting queue is woken once for each id it waited for, so the whole is linear (but for a logarithm) in
    structs plus references, whatever knots an update ties.
    """
    queues: dict[int, deque[Struct]] = defaultdict(deque)
    for struct in update.structs:
        if struct.client not in barred and struct.kind != SKIP:
            queues[struct.client].append(struct)
    have = {client: state.get(client, 0) for client in queues}
    waiting_on: dict[int, list[tuple[int, int]]] = defaultdict(list)
    taken: list[Struct] = []
    runnable = deque(queues)
    while runnable:
        client = runnable.popleft()
        queue = queues[client]
        while queue and queue[0].clock <= have[client]:
            missing = _missing(queue[0], have, state)
            if missing is not None:
                heappush(waiting_on[missing[0]], (missing[1], client))
                break
            struct = queue.popleft()
            have[client] = max(struct.clock + struct.length, have[client])
            taken.append(struct)
        while waiting_on[client] and waiting_on[client][0][0] < have[client]:
            runnable.append(heappop(waiting_on[client])[1])
    taken.sort(key=lambda struct: struct.begin)
    return taken, [(needed, clock) for needed, waiting in waiting_on.items() for clock, _ in waiting]


def _missing(struct: Struct, have: Mapping[int, int], state: Mapping[int, int]) -> Id | None:
    """The first id that ``struct`` refers to and that is not here yet."""
    for client, clock in struct.needs:
        if clock >= have.get(client, state.get(client, 0)):
            return client, clock
    return None
