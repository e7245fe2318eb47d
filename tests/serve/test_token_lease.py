"""A lease ends with its token, asks for a fresh one in time, and leaves no timer behind."""

from collections.abc import Callable

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.ids import UserId
from collab.serve.timer_queue import TimerQueue
from collab.serve.token_lease import TokenLease
from tests.serve.parts import WallClock


class Bench:
    """A lease, and what it has done."""

    def __init__(self, lead_s: float = 60) -> None:
        self.clock = WallClock()
        self.timers = TimerQueue(self.clock)
        self.done: list[str] = []
        self.lease = TokenLease(
            self.timers,
            lead_s=lead_s,
            on_expired=lambda: self.done.append("expired"),
            on_renewal_due=self._ask,
        )
        self.on_asked: Callable[[], object] = lambda: None

    def _ask(self) -> None:
        self.done.append("asked")
        self.on_asked()

    def renew(self, ttl_s: float | None) -> None:
        """Let it rest on a token that lives this long."""
        expires_at = None if ttl_s is None else self.clock.now_s + ttl_s
        self.lease.renew(Principal(UserId("ada"), "Ada", None, {"**": Role.EDITOR}, expires_at))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and timers run."""
        self.clock.now_s += seconds
        self.timers.run_due()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lease_expires_with_its_token_and_once(bench: Bench) -> None:
    bench.renew(1)
    bench.pass_time(1)
    bench.lease.expire()
    assert bench.done == ["expired"]
    assert bench.lease.has_expired
    assert len(bench.timers) == 0


def test_a_lease_has_expired_although_its_timer_is_late(bench: Bench) -> None:
    bench.renew(1)
    bench.clock.now_s += 1
    assert bench.lease.has_expired
    assert bench.done == []


def test_a_token_that_never_expires_needs_no_timer(bench: Bench) -> None:
    bench.renew(None)
    assert len(bench.timers) == 0
    assert not bench.lease.has_expired


def test_a_fresh_token_takes_the_place_of_the_old_one(bench: Bench) -> None:
    bench.renew(100)
    bench.renew(1000)
    bench.pass_time(100)
    assert bench.done == []
    bench.pass_time(840)
    assert bench.done == ["asked"]


def test_a_client_is_asked_again_and_again_until_it_is_too_late(bench: Bench) -> None:
    bench.renew(120)
    for _ in range(120):
        bench.pass_time(1)
    assert bench.done == ["asked"] * 6 + ["expired"]


def test_a_client_is_not_asked_when_it_is_too_late_already(bench: Bench) -> None:
    bench.renew(120)
    bench.pass_time(120)
    assert bench.done == ["expired"]


def test_a_client_may_answer_at_once(bench: Bench) -> None:
    bench.on_asked = lambda: bench.renew(200)
    bench.renew(120)
    bench.pass_time(60)
    assert bench.done == ["asked"]
    assert len(bench.timers) == 1
    bench.pass_time(139)
    assert bench.done == ["asked"]


def test_a_token_of_a_second_is_not_asked_for(bench: Bench) -> None:
    bench.renew(1.5)
    bench.pass_time(1)
    assert bench.done == []


def test_a_cancelled_lease_leaves_no_timer(bench: Bench) -> None:
    bench.renew(120)
    bench.lease.cancel()
    assert len(bench.timers) == 0
    bench.pass_time(120)
    assert bench.done == []


def test_an_expired_lease_lives_again_with_a_fresh_token(bench: Bench) -> None:
    bench.renew(1)
    bench.pass_time(1)
    bench.renew(100)
    assert not bench.lease.has_expired
