"""Rooms that failed are unsubscribed, unless somebody has opened them again."""

import asyncio

from collab.errors import RoomClosed
from collab.ids import DocumentName, WriterId
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.store.memory import MemoryStore
from tests.serve.parts import Ear, make_server, writer
from tests.waiting import eventually


class SlowRelay(MemoryRelay):
    """Unsubscribing takes until it is let go."""

    def __init__(self) -> None:
        super().__init__(MemoryBus(), WriterId(1))
        self.go_on = asyncio.Event()
        self.unsubscribed: list[DocumentName] = []

    async def unsubscribe(self, document: DocumentName) -> None:
        self.unsubscribed.append(document)
        await self.go_on.wait()
        await super().unsubscribe(document)


async def test_a_room_opened_again_meanwhile_keeps_its_subscription() -> None:
    relay = SlowRelay()
    rooms = make_server(MemoryStore(), relay).rooms
    names = {DocumentName("one"), DocumentName("two")}
    for number, name in enumerate(sorted(names)):
        await rooms.join(name, writer(number), Ear())
    for host in rooms.hosts:
        host.fail(RoomClosed())
    tick = asyncio.create_task(rooms.tick())
    await eventually(lambda: relay.unsubscribed)
    (first,) = relay.unsubscribed
    (second,) = names - {first}
    await rooms.join(second, writer(10), Ear())
    relay.go_on.set()
    await tick
    assert relay.unsubscribed == [first]
