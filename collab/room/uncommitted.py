"""What a room has accepted and the log does not have yet, and the answers that wait for it.

It stands between the room, which decides what is accepted, and the store. It keeps the durable prefix: every accepted
update gets a position, and an answer is due once every position up to its own is committed, never before.

Rows are formed here, one at a time: while a row is on its way to the store, what comes meanwhile waits for the next. A
row is frozen until its outcome is known, so it can be offered again without doubt.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from collab.ids import DocumentName, Epoch, SessionId, WriterId
from collab.protocol.messages import Refused, Saved
from collab.protocol.rows import Entry, Row, decode_entries, encode_entries

UPDATE_COST_BYTES = 256
"""What an update that waits for the log costs in memory beside its own bytes."""

ROW_BYTES_MAX = 4 << 20
"""A row takes no further update once it is so large; one larger update still makes a row of its own."""


@dataclass(frozen=True, slots=True)
class _PendingAck:
    """The answer to one frame, which waits for the log to reach ``position``."""

    position: int
    answer: Saved | Refused


@dataclass(frozen=True, slots=True)
class _Flight:
    """The row that is on its way to the store, the last position in it, and its share of ``unsaved_bytes``."""

    row: Row
    through: int
    size: int


class UncommittedQueue:
    """Of one room; the names are for its rows."""

    def __init__(self, name: DocumentName, epoch: Epoch, writer: WriterId) -> None:
        self._name = name
        self._epoch = epoch
        self._writer = writer
        self.waiting: deque[Entry] = deque()
        """What is accepted and in no row yet."""
        self.unsaved_bytes = 0
        """What the updates that are accepted and not committed take in memory."""
        self.applied = 0
        """The position of the last update that was accepted."""
        self._durable = 0
        self._flight: _Flight | None = None
        self._rows_formed = 0
        self._receipts: dict[SessionId, deque[_PendingAck]] = {}

    @property
    def is_settled(self) -> bool:
        """Nothing waits, and no row is on its way."""
        return not self.waiting and self._flight is None

    @property
    def is_durable(self) -> bool:
        """Everything accepted is committed: an answer need not wait."""
        return self._durable == self.applied

    @property
    def bytes_under_way(self) -> int:
        """The share of ``unsaved_bytes`` that is in the row on its way to the store."""
        return 0 if self._flight is None else self._flight.size

    def accept(self, entry: Entry) -> int:
        """Give an update its position. What it costs in memory until it is committed."""
        cost = _cost(entry)
        self.waiting.append(entry)
        self.unsaved_bytes += cost
        self.applied += 1
        return cost

    def owe(self, session: SessionId, answer: Saved | Refused) -> None:
        """``answer`` is due once everything accepted so far is committed."""
        self._receipts.setdefault(session, deque()).append(_PendingAck(self.applied, answer))

    def owed(self, session: SessionId) -> int:
        """How many answers of a session wait."""
        return len(self._receipts.get(session, ()))

    def forget(self, session: SessionId) -> None:
        """Nobody is there to be answered any more."""
        self._receipts.pop(session, None)

    def next_row(self) -> Row | None:
        """The row to append next. None when nothing waits, or while another is on its way."""
        if self._flight is not None or not self.waiting:
            return None
        entries = [self.waiting.popleft()]
        size = _cost(entries[0])
        while self.waiting and size + _cost(self.waiting[0]) <= ROW_BYTES_MAX:
            entries.append(self.waiting.popleft())
            size += _cost(entries[-1])
        self._rows_formed += 1
        row = Row(self._name, self._epoch, self._writer, self._rows_formed, encode_entries(entries))
        self._flight = _Flight(row, self._durable + len(entries), size)
        return row

    def committed(self) -> Row:
        """The row on its way has come to the log. Which it was."""
        assert self._flight is not None
        flight, self._flight = self._flight, None
        self._durable = flight.through
        self.unsaved_bytes -= flight.size
        return flight.row

    def due(self) -> Iterator[tuple[SessionId, Saved | Refused]]:
        """Every answer whose turn has come, taken out."""
        for session, receipts in list(self._receipts.items()):
            while receipts and receipts[0].position <= self._durable:
                yield session, receipts.popleft().answer
            if not receipts:
                del self._receipts[session]

    def uncommitted(self) -> Iterator[Entry]:
        """Every update that is accepted and not committed, in order."""
        if self._flight is not None:
            yield from decode_entries(self._flight.row.payload)
        yield from self.waiting


def _cost(entry: Entry) -> int:
    return len(entry.update) + UPDATE_COST_BYTES
