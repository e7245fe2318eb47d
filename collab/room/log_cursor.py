"""What has come of the log, in whatever order, and what of it has its turn.

Rows come from three sides: a replica says what it committed (a hint: early, late, twice or never), the store is read
where something is missing, and this room's own rows come back with a place in the log. It stands between all of
them and the document, which gets the log in its order, without a gap: row ``cursor + 1`` and nothing else.

This room's own rows have been in the document since they were written. Those that come to stand behind a gap are
kept until it is filled, since what fills it may speak against them.
"""

from collections.abc import Iterable, Iterator

from collab.errors import Overloaded
from collab.ids import Sequence, WriterId
from collab.protocol.rows import CommittedRow, Entry, decode_entries

HEARD_ROWS_MAX = 256
"""Rows of other replicas that came ahead of their turn; beyond this they are read from the store."""

OWN_BYTES_MAX = 64 << 20
"""This room's own rows behind one gap. So much can only come together where the store takes rows and gives none."""


class LogCursor:
    """Of one room, whose rows have ``writer``."""

    def __init__(self, cursor: Sequence, writer: WriterId) -> None:
        self.cursor = cursor
        """Every row up to this one is in the document."""
        self._writer = writer
        self._ahead: dict[Sequence, CommittedRow] = {}
        """What has come and whose turn has not."""
        self._own: set[Sequence] = set()
        """Those of them that are this room's, and known to be."""
        self._own_bytes = 0

    @property
    def has_gap(self) -> bool:
        """Whether rows are missing between the cursor and rows of this room."""
        return bool(self._own)

    def committed(self, row: CommittedRow) -> None:
        """A row of this room's own has its place in the log.

        Raises Overloaded when too many of them stand behind a gap that nobody fills.
        """
        if row.seq <= self.cursor:
            return
        self._ahead[row.seq] = row
        self._own.add(row.seq)
        self._own_bytes += len(row.payload)
        if row.seq > self.cursor + 1 and self._own_bytes > OWN_BYTES_MAX:
            raise Overloaded("The log could not be read for too long; reconnect.")

    def heard(self, row: CommittedRow) -> None:
        """A replica says that it has committed a row. What would wait when too many do is not kept."""
        is_next = row.seq == self.cursor + 1
        if row.seq > self.cursor and (is_next or len(self._ahead) - len(self._own) < HEARD_ROWS_MAX):
            self._ahead.setdefault(row.seq, row)

    def read(self, rows: Iterable[CommittedRow]) -> None:
        """The store was read."""
        for row in rows:
            if row.seq > self.cursor:
                self._ahead.setdefault(row.seq, row)

    def is_own(self, seq: Sequence) -> bool:
        """Whether the row ``seq``, whose turn has not come, is this room's."""
        return seq in self._own

    def turns(self) -> Iterator[CommittedRow]:
        """Every row of others whose turn has come, once. The cursor moves over a row when the next is asked for."""
        while (row := self._ahead.pop(Sequence(self.cursor + 1), None)) is not None:
            if row.seq in self._own:
                self._own.remove(row.seq)
                self._own_bytes -= len(row.payload)
            if row.writer != self._writer:
                yield row
            self.cursor = row.seq

    def own_entries(self) -> Iterator[Entry]:
        """What this room wrote that stands behind a gap, in the log's order."""
        for seq in sorted(self._own):
            yield from decode_entries(self._ahead[seq].payload)
