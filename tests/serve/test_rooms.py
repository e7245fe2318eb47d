"""Rooms are loaded once, forgotten when they stay empty, and loaded again when they have failed."""

import asyncio
from collections import Counter

import pytest

from collab.crdt.stored import compact
from collab.errors import DocumentDeleted, RoomClosed, StoreUnavailable
from collab.ids import DocumentName, Epoch, Sequence, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import SyncStep1, SyncStep2
from collab.protocol.rows import CommittedRow, Entry, Row, encode_entries
from collab.relay.base import RowFrame
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.events import Left
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms
from collab.store.base import Snapshot, Stored
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient, document_of
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


async def test_a_row_that_is_relayed_to_an_open_room_is_in_it() -> None:
    rooms = make_rooms()
    host = await join(rooms, 1)
    row = Row(NOTES, Epoch(0), WriterId(9), 1, encode_entries([Entry(UserId("bob"), YjsClient(8).type(0, "b"))]))
    rooms.relayed(RowFrame(NOTES, Epoch(0), CommittedRow(Sequence(1), row.writer, row.n, row.payload)))
    assert host.cursor == 1


async def test_a_room_begins_with_its_snapshot_and_the_rows_after_it() -> None:
    store, bob = MemoryStore(), YjsClient(8)
    updates = [bob.type(0, "one "), bob.type(4, "two")]
    payloads = [encode_entries([Entry(UserId("bob"), update)]) for update in updates]
    await store.append([Row(NOTES, Epoch(0), WriterId(9), n, payload) for n, payload in enumerate(payloads, 1)])
    snapshot = compact(None, [CommittedRow(Sequence(1), WriterId(9), 1, payloads[0])])
    assert await store.put_snapshot(NOTES, Epoch(0), Snapshot(Sequence(1), snapshot, 0))
    sink, session = RecordingSink(), writer(1)
    host = await make_rooms(store).join(NOTES, session, sink)
    host.hear(session.id, SyncStep1(b"\0"))
    (answer,) = (message for message in sink.sent if isinstance(message, SyncStep2))
    assert document_of(answer.update).text() == "one two"


async def test_a_room_that_is_forgotten_is_named_to_the_compactor() -> None:
    left: list[DocumentName] = []
    limits = ServerLimits(room_linger_s=0)
    replica = Replica(WriterId(1), MemoryStore(), MemoryRelay(MemoryBus(), WriterId(1)), limits, Metrics())
    log_writer = LogWriter(replica.store, limits, clock=lambda: 0.0, metrics=replica.metrics)
    rooms = Rooms(replica, log_writer, clock=lambda: 0.0, on_left=left.append, on_interrupted=lambda: None)
    host = await join(rooms, 1)
    await rooms.tick()
    assert left == []
    host.tell(Left(writer(1).id, clean=True))
    await rooms.tick()
    assert left == [NOTES]
