"""Compare what an update repeats with what the document holds under the same ids.

The engine passes over structs whose ids it knows, whatever their content. Other content under a known id would
therefore be acknowledged and lost, so the repeated part of every update is compared first.
"""

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache, partial

from collab.crdt.content import first_difference, read_content
from collab.crdt.update import DELETED, GC, SKIP, Id, InspectedUpdate, Struct

_WITHOUT_CONTENT = frozenset((GC, DELETED, SKIP))


def is_known_in_part(update: InspectedUpdate, state: Mapping[int, int]) -> bool:
    """Whether the update repeats something that is here."""
    return any(struct.clock < state.get(struct.client, 0) for struct in update.structs)


def repeated(update: InspectedUpdate, state: Mapping[int, int]) -> dict[int, list[Struct]]:
    """What the update repeats of what is here and says something, by client. The last may go on beyond it."""
    again: dict[int, list[Struct]] = {}
    for struct in update.structs:
        if struct.clock < state.get(struct.client, 0) and struct.kind not in _WITHOUT_CONTENT:
            again.setdefault(struct.client, []).append(struct)
    return again


def contradiction(update: InspectedUpdate, known: InspectedUpdate) -> Id | None:
    """The first id at which both have content and it is not the same; None when they agree.

    What is deleted on either side agrees with anything.
    """
    runs: dict[int, list[Struct]] = {}
    for struct in known.structs:
        runs.setdefault(struct.client, []).append(struct)
    # One text may lie beside as many as it has units. Both sides go forward, so the latest is all that is kept.
    their_content, our_content = (lru_cache(1)(partial(read_content, each)) for each in (update, known))
    for theirs in update.structs:
        run = runs.get(theirs.client, [])
        at = max(bisect_right(run, theirs.clock, key=_clock) - 1, 0)
        while at < len(run) and run[at].clock < theirs.clock + theirs.length:
            ours = run[at]
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
