"""The rows of the log that have arrived, in whatever order, and which of them the room applies next.

Rows come from three sides: another replica tells of one it committed (a hint: early, late, twice or never), the store
is read where something is missing, and this room's own rows come back with a place in the log. The document gets the
log in its order and without a gap: row ``cursor + 1`` and nothing else.

This room's own rows have been in the document since they were written. Those that come after a gap are kept
until it is filled, since what fills it may contradict them.
"""

from collections.abc import Iterable, Iterator

from collab.errors import Overloaded
from collab.ids import Sequence, WriterId
from collab.protocol.rows import CommittedRow, Entry, decode_entries

RELAYED_ROWS_MAX = 256
"""Rows of other replicas kept ahead of their turn; beyond this they are read from the store."""

OWN_BYTES_MAX = 64 << 20
"""Bytes of this room's own rows after one gap. So much only comes together where the store takes rows and returns
none."""


class LogCursor:
    """The cursor of one room, whose rows carry ``writer``, and the rows ahead of it."""

    def __init__(self, cursor: Sequence, writer: WriterId) -> None:
        self.cursor = cursor
        """Every row up to this one is in the document."""
        self._writer = writer
        self._ahead: dict[Sequence, CommittedRow] = {}
        """Rows that have arrived and whose turn has not come."""
        self._own: set[Sequence] = set()
        """Those of them that are known to be this room's."""
        self._own_bytes = 0

    @property
    def has_gap(self) -> bool:
        """True if rows are missing between the cursor and rows of this room."""
        return bool(self._own)

    def from_commit(self, row: CommittedRow) -> None:
        """Take in a row of this room that was committed.

        Raises Overloaded when too many of them come after a gap that is never filled.
        """
        if row.seq <= self.cursor:
            return
        self._ahead[row.seq] = row
        self._own.add(row.seq)
        self._own_bytes += len(row.payload)
        if row.seq > self.cursor + 1 and self._own_bytes > OWN_BYTES_MAX:
            raise Overloaded("The log could not be read for too long; reconnect.")

    def from_relay(self, row: CommittedRow) -> None:
        """Take in a row that another replica says it committed. Beyond ``RELAYED_ROWS_MAX`` it is not kept."""
        is_next = row.seq == self.cursor + 1
        if row.seq > self.cursor and (is_next or len(self._ahead) - len(self._own) < RELAYED_ROWS_MAX):
            self._ahead.setdefault(row.seq, row)

    def from_store(self, rows: Iterable[CommittedRow]) -> None:
        """Take in rows read from the store."""
        for row in rows:
            if row.seq > self.cursor:
                self._ahead.setdefault(row.seq, row)

    def is_own(self, seq: Sequence) -> bool:
        """Return True if row ``seq``, whose turn has not come, is this room's."""
        return seq in self._own

    def ready(self) -> Iterator[CommittedRow]:
        """Yield each row of other writers whose turn has come. The cursor moves past it when the next is asked for."""
        while (row := self._ahead.pop(Sequence(self.cursor + 1), None)) is not None:
            if row.seq in self._own:
                self._own.remove(row.seq)
                self._own_bytes -= len(row.payload)
            if row.writer != self._writer:
                yield row
            self.cursor = row.seq

    def own_entries(self) -> Iterator[Entry]:
        """Yield what this room wrote that comes after a gap, in the log's order."""
        for seq in sorted(self._own):
            yield from decode_entries(self._ahead[seq].payload)
