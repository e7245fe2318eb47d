"""The server as a whole: the order in which its parts start and stop, and what is refused meanwhile."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from collab.errors import Draining, StoreUnavailable
from collab.ids import DocumentName, WriterId
from collab.relay.base import Listener
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.serve.replica import draw_writer_id
from collab.store.memory import MemoryStore
from tests.deployment import token
from tests.frames import DialectName
from tests.serve.parts import RecordingSink, make_server, writer
from tests.serve.sockets import AsgiClient, app_around

NOTES = DocumentName("notes")


class RecordingStore(MemoryStore):
    """A store that records when it is opened and closed."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self._calls = calls

    async def open(self) -> None:
        self._calls.append("open store")
        await super().open()

    async def close(self) -> None:
        self._calls.append("close store")
        await super().close()


class RecordingRelay(MemoryRelay):
    """A relay that records when it is opened and closed; `broken` fails to open."""

    def __init__(self, calls: list[str], *, broken: bool = False) -> None:
        super().__init__(MemoryBus(), WriterId(1))
        self._calls = calls
        self._broken = broken

    async def open(self, listener: Listener) -> None:
        self._calls.append("open relay")
        if self._broken:
            raise StoreUnavailable
        await super().open(listener)

    async def close(self) -> None:
        self._calls.append("close relay")
        await super().close()


async def test_store_and_relay_open_in_order_and_close_in_reverse() -> None:
    calls: list[str] = []
    async with make_server(RecordingStore(calls), RecordingRelay(calls)) as server:
        assert server.is_running
        assert calls == ["open store", "open relay"]
    assert calls[2:] == ["close relay", "close store"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_server_that_cannot_start_closes_what_it_opened() -> None:
    calls: list[str] = []
    server = make_server(RecordingStore(calls), RecordingRelay(calls, broken=True))
    with pytest.raises(StoreUnavailable):
        await server.__aenter__()
    assert not server.is_running
    assert calls == ["open store", "open relay", "close store"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_server_may_be_stopped_by_another_task_than_started_it() -> None:
    server = make_server(MemoryStore())
    await asyncio.create_task(server.__aenter__())
    await server.rooms.join(NOTES, writer(1), RecordingSink())
    await asyncio.create_task(server.__aexit__(None, None, None))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("dialect", get_args(DialectName))
async def test_connection_that_comes_while_draining_is_closed_with_1012(tmp_path: Path, dialect: DialectName) -> None:
    async with make_server(MemoryStore()) as server:
        app = app_around(server, tmp_path)
        await server.drain()
        assert server.is_draining
        document = "" if dialect == "hocuspocus" else "notes"  # its last frame is addressed to no document
        async with AsgiClient(app, dialect, document, token("ada")) as client:
            assert await client.hear_close() == 1012
        with pytest.raises(Draining):
            await server.rooms.join(NOTES, writer(1), RecordingSink())


def test_session_ids_of_a_server_are_never_repeated() -> None:
    parts = make_server(MemoryStore()).parts
    assert len({parts.next_session() for _ in range(1000)}) == 1000


def test_writer_ids_are_random_63_bit_numbers() -> None:
    drawn = {draw_writer_id() for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(0 <= number < 2**63 for number in drawn)
    assert max(drawn) > 2**53
