"""Whose client ids are whose, and what a client may say under somebody else's.

Every struct has the id of the client that made it, and whoever writes "client 7, clock 40" first decides what stands
there: the real client 7, who comes later with other text for that place, would be told that it is known already. So
ids are not only names, they are places that must not be taken:

* An id belongs to the user whose live session shows itself with it (awareness, on any replica). New structs under
  it are taken from that user alone; from anybody else they wait until the owner has sent them.
* New structs under an id of nobody who is here are *carried*: somebody saw them before a crash and brings them back.
  They are taken, and the log says who brought them.
* What is known already is compared. The same again is no news; other text at the same place is a contradiction, which
  is refused in words: to ignore it would be to acknowledge an edit and lose it.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TypeAlias

from collab.ids import UserId
from collab.protocol.content import first_difference, read_content
from collab.protocol.update import DELETED, GC, SKIP, Id, InspectedUpdate, Struct

_TELLS_NOTHING = frozenset((GC, DELETED, SKIP))

Owner: TypeAlias = Callable[[int], UserId | None]
"""The user to whom a client id belongs now."""


def belongs_to_another(update: InspectedUpdate, state: Mapping[int, int], user: UserId, owner: Owner) -> Id | None:
    """The last id of a client in ``update`` that is new and somebody else's; None when ``user`` may write it all.

    Once it is here, so is all that the update has of that client, and it need not be read again before.
    """
    last: Id | None = None
    for struct in update.structs:
        end = struct.clock + struct.length
        if last is not None and struct.client != last[0]:
            break
        if end > state.get(struct.client, 0) and owner(struct.client) not in (None, user):
            last = struct.client, end - 1
    return last


def owned_by_others(update: InspectedUpdate, state: Mapping[int, int], user: UserId, owner: Owner) -> frozenset[int]:
    """The clients of which ``update`` has something new, and which are somebody else's."""
    new = {struct.client for struct in update.structs if struct.clock + struct.length > state.get(struct.client, 0)}
    return frozenset(client for client in new if owner(client) not in (None, user))


def is_carried(update: InspectedUpdate, state: Mapping[int, int], user: UserId, owner: Owner) -> bool:
    """Whether anything new in ``update`` is under an id that ``user`` does not show as their own."""
    return any(s.clock + s.length > state.get(s.client, 0) and owner(s.client) != user for s in update.structs)


def is_known_in_part(update: InspectedUpdate, state: Mapping[int, int]) -> bool:
    """Whether the update repeats something that is here."""
    return any(struct.clock < state.get(struct.client, 0) for struct in update.structs)


def repeated(update: InspectedUpdate, state: Mapping[int, int]) -> dict[int, list[Struct]]:
    """What the update repeats of what is here and says something, by client. The last may go on beyond it."""
    again: dict[int, list[Struct]] = {}
    for struct in update.structs:
        if struct.clock < state.get(struct.client, 0) and struct.kind not in _TELLS_NOTHING:
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
            if begin < end and not _TELLS_NOTHING & {theirs.kind, ours.kind}:
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
