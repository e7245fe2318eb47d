"""Rooms are loaded once, forgotten when they stay empty, and loaded again when they have failed."""

import asyncio
from collections import Counter

import pytest

from collab.errors import DocumentDeleted, RoomClosed, StoreUnavailable
from collab.ids import DocumentName, Epoch, Sequence, UserId, WriterId
from collab.limits import ServerLimits
from collab.protocol.rows import CommittedRow, Entry, Row, encode_entries
from collab.relay.base import RowFrame
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.events import Left
from collab.serve.host import Host
from collab.serve.rooms import Rooms
from collab.store.base import Stored
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, make_server, ticks, writer
from tests.waiting import eventually

NOTES = DocumentName("notes")


class SlowRelay(MemoryRelay):
    """Unsubscribing waits until it is let go."""

    def __init__(self) -> None:
        super().__init__(MemoryBus(), WriterId(1))
        self.go_on = asyncio.Event()
        self.unsubscribed: list[DocumentName] = []
        self.subscribed: Counter[DocumentName] = Counter()

    async def subscribe(self, document: DocumentName) -> None:
        self.subscribed[document] += 1
        await super().subscribe(document)

    async def unsubscribe(self, document: DocumentName) -> None:
        self.unsubscribed.append(document)
        await self.go_on.wait()
        await super().unsubscribe(document)


class SlowStore(MemoryStore):
    """Loading waits until it is let go, and fails if the store is away."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.loads = 0
        self.is_away = False

    async def load(self, name: DocumentName) -> Stored:
        self.loads += 1
        await self.go_on.wait()
        if self.is_away:
            raise StoreUnavailable
        return await super().load(name)


async def join(rooms: Rooms, number: int, name: DocumentName = NOTES) -> Host:
    return await rooms.join(name, writer(number), RecordingSink())


def make_rooms(store: MemoryStore | None = None, relay: MemoryRelay | None = None) -> Rooms:
    """Return rooms that are forgotten as soon as they are empty. No task of a server runs."""
    return make_server(store or MemoryStore(), relay, limits=ServerLimits(room_linger_s=0)).rooms


async def test_a_room_opened_again_meanwhile_keeps_its_subscription() -> None:
    relay = SlowRelay()
    rooms = make_rooms(relay=relay)
    names = {DocumentName("one"), DocumentName("two")}
    for number, name in enumerate(sorted(names)):
        await join(rooms, number, name)
    for host in rooms.hosts:
        host.fail(RoomClosed())
    tick = asyncio.create_task(rooms.tick())
    await eventually(lambda: relay.unsubscribed)
    (first,) = relay.unsubscribed
    (second,) = names - {first}
    await join(rooms, 10, second)
    relay.go_on.set()
    await tick
    assert relay.unsubscribed == [first]


async def test_a_document_is_loaded_once_however_many_sessions_ask() -> None:
    store = SlowStore()
    rooms = make_rooms(store)
    joining = [asyncio.create_task(join(rooms, number)) for number in range(3)]
    await ticks(5)
    store.go_on.set()
    hosts = await asyncio.gather(*joining)
    assert store.loads == 1
    assert len(set(hosts)) == 1
    assert hosts[0].sessions == 3


async def test_a_session_that_gives_up_leaves_the_loading_to_the_others() -> None:
    store = SlowStore()
    rooms = make_rooms(store)
    first, second = (asyncio.create_task(join(rooms, number)) for number in range(2))
    await ticks(5)
    first.cancel()
    await asyncio.wait({first})
    store.go_on.set()
    assert (await second).sessions == 1


async def test_session_that_comes_while_its_room_is_forgotten_joins_a_new_one() -> None:
    relay = SlowRelay()
    rooms = make_rooms(relay=relay)
    before = await join(rooms, 1)
    before.tell(Left(writer(1).id, clean=True))
    tick = asyncio.create_task(rooms.tick())
    await eventually(lambda: relay.unsubscribed)
    joining = asyncio.create_task(join(rooms, 2))
    await ticks(5)
    assert relay.subscribed[NOTES] == 1
    relay.go_on.set()
    await tick
    after = await joining
    assert after is not before
    assert relay.subscribed[NOTES] == 2


async def test_a_room_with_a_session_is_not_forgotten() -> None:
    rooms = make_rooms()
    await join(rooms, 1)
    await rooms.tick()
    assert len(rooms) == 1


async def test_a_room_that_failed_is_loaded_again_by_the_next_session() -> None:
    rooms = make_rooms()
    before = await join(rooms, 1)
    before.fail(RoomClosed())
    assert len(rooms) == 0
    after = await join(rooms, 2)
    assert after is not before
    assert rooms.hosts == [after]


async def test_failed_load_reaches_every_waiting_session_and_may_be_retried() -> None:
    store = SlowStore()
    store.is_away = True
    store.go_on.set()
    rooms = make_rooms(store)
    failures = await asyncio.gather(*(join(rooms, number) for number in range(2)), return_exceptions=True)
    assert [type(each) for each in failures] == [StoreUnavailable] * 2
    assert store.loads == 1
    store.is_away = False
    assert (await join(rooms, 3)).sessions == 1


async def test_a_deleted_document_cannot_be_joined_and_stays_unsubscribed() -> None:
    store, relay = MemoryStore(), SlowRelay()
    relay.go_on.set()
    await store.create(NOTES, "Notes")
    await store.delete(NOTES)
    with pytest.raises(DocumentDeleted):
        await join(make_rooms(store, relay), 1)
    assert relay.unsubscribed == [NOTES]


async def test_a_check_that_fails_lets_no_session_in() -> None:
    rooms = make_rooms()

    def refuse() -> None:
        raise RoomClosed

    with pytest.raises(RoomClosed):
        await rooms.join(NOTES, writer(1), RecordingSink(), check=refuse)
    assert [host.sessions for host in rooms.hosts] == [0]


async def test_a_row_that_is_relayed_while_its_room_loads_is_not_lost() -> None:
    store = SlowStore()
    rooms = make_rooms(store)
    row = Row(NOTES, Epoch(0), WriterId(9), 1, encode_entries([Entry(UserId("bob"), YjsClient(8).type(0, "b"))]))
    joining = asyncio.create_task(join(rooms, 1))
    await ticks(5)
    rooms.relayed(RowFrame(NOTES, Epoch(0), CommittedRow(Sequence(1), row.writer, row.n, row.payload)))
    store.go_on.set()
    assert (await joining).cursor == 1
