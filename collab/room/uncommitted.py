"""The updates that a room has accepted and the log does not have yet, and the acknowledgements that wait for them.

Here is the durable prefix: every accepted update gets a position, and an acknowledgement is due once every position up
to its own is committed, never before.

Rows are formed here, one at a time: while a row is on its way to the store, what arrives waits for the next. A row is
frozen until its outcome is known, so it can be offered again without doubt.
"""

from collections import deque
from collections.abc import Iterator

from collab.ids import DocumentName, Epoch, SessionId, WriterId
from collab.protocol.messages import Refused, Saved
from collab.protocol.rows import Entry, Row, decode_entries, encode_entries
from collab.record import record

UPDATE_COST_BYTES = 256
"""Memory that an update waiting for the log occupies on top of its own bytes."""

ROW_BYTES_MAX = 4 << 20
"""A row takes no further update once it is this large; one larger update still makes a row of its own."""


@record
class _PendingAck:
    """The answer to one frame, which waits for the log to reach ``position``."""

    position: int
    answer: Saved | Refused


@record
class _RowInFlight:
    """The row on its way to the store, the last position in it, and its share of ``unsaved_bytes``."""

    row: Row
    last_position: int
    size: int


class UncommittedQueue:
    """The uncommitted updates of one room. ``name``, ``epoch`` and ``writer`` go into its rows."""

    def __init__(self, name: DocumentName, epoch: Epoch, writer: WriterId) -> None:
        self._name = name
        self._epoch = epoch
        self._writer = writer
        self._waiting: deque[Entry] = deque()
        """What is accepted and in no row yet."""
        self.unsaved_bytes = 0
        """Memory that the accepted and uncommitted updates occupy."""
        self._accepted = 0
        """Position of the last update that was accepted."""
        self._durable = 0
        """Position of the last update that is committed."""
        self._in_flight: _RowInFlight | None = None
        self._rows_formed = 0
        self._acks: dict[SessionId, deque[_PendingAck]] = {}

    @property
    def is_all_committed(self) -> bool:
        """True if no update waits and no row is on its way."""
        return not self._waiting and self._in_flight is None

    @property
    def is_durable(self) -> bool:
        """True if everything accepted is committed, so that an acknowledgement need not wait."""
        return self._durable == self._accepted

    def accept(self, entry: Entry) -> int:
        """Give an update its position. Return the memory it occupies until it is committed."""
        cost = len(entry.update) + UPDATE_COST_BYTES
        self._waiting.append(entry)
        self.unsaved_bytes += cost
        self._accepted += 1
        return cost

    def add_pending_ack(self, session: SessionId, answer: Saved | Refused) -> None:
        """Have ``answer`` fall due once everything accepted so far is committed."""
        self._acks.setdefault(session, deque()).append(_PendingAck(self._accepted, answer))

    def pending_acks(self, session: SessionId) -> int:
        """Return the number of answers that wait for this session."""
        return len(self._acks.get(session, ()))

    def forget(self, session: SessionId) -> None:
        """Drop the answers for a session that has ended."""
        self._acks.pop(session, None)

    def next_row(self) -> Row | None:
        """Return the row to append next. None when nothing waits, or while another is on its way."""
        if self._in_flight is not None or not self._waiting:
            return None
        entries: list[Entry] = []
        size = 0
        while self._waiting:
            cost = len(self._waiting[0].update) + UPDATE_COST_BYTES
            if entries and size + cost > ROW_BYTES_MAX:
                break
            entries.append(self._waiting.popleft())
            size += cost
        self._rows_formed += 1
        author = entries[0].author
        row = Row(self._name, self._epoch, self._writer, self._rows_formed, encode_entries(entries), author)
        self._in_flight = _RowInFlight(row, self._durable + len(entries), size)
        return row

    def commit(self) -> tuple[Row, int]:
        """Note that the row on its way is committed. Return it, and the memory its updates occupied."""
        assert self._in_flight is not None
        flight, self._in_flight = self._in_flight, None
        self._durable = flight.last_position
        self.unsaved_bytes -= flight.size
        return flight.row, flight.size

    def due_acks(self) -> Iterator[tuple[SessionId, Saved | Refused]]:
        """Yield every answer that is due now, and forget it."""
        for session, acks in list(self._acks.items()):
            while acks and acks[0].position <= self._durable:
                yield session, acks.popleft().answer
            if not acks:
                del self._acks[session]

    def entries(self) -> Iterator[Entry]:
        """Yield every update that is accepted and not committed, in order."""
        if self._in_flight is not None:
            yield from decode_entries(self._in_flight.row.payload)
        yield from self._waiting
