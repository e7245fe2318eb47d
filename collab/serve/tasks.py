"""How an owner ends its tasks: every one, reliably, and without losing its own cancellation.

asyncio's own ways each lose something in a rare moment. A TaskGroup that is cancelled while a child fails reports only
the failure. ``gather`` that is cancelled raises its child's cancellation in place of its caller's, which the cancel
scope above does not recognise. And a library below may swallow one ``cancel`` as its own.

Not every task here can live in an anyio task group, and one style is better than two. A task group must be left by the
task that entered it, but a program that embeds the server may start and stop it in different tasks, and the load of a
room outlives the session that asked for it first.
"""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 0.5
"""Seconds that a cancelled task may take before it is cancelled again."""


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel the tasks until all have ended.

    If the caller is cancelled meanwhile, that same cancellation is raised once they have.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        waiting = asyncio.create_task(asyncio.wait(running, timeout=AGAIN_S))
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
