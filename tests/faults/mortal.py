"""A server that can be told how to die, for the tests that need it to die at a certain moment."""

import asyncio
from pathlib import Path

from tests.deployment import ServerProcess
from tests.faults.crashing_server import AFTER_COMMIT, BEFORE_COMMIT


class Mortal:
    """``tests.faults.crashing_server`` in a process of its own."""

    def __init__(self, directory: Path, database: str) -> None:
        self._order = directory / "order"
        environment = {
            "COLLAB_DATABASE_URL": database,
            "COLLAB_LOG_LEVEL": "warning",
            "COLLAB_TEST_ORDER": str(self._order),
        }
        self.server = ServerProcess(directory, environment=environment, program="tests.faults.crashing_server")

    async def start(self) -> None:
        """Alive, and under no order."""
        self._order.unlink(missing_ok=True)
        await self.server.start()

    def order(self, what: str) -> None:
        """What happens at the next append."""
        self._order.write_text(what)

    async def die(self, how: str = "") -> None:
        """Return when it is dead: at once, or at the next append before or after its commit."""
        process = self.server.process
        assert process is not None
        if how in (BEFORE_COMMIT, AFTER_COMMIT):
            self.order(how)
        else:
            process.kill()
        async with asyncio.timeout(20):
            code = await asyncio.to_thread(process.wait)
        assert code == -9
