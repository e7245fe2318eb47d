"""Rooms with much to do take turns, and leave the loop free in between."""

import asyncio
from itertools import pairwise

from collab.serve.loop_turns import TURN_S, LoopTurns


class Clock:
    """A clock that a worker moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Busy:
    """A room with so many steps to do, each of which takes ``step_s``."""

    def __init__(self, name: str, steps: int, clock: Clock, done: list[str], *, step_s: float = TURN_S) -> None:
        self.name = name
        self.left = steps
        self._clock = clock
        self._done = done
        self._step_s = step_s

    def go_on(self) -> bool:
        self.left -= 1
        self._clock.now_s += self._step_s
        self._done.append(self.name)
        return self.left > 0


async def until_done(*rooms: Busy) -> None:
    async with asyncio.timeout(10):
        while any(room.left for room in rooms):  # noqa: ASYNC110 - every turn of the loop counts here
            await asyncio.sleep(0)


async def test_rooms_take_turns() -> None:
    clock, done = Clock(), list[str]()
    turns = LoopTurns(clock)
    rooms = [Busy("a", 3, clock, done), Busy("b", 2, clock, done)]
    for room in rooms:
        turns.ask(room)
        turns.ask(room)
    await until_done(*rooms)
    assert done == ["a", "b", "a", "b", "a"]


async def test_a_room_that_asks_during_its_turn_is_not_given_another() -> None:
    clock, done = Clock(), list[str]()
    turns = LoopTurns(clock)

    class Eager(Busy):
        def go_on(self) -> bool:
            has_more = super().go_on()
            if has_more:
                turns.ask(self)
            return has_more

    rooms = [Eager("a", 4, clock, done), Busy("b", 4, clock, done)]
    for room in rooms:
        turns.ask(room)
    await until_done(*rooms)
    await asyncio.sleep(0)
    assert done == ["a", "b"] * 4


async def test_a_turn_takes_quick_steps_together() -> None:
    clock, done = Clock(), list[str]()
    turns = LoopTurns(clock)
    rooms = [Busy("a", 6, clock, done, step_s=TURN_S / 2.5), Busy("b", 1, clock, done)]
    for room in rooms:
        turns.ask(room)
    await until_done(*rooms)
    assert done == ["a", "a", "a", "b", "a", "a", "a"]


async def test_other_callbacks_run_between_the_turns() -> None:
    clock, done = Clock(), list[str]()
    turns = LoopTurns(clock)
    room = Busy("a", 3, clock, done)
    turns.ask(room)

    async def other() -> None:
        while room.left:
            done.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(other(), until_done(room))
    where = [at for at, each in enumerate(done) if each == "a"]
    assert all(later - earlier > 1 for earlier, later in pairwise(where))


async def test_a_room_that_is_done_may_ask_again() -> None:
    clock, done = Clock(), list[str]()
    turns = LoopTurns(clock)
    room = Busy("a", 1, clock, done)
    turns.ask(room)
    await until_done(room)
    room.left = 2
    turns.ask(room)
    await until_done(room)
    assert done == ["a"] * 3
