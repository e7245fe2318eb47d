"""How tasks are ended by whoever owns them: all of them, surely, and without losing whose cancellation it was.

asyncio's own ways each lose something in a rare moment. A TaskGroup that is cancelled while a child fails tells of the
failure only. ``gather`` that is cancelled answers with its child's cancellation in place of its caller's, which the
cancel scope above does not know for its own. And one ``cancel`` may be taken by a library below for its own.
"""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 0.5
"""How long a cancelled task may take before it is cancelled again."""


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel them until all have ended, however they do.

    A caller that is cancelled meanwhile has its cancellation raised, the very one, when they have ended.
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
