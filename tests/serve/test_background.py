"""Background tasks: they survive their failures, and end when they are told to."""

import asyncio

import pytest

from collab.serve import background
from collab.serve.background import BackgroundTasks
from tests.waiting import eventually


class Panic(BaseException):
    """What a native library raises, and what `except Exception` does not catch."""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0)


@pytest.mark.parametrize("error", [ValueError("a bug"), Panic()])
async def test_task_that_dies_is_logged_and_started_again(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise error
        await asyncio.Event().wait()

    tasks = BackgroundTasks()
    tasks.start("dying", run)
    await eventually(lambda: runs == 3)
    assert caplog.text.count("task_died") == 2
    await tasks.end()


async def test_end_waits_until_every_task_has_ended() -> None:
    ended: list[str] = []

    async def first() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("first")

    async def second() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("second")

    tasks = BackgroundTasks()
    tasks.start("first", first)
    tasks.start("second", second)
    await asyncio.sleep(0)
    await tasks.end()
    assert sorted(ended) == ["first", "second"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_tasks_may_be_ended_by_another_task_than_started_them() -> None:
    tasks = BackgroundTasks()
    await asyncio.create_task(_start(tasks))
    await asyncio.create_task(tasks.end())
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _start(tasks: BackgroundTasks) -> None:
    tasks.start("waiting", asyncio.Event().wait)  # type: ignore[arg-type]
