"""Readiness is the store's answer, kept for a second."""

import asyncio

import pytest

from collab.errors import StoreUnavailable
from collab.serve import readiness as module
from collab.serve.readiness import HOLDS_S, Readiness
from collab.store.memory import MemoryStore
from tests.waiting import eventually


class Database(MemoryStore):
    """A store that answers, is away or hangs, and counts the questions."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.is_away = self.hangs = False

    async def ping(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable
        if self.hangs:
            await asyncio.Event().wait()


async def test_store_is_asked_once_a_second() -> None:
    database, now_s = Database(), 100.0
    readiness = Readiness(database, clock=lambda: now_s)
    await asyncio.gather(*(readiness.check() for _ in range(100)))
    now_s += HOLDS_S - 0.01
    await readiness.check()
    assert database.asked == 1
    now_s += 0.01
    await readiness.check()
    assert database.asked == 2


async def test_store_that_is_away_or_hangs_is_noticed_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_S_MAX", 0.01)
    database, now_s = Database(), 100.0
    readiness = Readiness(database, clock=lambda: now_s)
    await readiness.check()
    for database.is_away, database.hangs in ((True, False), (False, True)):
        now_s += HOLDS_S
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await readiness.check()
    database.hangs = False
    now_s += HOLDS_S
    await readiness.check()
    assert database.asked == 4


async def test_cancelled_check_does_not_break_the_next() -> None:
    database = Database()
    database.hangs = True
    readiness = Readiness(database, clock=lambda: 100.0)
    asking = asyncio.create_task(readiness.check())
    await eventually(lambda: database.asked == 1)
    asking.cancel()
    await asyncio.wait({asking})
    database.hangs = False
    await readiness.check()
    assert database.asked == 2
