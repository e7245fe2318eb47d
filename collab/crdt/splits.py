"""How often an update makes the engine cut what it holds.

It stands between the guard, which bounds bytes, and the engine, for which a byte is not the measure: each cut into a
struct moves all structs behind it, and reads a long text up to there. So a few hundred kilobytes that delete every
second letter would take minutes. What is here already costs nothing, nor does it to lie between two structs of
the update itself: an honest client may send all it has, with every deletion of its life.
"""

from collections.abc import Mapping
from dataclasses import replace

from collab.crdt.diff import new_deletions
from collab.crdt.ranges import IdRanges
from collab.crdt.update import InspectedUpdate


def splits_at_most(update: InspectedUpdate, state: Mapping[int, int], deleted: IdRanges, enough: int) -> int:
    """At how many places ``update`` cuts a document that has ``state`` and in which ``deleted`` is deleted.

    A bound from above: where the document's own structs begin is not known here. Not counted exactly when it cannot
    exceed ``enough``.
    """
    simply = 2 * len(update.structs) + 2 * len(update.deletes)
    if simply <= enough:
        return simply
    news = replace(update, deletes=new_deletions(update, deleted))
    borders = {(struct.client, struct.clock) for struct in update.structs}
    ends = dict(state)
    for struct in update.structs:
        ends[struct.client] = max(ends.get(struct.client, 0), struct.clock + struct.length)
    return sum(0 < clock < ends.get(client, 0) for client, clock in set(news.cuts(state)) - borders)
