"""Updates that wait: how many, how long, and for what."""

from collab.crdt.causality import NEVER, first_missing
from collab.crdt.guard import inspect_update
from collab.crdt.update import InspectedUpdate
from collab.ids import SessionId, UserId
from collab.room.pending import PendingLimits, PendingUpdate, PendingUpdates
from tests.protocol.build import text, update

ANN, BOB, COY = 1, 2, 3
ANYTIME_S = 100.0


def waits_for(client: int, clock: int, *, of: int = ANN, words: str = "x") -> InspectedUpdate:
    return inspect_update(update((of, 0, [text(words, left=(client, clock))])))


def held(update: InspectedUpdate, *, session: int | None = 1, since_s: float = 0.0) -> PendingUpdate:
    missing = first_missing(update, {})
    assert missing is not None
    if session is None:
        return PendingUpdate.of_log(update, missing)
    return PendingUpdate(SessionId(session), UserId("ann"), update, counted=True, since_s=since_s, missing=missing)


def test_update_is_released_once_what_it_waits_for_has_come() -> None:
    pending = PendingUpdates(PendingLimits())
    waiting = held(waits_for(BOB, 3))
    assert pending.hold(waiting)
    assert pending.release({BOB: 3}) is None
    assert pending.release({BOB: 4}) is waiting
    assert pending.release({BOB: 4}) is None
    assert len(pending) == 0


def test_oldest_ready_update_is_released_first() -> None:
    pending = PendingUpdates(PendingLimits())
    first, second, third = held(waits_for(COY, 0)), held(waits_for(BOB, 0)), held(waits_for(BOB, 0))
    for each in (first, second, third):
        pending.hold(each)
    assert pending.release({BOB: 1}) is second
    assert pending.release({BOB: 1}) is third
    assert pending.release({BOB: 1}) is None
    assert pending.release({BOB: 1, COY: 1}) is first


def test_update_that_lacks_more_goes_on_waiting_for_the_rest() -> None:
    pending = PendingUpdates(PendingLimits())
    waiting = held(inspect_update(update((ANN, 0, [text("x", left=(BOB, 0), right=(COY, 0))]))))
    pending.hold(waiting)
    assert pending.release({BOB: 1}) is None
    assert waiting.missing == (COY, 0)
    assert pending.release({BOB: 1, COY: 1}) is waiting


def test_update_is_not_read_again_for_what_it_does_not_wait_for() -> None:
    class Asked(dict[int, int]):
        """Remembers the clients it was asked about."""

        def get(self, client: int, default: int = 0) -> int:  # type: ignore[override]
            asked.append(client)
            return super().get(client, default)

    asked: list[int] = []
    pending = PendingUpdates(PendingLimits())
    many = [text("x", left=(COY, clock)) for clock in range(1000)]
    pending.hold(held(inspect_update(update((ANN, 0, [text("x", left=(BOB, 0)), *many])))))
    pending.release(Asked({ANN: 5, COY: 9}))
    assert asked == [BOB]


def test_update_that_can_never_be_ready_is_never_released() -> None:
    pending = PendingUpdates(PendingLimits())
    knot = held(inspect_update(update((ANN, 0, [text("a", left=(BOB, 0))]), (BOB, 0, [text("b", left=(ANN, 0))]))))
    assert knot.missing == NEVER
    pending.hold(knot)
    assert pending.release({ANN: 1, BOB: 1, NEVER[0]: NEVER[1]}) is None


def test_as_many_bytes_wait_as_allowed_and_not_one_more() -> None:
    size = len(waits_for(BOB, 0).payload)
    pending = PendingUpdates(PendingLimits(bytes_max=2 * size))
    assert pending.hold(held(waits_for(BOB, 0)))
    assert not pending.hold(held(waits_for(BOB, 0, words="xy" * size)))
    assert pending.hold(held(waits_for(BOB, 0)))
    assert not pending.hold(held(waits_for(BOB, 0)))
    assert pending.release({BOB: 1}) is not None
    assert pending.hold(held(waits_for(COY, 0)))


def test_as_many_updates_wait_as_allowed_and_not_one_more() -> None:
    pending = PendingUpdates(PendingLimits(updates_max=2))
    assert [pending.hold(held(waits_for(BOB, 0))) for _ in range(3)] == [True, True, False]
    assert pending.release({BOB: 1}) is not None
    assert pending.hold(held(waits_for(BOB, 0)))


def test_rows_of_the_log_wait_without_bound_and_take_nobody_s_place() -> None:
    pending = PendingUpdates(PendingLimits(bytes_max=len(waits_for(BOB, 0).payload), updates_max=1, age_s_max=1))
    assert all(pending.hold(held(waits_for(BOB, 0), session=None)) for _ in range(5))
    assert pending.hold(held(waits_for(BOB, 0)))
    assert pending.expire(ANYTIME_S) is not None
    assert pending.expire(ANYTIME_S) is None
    assert len(pending) == 5
    assert pending.release({BOB: 1}) is not None
    assert pending.hold(held(waits_for(BOB, 0)))


def test_update_expires_when_it_has_waited_longer_than_allowed() -> None:
    pending = PendingUpdates(PendingLimits(age_s_max=5))
    late, later = held(waits_for(BOB, 0), since_s=10.0), held(waits_for(BOB, 0), since_s=11.0)
    pending.hold(late)
    pending.hold(later)
    assert pending.expire(15.0) is None
    assert pending.expire(15.5) is late
    assert pending.expire(15.5) is None
    assert pending.expire(17.0) is later
    assert len(pending) == 0
