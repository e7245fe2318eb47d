"""The queue of pending updates: its bounds, and when it releases them."""

from collab.crdt.causality import split_update
from collab.crdt.guard import inspect_update
from collab.ids import SessionId, UserId
from collab.room.pending import EXAMINED_PER_S, ExaminationBudget, PendingLimits, PendingUpdate, PendingUpdates
from collab.room.session import Session
from tests.protocol.build import text, update

ANN, BOB, COY = 1, 2, 3


def waiting(*lefts: tuple[int, int], session: int = 1, since_s: float = 0.0, words: str = "x") -> PendingUpdate:
    """Return an update that waits for each of ``lefts``."""
    clients = ((100 + at, 0, [text(words, left=left)]) for at, left in enumerate(lefts))
    split = split_update(inspect_update(update(*clients)), {})
    assert split.rest is not None
    sender = Session(SessionId(session), UserId("ann"), "Ann", can_write=True)
    return PendingUpdate(sender, split.rest, b"", True, False, since_s, waits_for=split.waits_for)


def pending_updates(*updates: PendingUpdate, **limits: float) -> PendingUpdates:
    pending = PendingUpdates(PendingLimits(**limits))  # type: ignore[arg-type]
    assert all(pending.add(each) for each in updates)
    return pending


def test_update_is_ready_once_its_dependency_arrived() -> None:
    one = waiting((BOB, 3))
    pending = pending_updates(one)
    assert pending.take_ready([BOB], {BOB: 3}) == []
    assert pending.take_ready([COY], {BOB: 4}) == []
    assert pending.take_ready([BOB], {BOB: 4}) == [one]
    assert pending.take_ready([BOB], {BOB: 4}) == []
    assert len(pending) == 0


def test_ready_updates_are_taken_oldest_first() -> None:
    first, second, third = waiting((COY, 0)), waiting((BOB, 5)), waiting((BOB, 0))
    pending = pending_updates(first, second, third)
    assert pending.take_ready([BOB, COY], {BOB: 6, COY: 1}) == [first, second, third]


def test_update_is_examined_once_any_of_its_dependencies_arrived() -> None:
    one = waiting((BOB, 0), (COY, 0))
    pending = pending_updates(one)
    assert pending.take_ready([COY], {COY: 1}) == [one]
    assert pending.take_ready([BOB], {BOB: 1, COY: 1}) == []


def test_update_is_not_examined_for_clients_that_have_not_changed() -> None:
    pending = pending_updates(waiting(*((client, 0) for client in range(2, 50))))
    assert pending.take_ready([99], dict.fromkeys(range(50), 1)) == []


def test_bytes_wait_up_to_the_bound() -> None:
    size = waiting((BOB, 0)).size
    pending = pending_updates(waiting((BOB, 0)), bytes_max=2 * size)
    assert not pending.add(waiting((BOB, 0), words="xy" * size))
    assert pending.add(waiting((BOB, 0)))
    assert not pending.add(waiting((BOB, 0)))
    assert len(pending.take_ready([BOB], {BOB: 1})) == 2
    assert pending.add(waiting((COY, 0)))


def test_frame_larger_than_its_rest_counts_against_the_bound() -> None:
    one = waiting((BOB, 0))
    assert one.size == len(one.update.payload)
    one.frame = bytes(one.size + 10)
    assert one.size == len(one.frame)


def test_updates_wait_up_to_the_bound() -> None:
    pending = pending_updates(waiting((BOB, 0)), waiting((COY, 0)), updates_max=2)
    assert not pending.add(waiting((BOB, 0)))
    assert pending.take_ready([BOB], {BOB: 1})
    assert pending.add(waiting((BOB, 0)))


def test_update_is_overdue_when_it_has_waited_longer_than_allowed() -> None:
    first, second = waiting((BOB, 0), since_s=10.0), waiting((BOB, 0), since_s=11.0)
    pending = pending_updates(first, second, age_s_max=5)
    assert pending.take_overdue(15.0) is None
    assert pending.take_overdue(15.5) is first
    assert pending.take_overdue(15.5) is None
    assert pending.take_overdue(17.0) is second
    assert pending.take_overdue(17.0) is None
    assert pending.take_ready([BOB], {BOB: 1}) == []


def test_session_with_an_unanswered_update_is_known() -> None:
    uncounted = waiting((BOB, 0), session=2)
    uncounted.counted = False
    pending = pending_updates(waiting((BOB, 0)), uncounted)
    assert pending.has_unanswered(SessionId(1))
    assert not pending.has_unanswered(SessionId(2))


def test_index_entries_of_removed_updates_do_not_pile_up() -> None:
    pending = pending_updates(waiting((BOB, 1_000_000)), age_s_max=0)
    for at in range(200):
        pending.add(waiting((COY, 1_000_000), since_s=-at - 1.0))
        while pending.take_overdue(0.0):
            pass
    assert sum(map(len, pending._waiting_on.values())) <= 3


def test_examinations_that_overdraw_the_budget_are_paid_for_with_time() -> None:
    budget = ExaminationBudget()
    assert budget.has_left(100.0)
    budget.spend(2 * EXAMINED_PER_S)
    assert not budget.has_left(100.0)
    assert not budget.has_left(101.0)
    assert budget.has_left(101.5)


def test_budget_of_examinations_does_not_grow_beyond_a_second() -> None:
    budget = ExaminationBudget()
    assert budget.has_left(1_000.0)
    budget.spend(EXAMINED_PER_S)
    assert not budget.has_left(1_000.0)
