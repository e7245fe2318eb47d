"""The server's own tasks survive their failures, and end when the server does."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import get_args

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from collab.ids import DocumentName, Sequence
from collab.serve import tasks
from collab.serve.server import Server
from collab.store.base import NOTHING, Head
from collab.store.memory import MemoryStore
from tests.deployment import token
from tests.frames import DialectName
from tests.metering import sample
from tests.serve.parts import RecordingSink, make_server, ticks, writer
from tests.serve.sockets import AsgiClient, app_around
from tests.waiting import eventually


class Panic(BaseException):
    """An error of a native library, which ``except Exception`` does not catch."""


async def test_panic_in_a_background_task_ends_neither_server_nor_task() -> None:
    server = make_server(MemoryStore())
    polled = 0

    async def poll() -> None:
        nonlocal polled
        polled += 1
        raise Panic

    server.log_sync.poll = poll  # type: ignore[method-assign]
    async with server:
        await eventually(lambda: polled >= 2)
        assert server.is_running
    assert asyncio.all_tasks() == {asyncio.current_task()}


class DeafStore(MemoryStore):
    """A store that answers a question only when it is cancelled, and swallows the cancellation."""

    asked = False

    async def heads(
        self, cursors: Mapping[DocumentName, Sequence], access: Mapping[DocumentName, int] = NOTHING
    ) -> dict[DocumentName, Head]:
        self.asked = True
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return {}


async def test_server_stops_although_a_library_swallows_a_cancellation() -> None:
    store = DeafStore()
    async with asyncio.timeout(30):
        async with make_server(store) as server:
            await server.rooms.join(DocumentName("notes"), writer(1), RecordingSink())
            await eventually(lambda: store.asked)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_failure_during_shutdown_leaves_no_task() -> None:
    """Failure and cancellation come within a few turns of the event loop, in every order."""
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


async def test_cancelled_caller_of_end_is_cancelled_once_the_tasks_ended() -> None:
    cleaned = False

    async def clean_up() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            await ticks(3)
            cleaned = True

    task = asyncio.create_task(clean_up())
    await ticks(1)
    ending = asyncio.create_task(tasks.end([task]))
    await ticks(2)
    ending.cancel("mine")
    with pytest.raises(asyncio.CancelledError, match="mine"):
        await ending
    assert cleaned


@pytest.mark.parametrize("dialect", get_args(DialectName))
async def test_frameworks_cancellation_of_a_connection_passes_through(tmp_path: Path, dialect: DialectName) -> None:
    """A test client cancels within a few turns of the event loop after it has closed."""

    async def cancel(after: int) -> None:
        await ticks(after)
        around.cancel()

    async def run_within(scope: Scope, receive: Receive, send: Send) -> None:
        with around:
            await app(scope, receive, send)

    async with make_server(MemoryStore()) as server:
        app = app_around(server, tmp_path)
        for turns in range(40):
            around = anyio.CancelScope()
            async with AsgiClient(run_within, dialect, "notes", token("ada")) as client:
                if dialect == "hocuspocus":
                    client.show(token("ada"))
                client.step1()
                await client.hear("step2")
                cancelling = asyncio.create_task(cancel(turns))
            await cancelling
        assert sample(server.metrics, "sessions", dialect=dialect) == 0
