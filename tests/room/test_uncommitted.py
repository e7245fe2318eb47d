"""The queue of uncommitted updates, with accepts, acknowledgements and commits in any order."""

from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from collab.ids import Epoch, SessionId, UserId
from collab.protocol.messages import Refused, Saved
from collab.protocol.rows import Entry, decode_entries
from collab.room import uncommitted as module
from collab.room.uncommitted import UPDATE_COST_BYTES, UncommittedQueue
from tests.room.build import NAME, OURS

ANN, BOB = SessionId(1), SessionId(2)


def a_queue() -> UncommittedQueue:
    return UncommittedQueue(NAME, Epoch(0), OURS)


def entry(text: bytes) -> Entry:
    return Entry(UserId("ann"), text)


def words(queue: UncommittedQueue) -> list[bytes]:
    """Return the updates of the next row."""
    row = queue.next_row()
    return [] if row is None else [each.update for each in decode_entries(row.payload)]


def test_acknowledgement_is_due_once_everything_before_it_is_committed() -> None:
    queue = a_queue()
    queue.accept(entry(b"a"))
    queue.add_pending_ack(ANN, Saved(b"a"))
    assert words(queue) == [b"a"]
    queue.accept(entry(b"b"))
    queue.add_pending_ack(BOB, Refused())
    assert list(queue.due_acks()) == []
    queue.commit()[0]
    assert list(queue.due_acks()) == [(ANN, Saved(b"a"))]
    assert words(queue) == [b"b"]
    queue.commit()[0]
    assert list(queue.due_acks()) == [(BOB, Refused())]
    assert queue.is_all_committed


def test_only_one_row_is_in_flight_and_it_never_changes() -> None:
    queue = a_queue()
    queue.accept(entry(b"a"))
    first = queue.next_row()
    assert first is not None
    queue.accept(entry(b"b"))
    assert queue.next_row() is None
    assert queue.commit()[0] is first
    second = queue.next_row()
    assert second is not None
    assert (first.n, second.n) == (1, 2)
    assert [each.update for each in decode_entries(second.payload)] == [b"b"]


def test_row_is_bounded_except_for_a_single_larger_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROW_BYTES_MAX", 2 * (UPDATE_COST_BYTES + 1))
    queue = a_queue()
    for text in (b"a", b"b", b"c", b"x" * 10_000, b"d"):
        queue.accept(entry(text))
    rows = []
    while row := words(queue):
        rows.append(row)
        queue.commit()[0]
    assert rows == [[b"a", b"b"], [b"c"], [b"x" * 10_000], [b"d"]]


def test_entries_are_uncommitted_updates_in_order_including_in_flight() -> None:
    queue = a_queue()
    for text in (b"a", b"b"):
        queue.accept(entry(text))
    queue.next_row()
    queue.accept(entry(b"c"))
    assert [each.update for each in queue.entries()] == [b"a", b"b", b"c"]
    queue.commit()[0]
    assert [each.update for each in queue.entries()] == [b"c"]


def test_session_that_left_gets_no_acknowledgement() -> None:
    queue = a_queue()
    queue.accept(entry(b"a"))
    queue.add_pending_ack(ANN, Saved(b"a"))
    assert queue.pending_acks(ANN) == 1
    queue.forget(ANN)
    assert queue.pending_acks(ANN) == 0
    queue.next_row()
    queue.commit()[0]
    assert list(queue.due_acks()) == []


class Bookkeeping(RuleBasedStateMachine):
    """A queue, compared with a list of everything accepted and the length of its durable prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = a_queue()
        self.texts = (number.to_bytes(4) for number in count())
        self.accepted: list[bytes] = []
        self.durable = self.under_way = 0
        self.pending: dict[SessionId, list[tuple[int, bytes]]] = {ANN: [], BOB: []}

    @rule()
    def accept(self) -> None:
        self.accepted.append(next(self.texts))
        assert self.queue.accept(entry(self.accepted[-1])) == UPDATE_COST_BYTES + 4

    @rule(session=st.sampled_from([ANN, BOB]))
    def add_pending_ack(self, session: SessionId) -> None:
        text = next(self.texts)
        self.pending[session].append((len(self.accepted), text))
        self.queue.add_pending_ack(session, Saved(text))

    @rule()
    def form(self) -> None:
        row = words(self.queue)
        if self.under_way:
            assert row == []
        else:
            assert row == self.accepted[self.durable :]
            self.under_way = len(row)

    @precondition(lambda self: self.under_way)
    @rule()
    def commit(self) -> None:
        self.queue.commit()[0]
        self.durable += self.under_way
        self.under_way = 0

    @rule()
    def answer(self) -> None:
        due: dict[SessionId, list[Saved | Refused]] = {ANN: [], BOB: []}
        for session, answer in self.queue.due_acks():
            due[session].append(answer)
        for session, pending in self.pending.items():
            assert due[session] == [Saved(text) for position, text in pending if position <= self.durable]
            pending[:] = [(position, text) for position, text in pending if position > self.durable]

    @invariant()
    def adds_up(self) -> None:
        unsaved = self.accepted[self.durable :]
        assert [each.update for each in self.queue.entries()] == unsaved
        assert self.queue.unsaved_bytes == len(unsaved) * (UPDATE_COST_BYTES + 4)
        assert self.queue.is_all_committed == self.queue.is_durable == (not unsaved)
        assert [self.queue.pending_acks(session) for session in self.pending] == [
            len(pending) for pending in self.pending.values()
        ]


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
