"""The CRDT behind one wrapper: the only module of the server that changes a pycrdt document.

It stands between the room, which thinks in inspected updates, and a native library that is fast and not to be
trusted: it panics with a BaseException, it loses what arrives out of order, and a document that
raised once must never be read again. So nothing reaches it that the guard has not read and whose predecessors
are not here, every call goes through ``_native``, and after the first failure the document is poison.

It also keeps, in plain Python, what it has: the state vector, the deleted ranges and, once somebody changes the
document's structure, how deep everything lies. "Is this new?", "is something missing?" and "may it become this?"
are then answered without asking the library.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pycrdt

from collab.crdt.causality import first_missing, in_slices
from collab.crdt.comparison import contradiction, is_known_in_part, repeated
from collab.crdt.content import equivalent_updates
from collab.crdt.diff import diff_update
from collab.crdt.nesting import Nesting
from collab.crdt.plaintext import read_text
from collab.crdt.ranges import IdRanges
from collab.crdt.splits import splits_at_most
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.crdt.surrogates import SurrogatePairs, deletion
from collab.crdt.update import SKIP, Id, InspectedUpdate, inspect_front, inspect_stored_update
from collab.errors import DocumentPoisoned, UpdateRefused
from collab.protocol.limits import DOCUMENT_CLIENTS_MAX, SPLITS_MAX
from collab.protocol.messages import EMPTY_UPDATE

T = TypeVar("T")

READ_APART_MAX = 32
"""Clients whose structs are looked up one client at a time, where that client has written much since."""

MUCH_SINCE = 1000
"""Clocks. To read so many costs as much as to ask the engine for one client alone."""

SLICE_STRUCTS_MAX = 500
"""Structs that the engine is given at a time. It joins what belongs together at the end of each, one by one: the typing
of a day in one update, as many clients send it when they come back, would take it seconds."""


class Document:
    """One document's content. Every method may raise DocumentPoisoned; from then on every method does."""

    def __init__(self) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.is_poisoned = False
        self._deleted = IdRanges()
        self._deleted_exact = True
        self._nesting: Nesting | None = None
        self._pairs = SurrogatePairs()
        self._full: bytes | None = EMPTY_UPDATE
        self.state: dict[int, int] = {}
        """What is here: client id → number of clocks. Read it, never write it."""

    @classmethod
    def load(cls, snapshot: bytes | None, updates: Iterable[bytes]) -> "Document":
        """A document from a snapshot and the updates after it.

        Raises DocumentPoisoned when an update builds on what no earlier one brings. Rows are committed in the order in
        which they were applied, so such a log is damaged.
        """
        document = cls()
        if snapshot is not None:
            document._native(lambda: document._doc.apply_update(snapshot))
            document.state = document._held_by_library()
            document._full = None
            document._deleted_exact = False
            document._pairs.add_snapshot(snapshot)
        for payload in updates:
            update = inspect_stored_update(payload)
            if (missing := document.missing(update)) is not None:
                raise DocumentPoisoned(
                    f"The log is damaged: an update builds on {missing}, which no earlier row holds."
                )
            document.replay(update)
        return document

    def has(self, update: InspectedUpdate, *, exact: bool = False) -> bool:
        """Whether the update would add nothing: its structs and its deletions are all here.

        The ranges kept here do not know of children that were deleted with their parent, nor of what a map replaced.
        ``exact`` asks the library when in doubt; without it, an update may be called new that is not, and never the
        reverse.
        """
        if any(s.clock + s.length > self.state.get(s.client, 0) and s.kind != SKIP for s in update.structs):
            return False
        if self._covers(update):
            return True
        return exact and self._learn_deletions() and self._covers(update)

    def missing(self, update: InspectedUpdate) -> Id | None:
        """An id that the update builds on and that is not here; None when nothing is missing."""
        return first_missing(update, self.state)

    def contradicted_by(self, update: InspectedUpdate) -> Id | None:
        """An id at which the update has other content than stands here; None when all that it repeats agrees."""
        again = repeated(update, self.state)
        firsts = {client: structs[0].clock for client, structs in again.items()}
        since = sum(self.state[client] - first for client, first in firsts.items())
        if len(again) > READ_APART_MAX or since <= MUCH_SINCE * len(again):
            return contradiction(update, inspect_stored_update(self.diff(self.state | firsts))) if again else None
        parts = (replace(update, structs=tuple(structs)) for structs in again.values())
        return next(filter(None, (contradiction(part, self._beside(part)) for part in parts)), None)

    def _beside(self, part: InspectedUpdate) -> InspectedUpdate:
        """What stands here beside the structs of one client, and not much more: a history may be long."""
        first, last = part.structs[0], part.structs[-1]
        rest = self.diff(self.state | {first.client: first.clock})
        return inspect_front(rest, min(last.clock + last.length, self.state[first.client]))

    def pairs_cut_by(self, update: InspectedUpdate) -> list[Id]:
        """Characters that stand here and that the update would cut in two, by their low surrogates."""
        return self._lease(self._pairs.cut_by(update, self.state))

    def pairs_split_by_log(self, update: InspectedUpdate) -> list[Id]:
        """Characters that an update of the log would cut in two, or has whole where halves stand, or the reverse.

        They are deleted whole before it is integrated, by whoever reads the log.
        """
        torn = set(self.pairs_cut_by(update))
        if is_known_in_part(update, self.state):
            torn.update(self._lease(self._pairs.differing(update, self.state)))
        return sorted(torn)

    def apply(self, update: InspectedUpdate) -> InspectedUpdate:
        """Integrate a client's update whose predecessors are here; what of it is new is to be logged and sent.

        Raises UpdateRefused, with nothing changed, when the document must not become what it would.
        """
        news = self._news(update)
        self._integrate(news)
        return news

    def judge(self, update: InspectedUpdate) -> None:
        """Raise UpdateRefused if ``apply`` would. Changes nothing."""
        news = self._news(update)
        if self._nesting is not None:
            self._nesting.judge(news)

    def _news(self, update: InspectedUpdate) -> InspectedUpdate:
        """What of an update is new. Raises UpdateRefused when that is of too many clients, or in too many places."""
        news = diff_update(update, self.state, self._deleted)
        self._judge_splits(news)
        if len(self.state) + len(news.structs) > DOCUMENT_CLIENTS_MAX:
            new = {struct.client for struct in news.structs if struct.client not in self.state}
            if new and len(self.state) + len(new) > DOCUMENT_CLIENTS_MAX:
                raise UpdateRefused(f"A document has at most {DOCUMENT_CLIENTS_MAX} clients.")
        if self._nesting is None and (news.depth or any(news.parent_of(s) for s in news.structs)):
            # Read on first need: a plain text never pays for it, nor does a document that is only read.
            nesting = Nesting()
            nesting.admit(inspect_stored_update(self.encode()))
            self._nesting = nesting
        return news

    def _judge_splits(self, news: InspectedUpdate) -> None:
        if splits_at_most(news, self.state, self._deleted, SPLITS_MAX) > SPLITS_MAX and (
            not self._learn_deletions() or splits_at_most(news, self.state, self._deleted, SPLITS_MAX) > SPLITS_MAX
        ):
            raise UpdateRefused(f"An update changes a document at no more than {SPLITS_MAX} places.")

    def replay(self, update: InspectedUpdate) -> InspectedUpdate:
        """Integrate an update of the log whose predecessors are here, and tell what of it is new.

        It was judged when it was accepted; but another replica may have accepted it, which saw other characters whole.
        """
        if torn := self.pairs_split_by_log(update):
            self._integrate(deletion(torn))
        news = diff_update(update, self.state, self._deleted)
        self._integrate(news)
        return news

    def _integrate(self, update: InspectedUpdate) -> None:
        if self._nesting is not None:
            self._nesting.admit(update)
        for payload in in_slices(update, self.state, SLICE_STRUCTS_MAX):
            self._native(partial(self._doc.apply_update, payload))
        for struct in update.structs:
            end = struct.clock + struct.length
            if end > self.state.get(struct.client, 0):
                self.state[struct.client] = end
        for deleted in update.deletes:
            self._deleted.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        # Structs delete too: a value of a map the one before it, and what comes into a deleted parent goes with it.
        self._deleted_exact = False
        self._pairs.add(update)
        self._full = None

    def state_vector(self) -> bytes:
        """What is here, as the payload of a SyncStep1."""
        return encode_state_vector(self.state)

    def encode(self) -> bytes:
        """The whole document as one update. The same bytes object until the next change."""
        if self._full is None or self.is_poisoned:
            self._full = self._native(self._doc.get_update)
        return self._full

    def diff(self, state: dict[int, int]) -> bytes:
        """The update that brings a peer that has ``state`` up to date. Always carries every deletion."""
        if not state:
            return self.encode()
        known = encode_state_vector(state)
        return self._native(lambda: self._doc.get_update(known))

    def text(self) -> str:
        """The document as plain text."""
        return self._native(lambda: read_text(self._doc))

    def whole(self) -> bool:
        """Whether the library holds exactly what was given to it: nothing parked, nothing torn."""
        return _counted(self._held_by_library()) == _counted(self.state)

    def reads_back(self) -> bool:
        """Whether what ``encode`` writes is all of this document, to whoever reads it."""
        return self.whole() and self.equals(Document.load(self.encode(), ()))

    def equals(self, other: "Document") -> bool:
        """Whether both hold the same content: clocks, deletions, and what reads back of them.

        What reads back, since how finely the library cuts the same text depends on how it came. And if need be not by
        its bytes, since the library writes the keys of an object in another order each time.
        """
        if _counted(self.state) != _counted(other.state) or self._deletions() != other._deletions():
            return False
        one, theirs = (Document.load(each.encode(), ()).encode() for each in (self, other))
        return one == theirs or equivalent_updates(inspect_stored_update(one), inspect_stored_update(theirs))

    def _lease(self, lows: Iterable[Id]) -> list[Id]:
        """Those of these pairs of which not both halves are deleted."""
        return [(client, low) for client, low in lows if not self._deleted.covers(client, low - 1, low + 1)]

    def _covers(self, update: InspectedUpdate) -> bool:
        return all(self._deleted.covers(d.client, d.clock, d.clock + d.length) for d in update.deletes)

    def _learn_deletions(self) -> bool:
        """Have every deletion at hand. False when they were already."""
        if self._deleted_exact:
            return False
        self._deleted = self._deletions()
        self._deleted_exact = True
        return True

    def _deletions(self) -> IdRanges:
        """Every deleted range, read back: a diff against our own state holds nothing else."""
        own = self._native(self._doc.get_state)
        only_deletes = inspect_stored_update(self._native(lambda: self._doc.get_update(own)))
        ranges = IdRanges()
        for deleted in only_deletes.deletes:
            ranges.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        return ranges

    def _held_by_library(self) -> dict[int, int]:
        """The state vector as the library has it. The bound on peers' state vectors is not one on our own."""
        return decode_state_vector(self._native(self._doc.get_state), entries_max=sys.maxsize)

    def _native(self, call: Callable[[], T]) -> T:
        """One call into the library. A panic arrives as a BaseException and poisons the document."""
        if self.is_poisoned:
            raise DocumentPoisoned
        try:
            return call()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            self.is_poisoned = True  # the call may have stopped half-way
            raise
        except BaseException as cause:
            self.is_poisoned = True
            raise DocumentPoisoned from cause


def _counted(state: dict[int, int]) -> dict[int, int]:
    """A state vector without clients that wrote nothing."""
    return {client: clocks for client, clocks in state.items() if clocks}
