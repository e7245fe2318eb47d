"""The number of structs that an update makes the engine split.

The guard bounds bytes, but the engine's work depends on splits: each one moves all structs behind it, and reads a long
text up to there. A few hundred kilobytes that delete every second letter would take minutes. Deletions that are known
cost nothing, nor do places between two structs of the update itself, so an honest client may send all it has, with
every deletion it has ever made.
"""

from collections.abc import Mapping
from dataclasses import replace

from collab.crdt.diff import new_deletions
from collab.crdt.ranges import IdRanges
from collab.crdt.update import InspectedUpdate


def splits_at_most(update: InspectedUpdate, state: Mapping[int, int], deleted: IdRanges, enough: int) -> int:
    """Return at how many places ``update`` splits structs of a document with ``state``, where ``deleted`` is deleted.

    It is an upper bound, because it is not known here where the document's own structs begin. The places are counted
    only if there may be more than ``enough``.
    """
    at_most = 2 * len(update.structs) + 2 * len(update.deletes)
    if at_most <= enough:
        return at_most
    news = replace(update, deletes=new_deletions(update, deleted))
    begins = {(struct.client, struct.clock) for struct in update.structs}
    ends = dict(state)
    for struct in update.structs:
        ends[struct.client] = max(ends.get(struct.client, 0), struct.clock + struct.length)
    return sum(0 < clock < ends.get(client, 0) for client, clock in set(news.splits(state)) - begins)
