"""The heartbeat visits every connection once a period."""

import asyncio

import pytest

from collab.serve.heartbeat import PARTS, Heartbeat
from tests.serve.parts import ticks
from tests.waiting import eventually


class Visited:
    """Something that counts its visits, and wants at most ``visits_max``."""

    def __init__(self, visits_max: int = 1000) -> None:
        self.visits = 0
        self._visits_max = visits_max

    def beat(self) -> bool:
        self.visits += 1
        return self.visits < self._visits_max


def beat(heartbeat: Heartbeat, parts: int) -> None:
    for _ in range(parts):
        heartbeat.beat()


def test_each_is_visited_once_a_period() -> None:
    heartbeat = Heartbeat(1)
    all_ = []
    for _ in range(2 * PARTS):
        heartbeat.add(Visited())
        heartbeat.add(each := Visited())
        all_.append(each)
        heartbeat.beat()
    before = [each.visits for each in all_]
    beat(heartbeat, PARTS)
    assert [each.visits for each in all_] == [each + 1 for each in before]
    assert len(heartbeat) == 4 * PARTS


@pytest.mark.parametrize("passed", [0, 5])
def test_first_visit_is_nearly_a_period_away(passed: int) -> None:
    heartbeat = Heartbeat(1)
    beat(heartbeat, passed)
    heartbeat.add(visited := Visited())
    beat(heartbeat, PARTS - 1)
    assert visited.visits == 0
    heartbeat.beat()
    assert visited.visits == 1


def test_visit_that_says_so_is_the_last() -> None:
    heartbeat = Heartbeat(1)
    heartbeat.add(visited := Visited(2))
    heartbeat.add(other := Visited())
    beat(heartbeat, 5 * PARTS)
    assert (visited.visits, other.visits) == (2, 5)
    assert len(heartbeat) == 1


async def test_task_sleeps_while_there_is_nothing_to_visit() -> None:
    heartbeat = Heartbeat(0)
    running = asyncio.create_task(heartbeat.run())
    await ticks(50)
    heartbeat.add(visited := Visited(3))
    await eventually(lambda: visited.visits == 3)
    heartbeat.add(again := Visited(1))
    await eventually(lambda: again.visits == 1)
    running.cancel()
