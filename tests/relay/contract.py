"""The contract of a relay; ``test_memory`` and ``test_redis`` run it.

To check that a frame does not arrive, a test sends a *fence* after it: a frame of the same sender that must arrive. An
unwanted frame would have arrived before.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.relay.base import PresenceFrame, Relay, RelayFrame, RowFrame
from tests.waiting import eventually

NOTES = DocumentName("notes")
OTHER = DocumentName("other")
FENCE = DocumentName("fence")


@dataclass
class RecordingListener:
    """A listener that records what it is told."""

    frames: list[RelayFrame] = field(default_factory=list)
    interruptions: int = 0
    lost: list[WriterId] = field(default_factory=list)

    def relayed(self, frame: RelayFrame) -> None:
        self.frames.append(frame)

    def interrupted(self) -> None:
        self.interruptions += 1

    def replica_lost(self, writer: WriterId) -> None:
        self.lost.append(writer)


@dataclass
class Replica:
    """One open relay and what it received."""

    relay: Relay
    listener: RecordingListener

    @property
    def heard(self) -> list[RelayFrame]:
        return [frame for frame in self.listener.frames if frame.document != FENCE]

    async def open(self, *documents: DocumentName) -> None:
        for document in documents:
            await self.relay.subscribe(document)


def row(document: DocumentName, seq: int, payload: bytes = b"payload", *, writer: int = 77) -> RowFrame:
    return RowFrame(document, Epoch(0), CommittedRow(Sequence(seq), WriterId(writer), seq, payload))


async def fence(sender: Replica, *receivers: Replica) -> None:
    """Return when everything that ``sender`` published before has arrived at ``receivers``."""
    for receiver in receivers:
        await receiver.open(FENCE)
    mark = row(FENCE, sum(len(receiver.listener.frames) for receiver in receivers) + 1)
    sender.relay.publish(mark)
    for receiver in receivers:
        await eventually(lambda receiver=receiver: mark in receiver.listener.frames)  # type: ignore[misc]


Make = Callable[[WriterId], Relay]
Join = Callable[[], Awaitable[Replica]]


class RelayContract:
    """Subclasses define ``make``, which returns a relay for a writer, connected to the others of the same test."""

    @pytest.fixture
    async def join(self, make: Make) -> AsyncIterator[Join]:
        """Return another open replica each time; all are closed after the test."""
        replicas: list[Replica] = []

        async def join() -> Replica:
            replica = Replica(make(WriterId(1000 + len(replicas))), RecordingListener())
            replicas.append(replica)
            await replica.relay.open(replica.listener)
            await eventually(lambda: replica.relay.up)
            return replica

        yield join
        for replica in replicas:
            await replica.relay.close()

    async def test_row_reaches_all_other_replicas_with_the_document_open(self, join: Join) -> None:
        alice, bob, carol = await join(), await join(), await join()
        for replica in (alice, bob, carol):
            await replica.open(NOTES)
        frame = row(NOTES, 2**53 - 1, b"\x00\xff" * 50, writer=2**63 - 1)
        alice.relay.publish(frame)
        await eventually(lambda: bob.heard == [frame] and carol.heard == [frame])

    async def test_presence_arrives_with_its_query_flag(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        frames = [PresenceFrame(NOTES, WriterId(5), b"\x01\x02", is_query=is_query) for is_query in (True, False)]
        for frame in frames:
            alice.relay.publish(frame)
        await eventually(lambda: bob.heard == frames)

    async def test_lost_replica_is_reported_once_and_a_live_one_never(self, join: Join) -> None:
        alice, bob, carol = await join(), await join(), await join()
        await eventually(lambda: self.know_each_other(alice, bob, carol))
        await carol.relay.close()
        await eventually(lambda: alice.listener.lost and bob.listener.lost)
        assert alice.listener.lost == bob.listener.lost == [WriterId(1002)]

    def know_each_other(self, *replicas: Replica) -> bool:
        """Return True once each replica knows the others. Overridden where that takes time."""
        return True

    async def test_own_frames_do_not_come_back(self, join: Join) -> None:
        alice, bob = await join(), await join()
        for replica in (alice, bob):
            await replica.open(NOTES)
        alice.relay.publish(row(NOTES, 1))
        await fence(alice, bob)
        await fence(bob, alice)
        assert alice.heard == []
        assert bob.heard == [row(NOTES, 1)]

    async def test_frames_of_one_sender_keep_their_order_without_faults(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES, OTHER)
        frames = [row(NOTES if n % 3 else OTHER, n, b"x" * (n * 7 % 500)) for n in range(1, 1500)]
        for frame in frames:
            alice.relay.publish(frame)
        await eventually(lambda: len(bob.heard) >= len(frames))
        assert bob.heard == frames

    async def test_frames_of_an_unsubscribed_document_do_not_arrive(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        alice.relay.publish(row(OTHER, 1))
        await fence(alice, bob)
        assert bob.heard == []

    async def test_frames_stop_on_unsubscribe_and_resume_on_subscribe(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        alice.relay.publish(row(NOTES, 1))
        await fence(alice, bob)
        await bob.relay.unsubscribe(NOTES)
        alice.relay.publish(row(NOTES, 2))
        await fence(alice, bob)
        await bob.relay.subscribe(NOTES)
        alice.relay.publish(row(NOTES, 3))
        await fence(alice, bob)
        assert bob.heard == [row(NOTES, 1), row(NOTES, 3)]

    async def test_document_reopened_at_once_is_subscribed(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        for seq in range(1, 30):
            await bob.relay.unsubscribe(NOTES)
            await bob.relay.subscribe(NOTES)
            alice.relay.publish(row(NOTES, seq))
        await fence(alice, bob)
        assert bob.heard == [row(NOTES, seq) for seq in range(1, 30)]

    async def test_repeated_subscribe_and_needless_unsubscribe_are_harmless(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.relay.unsubscribe(OTHER)
        await bob.open(NOTES, NOTES)
        alice.relay.publish(row(NOTES, 1))
        await fence(alice, bob)
        assert bob.heard == [row(NOTES, 1)]

    @pytest.mark.parametrize("name", ["*", "n*", "note?", "[a-z]otes", "n\\otes", "notes*", "doc:notes", "not es"])
    async def test_document_name_is_not_a_pattern(self, join: Join, name: str) -> None:
        alice, bob = await join(), await join()
        await bob.open(DocumentName(name))
        alice.relay.publish(row(NOTES, 1))
        alice.relay.publish(row(DocumentName(name), 2))
        await fence(alice, bob)
        assert bob.heard == [row(DocumentName(name), 2)]

    @pytest.mark.parametrize("name", ["ü/é😀", "a b\tc", "x" * 255, "\u202e", "a\u00a0b"])
    async def test_any_document_name_works(self, join: Join, name: str) -> None:
        alice, bob = await join(), await join()
        await bob.open(DocumentName(name))
        alice.relay.publish(row(DocumentName(name), 1))
        await eventually(lambda: bob.heard == [row(DocumentName(name), 1)])

    async def test_large_row_arrives_whole(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        frame = row(NOTES, 1, bytes(range(256)) * 3000)
        alice.relay.publish(frame)
        await eventually(lambda: bob.heard == [frame])

    async def test_publishing_while_closed_does_nothing(self, make: Make, join: Join) -> None:
        bob = await join()
        await bob.open(NOTES)
        alice = make(WriterId(1))
        assert not alice.up
        alice.publish(row(NOTES, 1))
        await alice.open(RecordingListener())
        await eventually(lambda: alice.up)
        await alice.close()
        alice.publish(row(NOTES, 2))
        await fence(await join(), bob)
        assert bob.heard == []

    async def test_close_is_final_and_idempotent(self, join: Join) -> None:
        alice, bob = await join(), await join()
        await bob.open(NOTES)
        told = bob.listener.interruptions
        await bob.relay.close()
        assert not bob.relay.up
        await bob.relay.close()
        carol = await join()
        await carol.open(NOTES)
        alice.relay.publish(row(NOTES, 1))
        await eventually(lambda: carol.heard == [row(NOTES, 1)])
        assert bob.heard == []
        assert bob.listener.interruptions == told

    async def test_close_before_open_does_nothing(self, make: Make) -> None:
        await make(WriterId(1)).close()
