"""The answers to "this is what I have" that many clients get alike, each made once and good while people type.

After a restart, or when a meeting begins, everybody opens a document at once: with an empty state vector, or with the
one in which everybody was left. Encoding a long document takes a millisecond, and each update makes the last encoding
old. So an answer is kept together with what was applied since: the client is sent both, in this order, and has the
document. When there is too much of the latter to be worth it, the answer is made anew.

A small answer is always made anew, since that costs no more than a second frame. The bytes are the same objects each
time, so that whoever frames them needs to do it only once.
"""

from collab.crdt.merge import Merged
from collab.crdt.update import InspectedUpdate

NOTHING = b"\x00"
"""The state vector of a client that has nothing."""

VECTORS_MAX = 4
"""State vectors for which an answer is kept, besides the empty one."""

VECTOR_BYTES_MAX = 16 * 1024

SMALL_BYTES = 4096
"""An answer below this size is made anew once the document has changed."""

LATER_SHARE = 8
"""How many times smaller than the answer that which was applied since must be."""

LATER_BYTES_MAX = 64 * 1024

LATER_PARTS_MAX = 512
"""Structs and deletions since. They are put together for every client that asks after another update."""


def later_bytes_max(size: int) -> int:
    """Return how many bytes may be sent after an answer of this size."""
    return 0 if size < SMALL_BYTES else min(size // LATER_SHARE, LATER_BYTES_MAX)


class SharedDiff:
    """An answer, and what was applied since."""

    __slots__ = ("_bytes_left", "_encoded", "_later", "_parts_left", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._bytes_left = later_bytes_max(len(payload))
        self._parts_left = LATER_PARTS_MAX
        self._later = Merged()
        self._encoded: bytes | None = None

    @property
    def is_current(self) -> bool:
        """True if nothing was applied since."""
        return self._later.is_empty

    def add(self, update: InspectedUpdate) -> bool:
        """Note an update that was applied. Return False if the answer is of no more use."""
        self._bytes_left -= len(update.payload)
        self._parts_left -= len(update.structs) + len(update.deletes)
        self._encoded = None
        return self._bytes_left >= 0 and self._parts_left >= 0 and self._later.add(update)

    def later(self) -> bytes | None:
        """Return all that was applied since as one update, or None: the same object until there is more."""
        if self._encoded is None and not self.is_current:
            self._encoded = self._later.encode()
        return self._encoded


class SharedDiffs:
    """Answers by state vector."""

    def __init__(self) -> None:
        self._diffs: dict[bytes, SharedDiff] = {}

    def find(self, vector: bytes) -> SharedDiff | None:
        """Return the answer to a state vector, or None if it must be made."""
        return self._diffs.get(vector)

    def keep(self, vector: bytes, payload: bytes) -> bytes:
        """Keep an answer that was made just now, and return it."""
        if len(vector) <= VECTOR_BYTES_MAX:
            self._diffs[vector] = SharedDiff(payload)
        if len(self._diffs) > VECTORS_MAX + 1:
            del self._diffs[next(each for each in self._diffs if each != NOTHING)]
        return payload

    def add(self, update: InspectedUpdate) -> None:
        """Note an update that was applied."""
        if self._diffs:
            self._diffs = {vector: diff for vector, diff in self._diffs.items() if diff.add(update)}

    def forget(self) -> None:
        """Forget every answer."""
        self._diffs.clear()

    def forget_known(self) -> None:
        """Forget the answers to clients that had something: after a moment, hardly two of them have the same."""
        self._diffs = {vector: diff for vector, diff in self._diffs.items() if vector == NOTHING}
