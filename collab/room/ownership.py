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

from collections.abc import Callable, Mapping
from typing import TypeAlias

from collab.crdt.update import Id, InspectedUpdate
from collab.ids import UserId

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
