"""Which user may write under which client id, decided by presence.

*Why.* A struct carries the id of the client that made it, and the first to write "client 7, clock 40" decides what is
there: the real client 7 would later be told that its own text for that place is known already. So ids are not only
names; they are places that can be taken.

*The attack.* A writer sends structs under the id of somebody else, who has typed but not sent yet. Their text would be
lost, or stand under another user's name.

*The rule.* A client id belongs to the user whose live session shows itself with it in awareness, on any replica, and
may write. New structs under it are taken from that user alone; from any other sender they wait until the owner has
sent them. New structs under an id that belongs to no one present are *carried*: the sender received them before a crash
and brings them back. They are taken, and the log records who brought them. What the document already has is compared
(``crdt/comparison``): other content under a known id is refused, since ignoring it would acknowledge an edit and lose
it.

*What it costs.* No table and no query. A writer who shows the id of a client without awareness blocks that client
until it reloads.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from collab.crdt.update import InspectedUpdate
from collab.ids import UserId

Owner: TypeAlias = Callable[[int], UserId | None]
"""Returns the user to whom a client id belongs now."""


def is_of_another(client: int, user: UserId, owner: Owner) -> bool:
    """Return True if ``client`` belongs to a user other than ``user``."""
    return owner(client) not in (None, user)


def is_carried(update: InspectedUpdate, state: Mapping[int, int], user: UserId, owner: Owner) -> bool:
    """Return True if anything new in ``update`` is under an id that ``user`` does not show as their own."""
    return any(s.clock + s.length > state.get(s.client, 0) and owner(s.client) != user for s in update.structs)
