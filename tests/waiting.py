"""The way in which tests wait for a condition that no event announces."""

import asyncio
from collections.abc import Callable, Coroutine
from inspect import iscoroutine
from typing import Any


async def eventually(condition: Callable[[], object | Coroutine[Any, Any, object]], *, within_s: float = 15) -> None:
    """Return as soon as ``condition()`` is true; fail if it is not within ``within_s`` seconds."""
    try:
        async with asyncio.timeout(within_s):
            while not await _holds(condition):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"The condition was not true within {within_s} s.") from None


async def _holds(condition: Callable[[], object | Coroutine[Any, Any, object]]) -> bool:
    answer = condition()
    return bool(await answer if iscoroutine(answer) else answer)
