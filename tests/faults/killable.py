"""A server that a test can kill at a certain moment."""

import asyncio
from pathlib import Path

from tests.deployment import ServerProcess
from tests.ordered_server import AFTER_COMMIT, BEFORE_COMMIT, ORDERED_SERVER, Orders


class KillableServer:
    """A server in a process of its own, which follows ``orders``."""

    def __init__(self, directory: Path, database: str) -> None:
        self.orders = Orders(directory)
        environment = {
            **self.orders.environment,
            "COLLAB_DATABASE_URL": database,
            "COLLAB_LOG_LEVEL": "warning",
        }
        self.server = ServerProcess(directory, environment=environment, program=ORDERED_SERVER)

    async def start(self) -> None:
        """Start the server, without any order."""
        self.orders.withdraw()
        await self.server.start()

    async def kill(self, when: str = "") -> None:
        """Kill the server now, or at its next append before or after the commit; return when it is dead."""
        process = self.server.process
        assert process is not None
        if when in (BEFORE_COMMIT, AFTER_COMMIT):
            self.orders.give(when)
        else:
            process.kill()
        async with asyncio.timeout(20):
            code = await asyncio.to_thread(process.wait)
        assert code == -9
