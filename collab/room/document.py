"""The CRDT behind one wrapper: the only module of the server that changes a pycrdt document.

It stands between the room, which thinks in inspected updates, and a native library that is fast and not to be
trusted: it panics with a BaseException, it loses what arrives out of order, and a document that
raised once must never be read again. So nothing reaches it that the guard has not read and whose predecessors
are not here, every call goes through ``_native``, and after the first failure the document is poison.

It also keeps, in plain Python, what it has: the state vector and the deleted ranges. "Is this new?" and "is
something missing?" are then answered without asking the library.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pycrdt

from collab.errors import RoomClosed
from collab.protocol.messages import EMPTY_UPDATE
from collab.protocol.ranges import IdRanges
from collab.protocol.statevector import decode_state_vector, encode_state_vector
from collab.protocol.update import InspectedUpdate, inspect_stored_update
from collab.room.causality import is_ready
from collab.room.plaintext import read_text

T = TypeVar("T")


class DocumentPoisoned(RoomClosed):
    """The document is being loaded anew; reconnect."""


class Document:
    """One document's content. Every method may raise DocumentPoisoned; from then on every method does."""

    def __init__(self) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._poisoned = False
        self._deleted = IdRanges()
        self._deleted_exact = True
        self._full: bytes | None = EMPTY_UPDATE
        self.state: dict[int, int] = {}
        """What is here: client id → number of clocks. Read it, never write it."""

    @classmethod
    def load(cls, snapshot: bytes | None, updates: Iterable[bytes]) -> "Document":
        """A document from a snapshot and the updates after it, which must be in causal order."""
        document = cls()
        if snapshot is not None:
            document._native(lambda: document._doc.apply_update(snapshot))
            document.state = decode_state_vector(document._native(document._doc.get_state))
            document._full = None
            document._deleted_exact = False
        for update in updates:
            document.apply(inspect_stored_update(update))
        return document

    def has(self, update: InspectedUpdate, *, exact: bool = False) -> bool:
        """Whether the update would add nothing: its structs and its deletions are all here.

        The ranges kept here do not know of children that were deleted with their parent. ``exact`` asks the
        library when in doubt; without it, an update may be called new that is not, and never the reverse.
        """
        if any(s.clock + s.length > self.state.get(s.client, 0) for s in update.structs):
            return False
        if self._covers(update):
            return True
        if not exact or self._deleted_exact:
            return False
        self._deleted = self._deletions()
        self._deleted_exact = True
        return self._covers(update)

    def is_ready_for(self, update: InspectedUpdate) -> bool:
        """Whether everything the update builds on is here."""
        return is_ready(update, self.state)

    def apply(self, update: InspectedUpdate) -> None:
        """Integrate an update whose predecessors are here."""
        self._native(lambda: self._doc.apply_update(update.payload))
        for struct in update.structs:
            end = struct.clock + struct.length
            if end > self.state.get(struct.client, 0):
                self.state[struct.client] = end
        for deleted in update.deletes:
            self._deleted.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        if update.deletes:
            self._deleted_exact = False
        self._full = None

    def state_vector(self) -> bytes:
        """What is here, as the payload of a SyncStep1."""
        return encode_state_vector(self.state)

    def encode(self) -> bytes:
        """The whole document as one update. The same bytes object until the next change."""
        if self._full is None:
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
        held = decode_state_vector(self._native(self._doc.get_state))
        return _counted(held) == _counted(self.state)

    def equals(self, other: "Document") -> bool:
        """Whether both hold the same content: clocks, deletions, and what reads back of them."""
        return (
            _counted(self.state) == _counted(other.state)
            and self._deletions() == other._deletions()
            and Document.load(self.encode(), ()).encode() == Document.load(other.encode(), ()).encode()
        )

    def _covers(self, update: InspectedUpdate) -> bool:
        return all(self._deleted.covers(d.client, d.clock, d.clock + d.length) for d in update.deletes)

    def _deletions(self) -> IdRanges:
        """Every deleted range, read back: a diff against our own state holds nothing else."""
        own = self._native(self._doc.get_state)
        only_deletes = inspect_stored_update(self._native(lambda: self._doc.get_update(own)))
        ranges = IdRanges()
        for deleted in only_deletes.deletes:
            ranges.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        return ranges

    def _native(self, call: Callable[[], T]) -> T:
        """One call into the library. A panic arrives as a BaseException and poisons the document."""
        if self._poisoned:
            raise DocumentPoisoned
        try:
            return call()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            self._poisoned = True  # the call may have stopped half-way
            raise
        except BaseException as cause:
            self._poisoned = True
            raise DocumentPoisoned from cause


def _counted(state: dict[int, int]) -> dict[int, int]:
    """A state vector without clients that wrote nothing."""
    return {client: clocks for client, clocks in state.items() if clocks}
