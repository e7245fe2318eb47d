"""A server that can be told how to die, for the tests that need it to die at a certain moment."""

import asyncio
from pathlib import Path

from tests.deployment import ServerProcess
from tests.ordered_server import AFTER_COMMIT, BEFORE_COMMIT, ORDERED_SERVER, Orders


class Mortal:
    """A server under ``orders``, in a process of its own."""

    def __init__(self, directory: Path, database: str) -> None:
        self.orders = Orders(directory)
        environment = {
            **self.orders.environment,
            "COLLAB_DATABASE_URL": database,
            "COLLAB_LOG_LEVEL": "warning",
        }
        self.server = ServerProcess(directory, environment=environment, program=ORDERED_SERVER)

    async def start(self) -> None:
        """Alive, and under no order."""
        self.orders.withdraw()
        await self.server.start()

    async def die(self, how: str = "") -> None:
        """Return when it is dead: at once, or at the next append before or after its commit."""
        process = self.server.process
        assert process is not None
        if how in (BEFORE_COMMIT, AFTER_COMMIT):
            self.orders.give(how)
        else:
            process.kill()
        async with asyncio.timeout(20):
            code = await asyncio.to_thread(process.wait)
        assert code == -9
