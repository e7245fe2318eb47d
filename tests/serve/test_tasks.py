"""The server's own tasks: they outlive their failures, and end when the server does."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import product

from collab.ids import DocumentName, Sequence
from collab.serve.server import Server
from collab.store.base import Head
from collab.store.memory import MemoryStore
from tests.serve.parts import Ear, make_server, ticks, writer
from tests.waiting import eventually


class Panic(BaseException):
    """What a native library raises, and what ``except Exception`` does not catch."""


async def test_a_panic_in_a_task_of_the_server_ends_neither_the_server_nor_the_task() -> None:
    server = make_server(MemoryStore())
    polled = 0

    async def poll() -> None:
        nonlocal polled
        polled += 1
        raise Panic

    server._healer.poll = poll  # type: ignore[method-assign]
    async with server:
        await eventually(lambda: polled >= 2)
        assert server.is_running
    assert asyncio.all_tasks() == {asyncio.current_task()}


class DeafStore(MemoryStore):
    """A question is asked until it is cancelled, and the cancellation is kept to itself."""

    asked = False

    async def heads(self, cursors: Mapping[DocumentName, Sequence]) -> dict[DocumentName, Head]:
        self.asked = True
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return {}


async def test_a_server_stops_although_a_library_takes_the_first_cancellation_for_its_own() -> None:
    store = DeafStore()
    async with asyncio.timeout(30):
        async with make_server(store) as server:
            await server.rooms.join(DocumentName("notes"), writer(1), Ear())
            await eventually(lambda: store.asked)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_in_the_moment_of_the_end_leaves_no_task_and_hides_no_cancellation() -> None:
    """Both within a few turns of the event loop, in every order."""
    for failing, cancelled in product(range(6), range(6)):
        server = make_server(MemoryStore())
        ready = asyncio.Event()

        async def compact(failing: int = failing, ready: asyncio.Event = ready) -> None:
            await ready.wait()
            await ticks(failing)
            raise Panic

        async def serve(server: Server = server, ready: asyncio.Event = ready) -> None:
            async with server:
                ready.set()
                await asyncio.Event().wait()

        server.compactor.run = compact  # type: ignore[method-assign]
        serving = asyncio.create_task(serve())
        await ready.wait()
        await ticks(cancelled)
        serving.cancel()
        await asyncio.wait({serving})
        assert serving.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
