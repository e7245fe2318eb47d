"""The server's own tasks: the log writer, the timers and the like.

A task that dies of a bug is logged and started again, because a server without its log writer would accept edits and
never save them. The tasks are plain asyncio tasks: an anyio task group must be left by the task that entered it, while
a program that embeds the server may start and stop it in different tasks, as test fixtures often do.
"""

import asyncio
from collections.abc import Awaitable, Callable

from collab.observe.logs import get_logger
from collab.serve import tasks

log = get_logger("server")

RESTART_S = 1.0
"""How long a task that died waits before it starts again."""


class BackgroundTasks:
    """Tasks that run from `start` to `end`, whatever happens in them."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task that calls `run`, and calls it again whenever it raises."""
        self._tasks.append(asyncio.create_task(_keep_running(run), name=name))

    async def end(self) -> None:
        """Cancel the tasks and return when the last has ended."""
        await tasks.end(self._tasks)


async def _keep_running(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a native library's panic is not an Exception
            log.exception("task_died", restart_s=RESTART_S)
            await asyncio.sleep(RESTART_S)
