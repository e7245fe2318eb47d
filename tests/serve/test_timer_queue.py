"""Timers run at their time and once, or not at all if cancelled; cancelled ones do not pile up."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable

from collab.serve.timer_queue import CANCELLED_MAX, Timer, TimerQueue
from tests.serve.parts import WallClock, ticks


class Calling(Timer):
    """A timer that calls a function."""

    def __init__(self, timers: TimerQueue, at_s: float, act: Callable[[], object]) -> None:
        super().__init__(timers)
        self._act = act
        self.run_at(at_s)

    def run(self) -> None:
        self._act()


def test_due_timers_run_once_in_order_of_time() -> None:
    clock, happened = WallClock(), list[str]()
    timers = TimerQueue(clock)
    for name, after_s in (("late", 9), ("second", 5), ("first", 1), ("also second", 5)):
        Calling(timers, clock.now_s + after_s, lambda name=name: happened.append(name))  # type: ignore[misc]
    timers.run_due()
    assert happened == []
    clock.now_s += 5
    timers.run_due()
    timers.run_due()
    assert happened == ["first", "second", "also second"]
    assert len(timers) == 1


def test_cancelled_timer_does_not_run() -> None:
    clock, happened = WallClock(), list[str]()
    timers = TimerQueue(clock)
    one = Calling(timers, clock.now_s, lambda: happened.append("one"))
    two = Calling(timers, clock.now_s, lambda: happened.append("two"))
    one.stop()
    one.stop()
    timers.run_due()
    two.stop()
    assert (happened, len(timers)) == (["two"], 0)


def test_timer_runs_only_at_the_time_that_was_set_last() -> None:
    clock, happened = WallClock(), list[float]()
    timers = TimerQueue(clock)
    timer = Calling(timers, clock.now_s + 1, lambda: happened.append(clock.now_s))
    timer.run_at(clock.now_s + 3)
    timer.run_at(clock.now_s + 2)
    assert len(timers) == 1
    end_s = clock.now_s + 2
    for _ in range(4):
        clock.now_s += 1
        timers.run_due()
    assert (happened, len(timers)) == ([end_s], 0)


def test_timer_may_set_itself_again() -> None:
    clock, happened = WallClock(), list[float]()
    timers = TimerQueue(clock)

    def again() -> None:
        happened.append(clock.now_s)
        timer.run_at(clock.now_s + 1)

    timer = Calling(timers, clock.now_s, again)
    for _ in range(2):
        timers.run_due()
        clock.now_s += 1
    assert (len(happened), len(timers)) == (2, 1)


def test_timer_may_cancel_another_that_is_due() -> None:
    clock, happened = WallClock(), list[str]()
    timers = TimerQueue(clock)
    both: list[Timer] = []

    def happen(which: int) -> None:
        happened.append(str(which))
        both[1 - which].stop()

    both += [Calling(timers, clock.now_s, lambda: happen(0)), Calling(timers, clock.now_s, lambda: happen(1))]
    timers.run_due()
    assert (happened, len(timers)) == (["0"], 0)


def test_cancelled_timers_do_not_fill_the_heap() -> None:
    clock = WallClock()
    timers = TimerQueue(clock)
    kept = [Calling(timers, clock.now_s + 1, lambda: None) for _ in range(10)]
    for _ in range(5 * CANCELLED_MAX):
        Calling(timers, clock.now_s + 1e9, lambda: None).stop()
    assert len(timers) == len(kept)
    assert len(timers._heap) <= CANCELLED_MAX + len(kept) + 1
    clock.now_s += 1
    timers.run_due()
    assert len(timers) == 0


def test_cancelled_timer_is_let_go_at_once() -> None:
    """With it goes its connection: tokens last longer than the sockets on which they were shown."""
    clock = WallClock()
    timers = TimerQueue(clock)
    timer = Calling(timers, clock.now_s + 1e9, lambda: None)
    gone = weakref.ref(timer)
    timer.stop()
    del timer
    gc.collect()
    assert gone() is None


async def test_new_earlier_timer_wakes_the_task() -> None:
    timers = TimerQueue(time.time)
    happened = asyncio.Event()
    running = asyncio.create_task(timers.run())
    Calling(timers, time.time() + 1000, lambda: None)
    await asyncio.sleep(0)  # now it waits for that one
    Calling(timers, time.time() + 0.01, happened.set)
    async with asyncio.timeout(10):
        await happened.wait()
    running.cancel()


async def test_clock_set_forward_is_noticed() -> None:
    clock = WallClock()
    timers = TimerQueue(clock)
    happened = asyncio.Event()
    Calling(timers, clock.now_s + 1000, happened.set)
    running = asyncio.create_task(timers.run())
    await asyncio.sleep(0)
    clock.now_s += 1000
    async with asyncio.timeout(10):
        await happened.wait()
    running.cancel()


async def test_the_task_sleeps_while_no_timer_is_due() -> None:
    looks = 0
    clock = WallClock()

    def look() -> float:
        nonlocal looks
        looks += 1
        return clock.now_s

    timers = TimerQueue(look)
    Calling(timers, clock.now_s + 1000, lambda: None)
    running = asyncio.create_task(timers.run())
    await ticks(50)
    running.cancel()
    assert looks <= 4
