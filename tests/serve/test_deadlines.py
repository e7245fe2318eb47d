"""Deadlines: each at its time, none twice, none that was cancelled, and no heap of cancelled ones."""

import asyncio
import time

from collab.serve.deadlines import CANCELLED_MAX, Deadline, Deadlines
from tests.serve.parts import WallClock


def test_what_is_due_happens_in_the_order_of_time_and_once() -> None:
    clock, happened = WallClock(), list[str]()
    deadlines = Deadlines(clock)
    for name, after_s in (("late", 9), ("second", 5), ("first", 1), ("also second", 5)):
        deadlines.at(clock.now_s + after_s, lambda name=name: happened.append(name))  # type: ignore[misc]
    deadlines.fire()
    assert happened == []
    clock.now_s += 5
    deadlines.fire()
    deadlines.fire()
    assert happened == ["first", "second", "also second"]
    assert len(deadlines) == 1


def test_what_was_cancelled_does_not_happen() -> None:
    clock, happened = WallClock(), list[str]()
    deadlines = Deadlines(clock)
    one = deadlines.at(clock.now_s, lambda: happened.append("one"))
    two = deadlines.at(clock.now_s, lambda: happened.append("two"))
    one.cancel()
    one.cancel()
    deadlines.fire()
    two.cancel()
    assert (happened, len(deadlines)) == (["two"], 0)


def test_one_may_cancel_another_that_is_due_as_well() -> None:
    clock, happened = WallClock(), list[str]()
    deadlines = Deadlines(clock)
    both: list[Deadline] = []

    def happen(which: int) -> None:
        happened.append(str(which))
        both[1 - which].cancel()

    both += [deadlines.at(clock.now_s, lambda: happen(0)), deadlines.at(clock.now_s, lambda: happen(1))]
    deadlines.fire()
    assert (happened, len(deadlines)) == (["0"], 0)


def test_short_connections_with_long_tokens_leave_no_heap_behind() -> None:
    clock = WallClock()
    deadlines = Deadlines(clock)
    kept = [deadlines.at(clock.now_s + 1, lambda: None) for _ in range(10)]
    for _ in range(5 * CANCELLED_MAX):
        deadlines.at(clock.now_s + 1e9, lambda: None).cancel()
    assert len(deadlines) == len(kept)
    assert len(deadlines._heap) <= CANCELLED_MAX + len(kept) + 1
    clock.now_s += 1
    deadlines.fire()
    assert len(deadlines) == 0


async def test_the_task_is_woken_by_an_earlier_one() -> None:
    deadlines = Deadlines(time.time)
    happened = asyncio.Event()
    running = asyncio.create_task(deadlines.run())
    deadlines.at(time.time() + 1000, lambda: None)
    await asyncio.sleep(0)  # it waits for that one now
    deadlines.at(time.time() + 0.01, happened.set)
    async with asyncio.timeout(10):
        await happened.wait()
    running.cancel()


async def test_a_clock_that_was_set_forward_is_noticed() -> None:
    clock = WallClock()
    deadlines = Deadlines(clock)
    happened = asyncio.Event()
    deadlines.at(clock.now_s + 1000, happened.set)
    running = asyncio.create_task(deadlines.run())
    await asyncio.sleep(0)
    clock.now_s += 1000
    async with asyncio.timeout(10):
        await happened.wait()
    running.cancel()
