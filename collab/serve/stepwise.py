"""Takes the steps of work that belongs to no session, such as loading a document, with turns for others in between."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from collab.crdt.steps import Steps
from collab.serve.loop_turns import TURN_S

T = TypeVar("T")

SLOW_S = 0.02
"""A step that takes so long is slow: it handles a few structs, or a few hundred bytes."""


async def take_steps(steps: Steps[T]) -> T:
    """Take all steps and return the result."""
    began_s = time.monotonic()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.monotonic() - began_s > TURN_S:
            await asyncio.sleep(0)
            began_s = time.monotonic()


async def slow_s(steps: Steps[None], clock: Callable[[], float]) -> float:
    """Take all steps, and return how many seconds the slow ones took."""
    slow = 0.0

    def timed() -> Steps[None]:
        nonlocal slow
        while True:
            began_s = clock()
            try:
                next(steps)
            except StopIteration:
                return
            finally:
                if (spent_s := clock() - began_s) > SLOW_S:
                    slow += spent_s
            yield

    await take_steps(timed())
    return slow
