"""The open connections: which they are, and when the last has ended."""

import asyncio

from collab.errors import CollabError, Draining
from collab.serve.open_connections import OpenConnections


class FakeConnection:
    """A connection that is gone as soon as it is ended."""

    def __init__(self, connections: OpenConnections) -> None:
        self._connections = connections
        self.ended: CollabError | None = None
        connections.add(self)

    def end(self, error: CollabError) -> None:
        self.ended = error
        self._connections.discard(self)


async def test_all_have_ended_before_the_first_begins() -> None:
    await asyncio.wait_for(OpenConnections().all_ended(), 1)


async def test_wait_lasts_until_the_last_connection_ends() -> None:
    connections = OpenConnections()
    first, second = FakeConnection(connections), FakeConnection(connections)
    assert set(connections) == {first, second}
    waiting = asyncio.create_task(connections.all_ended())
    connections.discard(second)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert list(connections) == [first]
    connections.discard(first)
    await asyncio.wait_for(waiting, 1)


async def test_ending_connections_while_iterating_is_safe() -> None:
    connections = OpenConnections()
    both = {FakeConnection(connections), FakeConnection(connections)}
    for connection in connections:
        connection.end(Draining())
    assert all(isinstance(each.ended, Draining) for each in both)
    await asyncio.wait_for(connections.all_ended(), 1)
