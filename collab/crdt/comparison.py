"""Compare what an update repeats with what the document holds under the same ids.

The engine skips structs whose ids it knows, whatever their content. Other content under a known id would therefore be
acknowledged and lost, so the repeated part of every update is compared first.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import TypeAlias

from collab.crdt.content import first_difference, read_content
from collab.crdt.guard import inspect_front, inspect_in_steps
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import DELETED, GC, SKIP, Id, InspectedUpdate, Struct
from collab.protocol.limits import STORED

READ_APART_MAX = 32
"""Clients whose structs are read one client at a time, where that client has written much since."""

COMPARED_PER_STEP = 64
"""Structs compared in one step."""

MUCH_SINCE = 1000
"""Clocks. Reading so many costs as much as asking the engine for one client alone."""

_WITHOUT_CONTENT = frozenset((GC, DELETED, SKIP))

Diff: TypeAlias = Callable[[dict[int, int]], bytes]
"""Returns the update that brings a peer with this state vector up to date (``Document.diff``)."""


def find_contradiction(update: InspectedUpdate, state: Mapping[int, int], diff: Diff) -> Id | None:
    """Return the first id at which ``update`` has other content than the document; None when they agree."""
    return finish(find_contradiction_in_steps(update, state, diff))


def find_contradiction_in_steps(update: InspectedUpdate, state: Mapping[int, int], diff: Diff) -> Steps[Id | None]:
    """Do the same in steps."""
    repeated = yield from _repeated_structs(update, state)
    if not repeated:
        return None
    state = dict(state)
    firsts = {client: structs[0].clock for client, structs in repeated.items()}
    since = sum(state[client] - first for client, first in firsts.items())
    if len(repeated) > READ_APART_MAX or since <= MUCH_SINCE * len(repeated):
        known = yield from inspect_in_steps(diff(state | firsts), STORED)
        return (yield from _contradiction(update, known))
    for structs in repeated.values():
        part = replace(update, structs=tuple(structs))
        known = yield from _known_beside(part, state, diff)
        found = yield from _contradiction(part, known)
        if found is not None:
            return found
    return None


def _known_beside(part: InspectedUpdate, state: dict[int, int], diff: Diff) -> Steps[InspectedUpdate]:
    """Return what the document has beside the structs of one client, and little more: a history may be long."""
    first, last = part.structs[0], part.structs[-1]
    rest = diff(state | {first.client: first.clock})
    return (yield from inspect_front(rest, min(last.clock + last.length, state[first.client])))


def is_known_in_part(update: InspectedUpdate, state: Mapping[int, int]) -> bool:
    """Return True if the update repeats something that a document with ``state`` has."""
    return any(struct.clock < state.get(struct.client, 0) for struct in update.structs)


def _repeated_structs(update: InspectedUpdate, state: Mapping[int, int]) -> Steps[dict[int, list[Struct]]]:
    """Return the structs with content that the document has, by client. The last of a client may extend beyond it."""
    repeated: dict[int, list[Struct]] = {}
    for index, struct in enumerate(update.structs, 1):
        if index % ITEMS_PER_STEP == 0:
            yield
        if struct.clock < state.get(struct.client, 0) and struct.kind not in _WITHOUT_CONTENT:
            repeated.setdefault(struct.client, []).append(struct)
    return repeated


def contradiction(update: InspectedUpdate, known: InspectedUpdate) -> Id | None:
    """Return the first id at which both have content and it differs; None when they agree.

    What is deleted on either side agrees with anything.
    """
    return finish(_contradiction(update, known))


def _contradiction(update: InspectedUpdate, known: InspectedUpdate) -> Steps[Id | None]:
    runs: dict[int, list[Struct]] = {}
    for index, struct in enumerate(known.structs, 1):
        runs.setdefault(struct.client, []).append(struct)
        if index % ITEMS_PER_STEP == 0:
            yield
    steps = 0
    # One text may overlap as many structs as it has units. Both sides advance, so only the latest is kept.
    their_content, our_content = (lru_cache(1)(partial(read_content, each)) for each in (update, known))
    for theirs in update.structs:
        run = runs.get(theirs.client, [])
        at = max(bisect_right(run, theirs.clock, key=_clock) - 1, 0)
        while at < len(run) and run[at].clock < theirs.clock + theirs.length:
            ours = run[at]
            steps += 1
            if steps % COMPARED_PER_STEP == 0:
                yield
            begin, end = _overlap(theirs, ours)
            if begin < end and not _WITHOUT_CONTENT & {theirs.kind, ours.kind}:
                if theirs.kind != ours.kind:
                    return theirs.client, begin
                clock = first_difference(their_content(theirs), our_content(ours), begin, end)
                if clock is not None:
                    return theirs.client, clock
            at += 1
    return None


def _clock(struct: Struct) -> int:
    return struct.clock


def _overlap(one: Struct, other: Struct) -> tuple[int, int]:
    return max(one.clock, other.clock), min(one.clock + one.length, other.clock + other.length)
