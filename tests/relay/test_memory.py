"""The relay inside one process: the contract, and the faults that a test can cause."""

import random

import pytest

from collab.ids import WriterId
from collab.relay.base import PresenceFrame
from collab.relay.memory import Delivery, MemoryBus, MemoryRelay
from tests.relay.contract import NOTES, Join, Make, RelayContract, fence, row
from tests.waiting import eventually


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


class TestMemoryRelay(RelayContract):
    """The contract for ``MemoryRelay``, and its faults."""

    @pytest.fixture
    def make(self, bus: MemoryBus) -> Make:
        return lambda writer: MemoryRelay(bus, writer)

    async def test_sender_gets_no_answer_during_publish(self, join: Join) -> None:
        """A frame may be answered, and the answer must not arrive in the middle of publishing."""
        alice, bob = await join(), await join()
        for replica in (alice, bob):
            await replica.open(NOTES)
        alice.relay.publish(PresenceFrame(NOTES, WriterId(1), b"", is_query=True))
        assert bob.heard == []
        await eventually(lambda: len(bob.heard) == 1)

    async def test_held_frames_can_be_dropped_repeated_and_reordered(self, join: Join, bus: MemoryBus) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        bus.hold()
        for seq in range(1, 10):
            alice.relay.publish(row(NOTES, seq))
        assert bus.held is not None
        assert [delivery.frame for delivery in bus.held] == [row(NOTES, seq) for seq in range(1, 10)]
        del bus.held[3]
        bus.held.append(bus.held[0])
        random.Random(7).shuffle(bus.held)
        expected = [delivery.frame for delivery in bus.held]
        bus.release()
        await fence(alice, bob)
        assert bob.heard == expected

    async def test_held_frame_names_its_receiver(self, join: Join, bus: MemoryBus) -> None:
        alice, bob, carol = await join(), await join(), await join()
        await bob.open(NOTES)
        await carol.open(NOTES)
        bus.hold()
        alice.relay.publish(row(NOTES, 1))
        assert bus.held == [Delivery(replica.relay, row(NOTES, 1)) for replica in (bob, carol)]  # type: ignore[arg-type]
        bus.held = [delivery for delivery in bus.held if delivery.to is bob.relay]
        bus.release()
        await fence(alice, bob, carol)
        assert bob.heard == [row(NOTES, 1)]
        assert carol.heard == []

    async def test_frame_on_its_way_to_a_closed_relay_is_lost(self, join: Join, bus: MemoryBus) -> None:
        alice, bob, carol = await join(), await join(), await join()
        await bob.open(NOTES)
        bus.hold()
        alice.relay.publish(row(NOTES, 1))
        await bob.relay.close()
        bus.release()
        await fence(alice, carol)
        assert bob.heard == []

    async def test_disconnected_bus_loses_frames_and_reports_interruptions(self, join: Join, bus: MemoryBus) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        bus.disconnect()
        assert (alice.relay.up, bob.relay.up) == (False, False)
        assert (alice.listener.interruptions, bob.listener.interruptions) == (1, 1)
        alice.relay.publish(row(NOTES, 1))
        bus.reconnect()
        assert (alice.relay.up, bob.relay.up) == (True, True)
        assert bob.listener.interruptions == 2
        alice.relay.publish(row(NOTES, 2))
        await fence(alice, bob)
        assert bob.heard == [row(NOTES, 2)]
