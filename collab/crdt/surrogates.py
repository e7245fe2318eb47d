"""Surrogate pairs, and updates that would split one.

Text is counted in UTF-16 units, so a character outside the basic plane has two ids: its high and its low surrogate. An
editor that counts the same way may delete one half, or insert between both. Yjs then shows a replacement character for
each half. The engine keeps its text in UTF-8 and cannot split there: connected clients would read another text than
clients that join later.

So no split reaches the engine. A pair that is in the document is deleted whole, by an update of ours that precedes the
one that splits it, and is logged and sent like any other, to its author too. A pair that arrives in the very update
that splits it (a client may send several edits as one) becomes what its author's screen shows: two replacement
characters. Either way every client ends with the same text.

Two replicas may accept the same pair at once, one whole and the other split, if its author kept writing and reconnected
to the other replica before the commit. Then the log has both. Every replica deletes the pair whole when it applies the
second of them, whichever that is, so all end with the same text in whatever order the rows arrived.
"""

import re
from collections.abc import Iterable, Mapping

from collab.crdt.encoding import encode_update, replace_pairs
from collab.crdt.guard import inspect_stored_update
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.update import STRING, DeletedRange, Id, InspectedUpdate

_FOUR_BYTES = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")


class SurrogatePairs:
    """The ids of the low surrogates in one document. Some of them may have been deleted since."""

    def __init__(self) -> None:
        self._lows: set[Id] = set()

    def __bool__(self) -> bool:
        return bool(self._lows)

    def add(self, update: InspectedUpdate) -> None:
        """Take in the pairs of an update that was applied."""
        self._lows |= update.low_surrogates

    def add_snapshot(self, snapshot: bytes) -> None:
        """Take in the pairs of the snapshot that the document begins with. It is read only if it can hold one."""
        if _FOUR_BYTES.search(snapshot):
            self.add(inspect_stored_update(snapshot))

    def between_characters(self, state: Mapping[int, int]) -> dict[int, int]:
        """Return a state vector with the high surrogate of each pair out of which ``state`` has only that."""
        return {client: clock - ((client, clock) in self._lows) for client, clock in state.items()}

    def split_by(self, update: InspectedUpdate, state: Mapping[int, int]) -> list[Id]:
        """Return the low surrogates that the update would split from their high ones."""
        return sorted(self._lows.intersection(update.splits(state))) if self._lows else []

    def differing(self, update: InspectedUpdate, state: Mapping[int, int]) -> set[Id]:
        """Return the low surrogates of known pairs that the update has whole and the document split, or the reverse.

        A pair that was whole in the document counts as whole after its deletion, too.
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
    """Return the update that deletes these pairs whole."""
    ranges = [DeletedRange(client, clock - 1, 2) for client, clock in lows]
    return inspect_stored_update(encode_update((), ranges, b""))


def replace_split_pairs(update: InspectedUpdate, state: Mapping[int, int]) -> InspectedUpdate:
    """Return the update with replacement characters for its own new pairs that it splits itself.

    ``state``: the document's state vector. Returns the same object when there are none.
    """
    if not update.low_surrogates:
        return update
    return replace_cut_pairs(update, finish(own_pairs_cut(update, state)))


def own_pairs_cut(update: InspectedUpdate, state: Mapping[int, int]) -> Steps[set[Id]]:
    """Return the low surrogates of the update's own new pairs that it splits itself."""
    cut: set[Id] = set()
    for index, id_ in enumerate(update.splits(state) if update.low_surrogates else (), 1):
        if id_ in update.low_surrogates and id_[1] >= state.get(id_[0], 0):
            cut.add(id_)
        if index % ITEMS_PER_STEP == 0:
            yield
    return cut


def replace_cut_pairs(update: InspectedUpdate, cut: set[Id]) -> InspectedUpdate:
    """Return the update with replacement characters for those of its pairs that are in ``cut``."""
    own = cut.intersection(update.low_surrogates)
    return inspect_stored_update(replace_pairs(update, own)) if own else update
