"""A server that a test can kill at a certain moment."""

import asyncio
from pathlib import Path

from tests.deployment import ServerProcess
from tests.scheduled_server import AFTER_COMMIT, BEFORE_COMMIT, SCHEDULED_SERVER, Schedule


class KillableServer:
    """A server in a process of its own, which follows ``schedule``."""

    def __init__(self, directory: Path, database: str) -> None:
        self.schedule = Schedule(directory)
        environment = {
            **self.schedule.environment,
            "COLLAB_DATABASE_URL": database,
            "COLLAB_LOG_LEVEL": "warning",
        }
        self.server = ServerProcess(directory, environment=environment, program=SCHEDULED_SERVER)

    async def start(self) -> None:
        """Start the server with an empty schedule."""
        self.schedule.clear()
        await self.server.start()

    async def kill(self, when: str = "") -> None:
        """Kill the server now, or at its next append before or after the commit; return when it is dead."""
        process = self.server.process
        assert process is not None
        if when in (BEFORE_COMMIT, AFTER_COMMIT):
            self.schedule.set(when)
        else:
            process.kill()
        async with asyncio.timeout(20):
            code = await asyncio.to_thread(process.wait)
        assert code == -9
