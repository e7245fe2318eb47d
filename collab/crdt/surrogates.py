"""Characters of two halves, and updates that would cut one in two.

Text is counted in UTF-16 units, so a character outside the basic plane has two ids: its high and its low surrogate. An
editor that counts the same way may delete one half, or insert between both. Yjs then shows a replacement character
for each half; the engine here keeps its text in UTF-8 and cannot cut there: the people who are connected would read
another text than those who come later.

So no cut reaches the engine. A pair that stands in the document is deleted whole, by an update of ours that goes
ahead of the one that cuts, on the same road, to everybody, its author included. A pair that comes in the very update
that cuts it (a client may send several edits as one) is taken in as what its author's screen shows: two replacement
characters. Either way all end with the same text.

Two replicas may let the same pair in at once: one whole, the other cut, for its author went on writing and came back
elsewhere before the commit. Then the log has both. Whoever reads it deletes the pair whole when the second comes,
whichever that is: so all come to the same, in whatever order they heard.
"""

import re
from collections.abc import Iterable, Mapping

from collab.crdt.encoding import encode_update, replace_pairs
from collab.crdt.guard import inspect_stored_update
from collab.crdt.update import STRING, DeletedRange, Id, InspectedUpdate

_FOUR_BYTES = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")


class SurrogatePairs:
    """Where the pairs of one document are, by the ids of their low halves. Some may have been deleted since."""

    def __init__(self) -> None:
        self._lows: set[Id] = set()

    def __bool__(self) -> bool:
        return bool(self._lows)

    def add(self, update: InspectedUpdate) -> None:
        """The update is in the document now."""
        if update.low_surrogates:
            self._lows |= update.low_surrogates

    def add_snapshot(self, snapshot: bytes) -> None:
        """The document begins with this. It is read only if it may hold a pair: nothing else has the bytes of one."""
        if _FOUR_BYTES.search(snapshot):
            self.add(inspect_stored_update(snapshot))

    def cut_by(self, update: InspectedUpdate, state: Mapping[int, int]) -> list[Id]:
        """Low halves of pairs in the document that the update would cut from their high ones."""
        return sorted(self._lows.intersection(update.splits(state))) if self._lows else []

    def differing(self, update: InspectedUpdate, state: Mapping[int, int]) -> set[Id]:
        """Low halves of pairs in the part of the update that is here: whole on one side and cut on the other.

        Of pairs that were whole here and are deleted too.
        """
        theirs = {(client, low) for client, low in update.low_surrogates if low < state.get(client, 0)}
        ours = {
            (struct.client, low)
            for struct in update.structs
            if struct.kind == STRING
            for low in range(struct.clock, min(struct.clock + struct.length, state.get(struct.client, 0)))
            if (struct.client, low) in self._lows
        }
        return theirs - self._lows | ours - theirs


def deletion(lows: Iterable[Id]) -> InspectedUpdate:
    """The update that deletes these pairs whole."""
    ranges = [DeletedRange(client, clock - 1, 2) for client, clock in lows]
    return inspect_stored_update(encode_update((), ranges, b""))


def replace_split_pairs(update: InspectedUpdate, state: Mapping[int, int]) -> InspectedUpdate:
    """The update with replacement characters for those of its pairs that are new to ``state`` and that it cuts itself.

    The very same object when there are none.
    """
    if not update.low_surrogates:
        return update
    cut = {id_ for id_ in update.splits(state) if id_ in update.low_surrogates and id_[1] >= state.get(id_[0], 0)}
    return inspect_stored_update(replace_pairs(update, cut)) if cut else update
