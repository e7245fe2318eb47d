"""Timers run at their time and once, or not at all if cancelled; cancelled ones do not pile up."""

import asyncio
import time

from collab.serve.timer_queue import CANCELLED_MAX, Timer, TimerQueue
from tests.serve.parts import WallClock, ticks


def test_due_timers_run_once_in_order_of_time() -> None:
    clock, happened = WallClock(), list[str]()
    timers = TimerQueue(clock)
    for name, after_s in (("late", 9), ("second", 5), ("first", 1), ("also second", 5)):
        timers.call_at(clock.now_s + after_s, lambda name=name: happened.append(name))  # type: ignore[misc]
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
    one = timers.call_at(clock.now_s, lambda: happened.append("one"))
    two = timers.call_at(clock.now_s, lambda: happened.append("two"))
    one.cancel()
    one.cancel()
    timers.run_due()
    two.cancel()
    assert (happened, len(timers)) == (["two"], 0)


def test_timer_may_cancel_another_that_is_due() -> None:
    clock, happened = WallClock(), list[str]()
    timers = TimerQueue(clock)
    both: list[Timer] = []

    def happen(which: int) -> None:
        happened.append(str(which))
        both[1 - which].cancel()

    both += [timers.call_at(clock.now_s, lambda: happen(0)), timers.call_at(clock.now_s, lambda: happen(1))]
    timers.run_due()
    assert (happened, len(timers)) == (["0"], 0)


def test_cancelled_timers_do_not_fill_the_heap() -> None:
    clock = WallClock()
    timers = TimerQueue(clock)
    kept = [timers.call_at(clock.now_s + 1, lambda: None) for _ in range(10)]
    for _ in range(5 * CANCELLED_MAX):
        timers.call_at(clock.now_s + 1e9, lambda: None).cancel()
    assert len(timers) == len(kept)
    assert len(timers._heap) <= CANCELLED_MAX + len(kept) + 1
    clock.now_s += 1
    timers.run_due()
    assert len(timers) == 0


async def test_new_earlier_timer_wakes_the_task() -> None:
    timers = TimerQueue(time.time)
    happened = asyncio.Event()
    running = asyncio.create_task(timers.run())
    timers.call_at(time.time() + 1000, lambda: None)
    await asyncio.sleep(0)  # now it waits for that one
    timers.call_at(time.time() + 0.01, happened.set)
    async with asyncio.timeout(10):
        await happened.wait()
    running.cancel()


async def test_clock_set_forward_is_noticed() -> None:
    clock = WallClock()
    timers = TimerQueue(clock)
    happened = asyncio.Event()
    timers.call_at(clock.now_s + 1000, happened.set)
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
    timers.call_at(clock.now_s + 1000, lambda: None)
    running = asyncio.create_task(timers.run())
    await ticks(50)
    running.cancel()
    assert looks <= 4
