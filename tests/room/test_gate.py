"""Updates that wait: how many, how long, and for what."""

from collab.ids import SessionId, UserId
from collab.protocol.update import InspectedUpdate, inspect_update
from collab.room.causality import NEVER, first_missing
from collab.room.gate import Gate, GateLimits, Held
from tests.protocol.build import text, update

ANN, BOB, COY = 1, 2, 3
ANYTIME_S = 100.0


def waits_for(client: int, clock: int, *, of: int = ANN, words: str = "x") -> InspectedUpdate:
    return inspect_update(update((of, 0, [text(words, left=(client, clock))])))


def held(update: InspectedUpdate, *, session: int | None = 1, since_s: float = 0.0) -> Held:
    missing = first_missing(update, {})
    assert missing is not None
    if session is None:
        return Held.of_log(update, missing)
    return Held(SessionId(session), UserId("ann"), update, counted=True, since_s=since_s, missing=missing)


def test_update_is_released_once_what_it_waits_for_has_come() -> None:
    gate = Gate(GateLimits())
    waiting = held(waits_for(BOB, 3))
    assert gate.hold(waiting)
    assert gate.release({BOB: 3}) is None
    assert gate.release({BOB: 4}) is waiting
    assert gate.release({BOB: 4}) is None
    assert len(gate) == 0


def test_oldest_ready_update_is_released_first() -> None:
    gate = Gate(GateLimits())
    first, second, third = held(waits_for(COY, 0)), held(waits_for(BOB, 0)), held(waits_for(BOB, 0))
    for each in (first, second, third):
        gate.hold(each)
    assert gate.release({BOB: 1}) is second
    assert gate.release({BOB: 1}) is third
    assert gate.release({BOB: 1}) is None
    assert gate.release({BOB: 1, COY: 1}) is first


def test_update_that_lacks_more_goes_on_waiting_for_the_rest() -> None:
    gate = Gate(GateLimits())
    waiting = held(inspect_update(update((ANN, 0, [text("x", left=(BOB, 0), right=(COY, 0))]))))
    gate.hold(waiting)
    assert gate.release({BOB: 1}) is None
    assert waiting.missing == (COY, 0)
    assert gate.release({BOB: 1, COY: 1}) is waiting


def test_update_is_not_read_again_for_what_it_does_not_wait_for() -> None:
    class Asked(dict[int, int]):
        """Remembers the clients it was asked about."""

        def get(self, client: int, default: int = 0) -> int:  # type: ignore[override]
            asked.append(client)
            return super().get(client, default)

    asked: list[int] = []
    gate = Gate(GateLimits())
    many = [text("x", left=(COY, clock)) for clock in range(1000)]
    gate.hold(held(inspect_update(update((ANN, 0, [text("x", left=(BOB, 0)), *many])))))
    gate.release(Asked({ANN: 5, COY: 9}))
    assert asked == [BOB]


def test_update_that_can_never_be_ready_is_never_released() -> None:
    gate = Gate(GateLimits())
    knot = held(inspect_update(update((ANN, 0, [text("a", left=(BOB, 0))]), (BOB, 0, [text("b", left=(ANN, 0))]))))
    assert knot.missing == NEVER
    gate.hold(knot)
    assert gate.release({ANN: 1, BOB: 1, NEVER[0]: NEVER[1]}) is None


def test_as_many_bytes_wait_as_allowed_and_not_one_more() -> None:
    size = len(waits_for(BOB, 0).payload)
    gate = Gate(GateLimits(bytes_max=2 * size))
    assert gate.hold(held(waits_for(BOB, 0)))
    assert not gate.hold(held(waits_for(BOB, 0, words="xy" * size)))
    assert gate.hold(held(waits_for(BOB, 0)))
    assert not gate.hold(held(waits_for(BOB, 0)))
    assert gate.release({BOB: 1}) is not None
    assert gate.hold(held(waits_for(COY, 0)))


def test_as_many_updates_wait_as_allowed_and_not_one_more() -> None:
    gate = Gate(GateLimits(updates_max=2))
    assert [gate.hold(held(waits_for(BOB, 0))) for _ in range(3)] == [True, True, False]
    assert gate.release({BOB: 1}) is not None
    assert gate.hold(held(waits_for(BOB, 0)))


def test_rows_of_the_log_wait_without_bound_and_take_nobody_s_place() -> None:
    gate = Gate(GateLimits(bytes_max=len(waits_for(BOB, 0).payload), updates_max=1, age_s_max=1))
    assert all(gate.hold(held(waits_for(BOB, 0), session=None)) for _ in range(5))
    assert gate.hold(held(waits_for(BOB, 0)))
    assert gate.expire(ANYTIME_S) is not None
    assert gate.expire(ANYTIME_S) is None
    assert len(gate) == 5
    assert gate.release({BOB: 1}) is not None
    assert gate.hold(held(waits_for(BOB, 0)))


def test_update_expires_when_it_has_waited_longer_than_allowed() -> None:
    gate = Gate(GateLimits(age_s_max=5))
    late, later = held(waits_for(BOB, 0), since_s=10.0), held(waits_for(BOB, 0), since_s=11.0)
    gate.hold(late)
    gate.hold(later)
    assert gate.expire(15.0) is None
    assert gate.expire(15.5) is late
    assert gate.expire(15.5) is None
    assert gate.expire(17.0) is later
    assert len(gate) == 0
