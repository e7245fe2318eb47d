"""What a host tells the persister and the metrics of what its room decided."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from collab.errors import DocumentPoisoned, RoomClosed, StoreUnavailable
from collab.ids import ClientId, Epoch, Sequence, SessionId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate, SyncStep1, SyncStep2, Update
from collab.protocol.presence import decode_presence
from collab.relay.base import PresenceFrame, RelayFrame, RowFrame
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.effects import Effect
from collab.room.events import Drained, Event, FellBehind, Joined, RowCommitted, Ticked
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.shared_frames import LONG_BYTES
from collab.serve.sink import EncodedMessage
from collab.store.base import Committed
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.room.build import NAME, SteppedRoom, YjsClient, a_room, a_row, a_session, merged, with_window
from tests.serve.parts import RecordingSink, ticks

ANN, READER = SessionId(1), SessionId(2)
GARBAGE = b"\xff"


@dataclass
class Bench:
    """A host whose rows are committed when the test says so; nothing else writes them."""

    now_s: float = 100.0
    metrics: Metrics = field(default_factory=Metrics)
    room: SteppedRoom = field(default_factory=a_room)

    calls: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log_writer = LogWriter(MemoryStore(), ServerLimits(), clock=lambda: self.now_s, metrics=self.metrics)
        self.bus = MemoryBus()
        self.relay = MemoryRelay(self.bus, WriterId(1))
        self.host = Host(
            self.room,
            replica=Replica(WriterId(1), MemoryStore(), self.relay, ServerLimits(), self.metrics),
            log_writer=self.log_writer,
            clock=lambda: self.now_s,
            call_later=lambda delay_s, act: self.calls.append((delay_s, act)),
            on_fail=lambda _: None,
            ask_turn=lambda _: None,
        )
        self.host.tell(Joined(a_session(ANN)), RecordingSink())
        self.host.tell(Joined(a_session(READER, can_write=False)), RecordingSink())

    def commit(self, seq: int) -> None:
        """The row that waits."""
        assert self.host.next_row() is not None
        self.host.row_written(Committed(Sequence(seq)))

    def counted(self, name: str) -> float:
        return sample(self.metrics, name)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_saving_is_timed_from_accepting_each_update_to_its_commit(bench: Bench) -> None:
    ann = YjsClient(1)
    bench.host.hear(ANN, Update(ann.type(0, "a")))
    bench.now_s += 2
    bench.host.hear(ANN, Update(ann.type(1, "b")))
    assert bench.counted("save_seconds_count") == bench.counted("acknowledgements_total") == 0
    bench.now_s += 1
    bench.commit(1)
    assert bench.counted("save_seconds_count") == bench.counted("acknowledgements_total") == 2
    assert bench.counted("save_seconds_sum") == 3 + 1
    bench.host.hear(ANN, Update(ann.type(2, "c")))
    bench.commit(2)
    assert (bench.counted("save_seconds_count"), bench.counted("save_seconds_sum")) == (3, 4)


async def test_clients_that_join_one_after_another_share_one_frame() -> None:
    bench = Bench(room=a_room(YjsClient(1).type(0, "x" * LONG_BYTES)))

    def answer(number: int) -> EncodedMessage:
        sink = KeepingSink()
        bench.host.tell(Joined(a_session(number)), sink)
        bench.host.hear(SessionId(number), SyncStep1(EMPTY_STATE_VECTOR))
        assert isinstance(sink.kept[-1].message, SyncStep2)
        return sink.kept[-1]

    first = answer(3)
    assert answer(4) is first
    bench.host.tell(Ticked())
    assert answer(5) is not first


class KeepingSink(RecordingSink):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[EncodedMessage] = []

    def send(self, message: EncodedMessage) -> None:
        self.kept.append(message)


async def test_refused_update_is_counted_once_in_every_kind_of_frame(bench: Bench) -> None:
    bench.host.hear(READER, Update(YjsClient(2).type(0, "x")))
    assert bench.counted("updates_refused_total") == 1
    bench.host.hear(READER, SyncStep2(GARBAGE))
    assert bench.counted("updates_refused_total") == 2
    bench.host.hear(ANN, Update(GARBAGE))
    assert bench.counted("updates_refused_total") == 3
    assert bench.counted("updates_received_total") == 3
    assert bench.counted("updates_accepted_total") == 0


async def test_room_failing_at_its_commit_raises_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = bench.room.step

    def fail(now_s: float, event: Event) -> list[Effect]:
        if isinstance(event, RowCommitted):
            raise DocumentPoisoned
        return step(now_s, event)

    bench.host.hear(ANN, Update(YjsClient(1).type(0, "a")))
    monkeypatch.setattr(bench.room, "step", fail)
    bench.commit(1)  # raises nothing
    assert isinstance(bench.host.failed, DocumentPoisoned)
    assert bench.log_writer.queued_bytes == 0


async def test_commit_that_releases_a_pending_update_frees_its_bytes_too(bench: Bench) -> None:
    bob = YjsClient(2)
    theirs = bob.type(0, "b")
    later = bob.type(1, "c")
    bench.host.hear(ANN, Update(YjsClient(1).type(0, "a")))
    bench.host.hear(ANN, Update(later))
    assert bench.host.pending == 1
    bench.host.relayed(RowFrame(NAME, Epoch(0), a_row(2, theirs)))
    bench.commit(1)
    assert bench.host.pending == 0
    assert bench.log_writer.queued_bytes == bench.room.unsaved_bytes > 0
    bench.commit(3)
    assert bench.log_writer.queued_bytes == bench.room.unsaved_bytes == 0
    assert bench.counted("save_seconds_count") == 2


@pytest.mark.parametrize("moment", ["an update", "a commit"])
def test_room_with_a_broken_invariant_leaves_no_bytes_behind(
    bench: Bench, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise AssertionError

    author = YjsClient(1)
    bench.host.hear(ANN, Update(author.type(0, "a")))
    assert bench.log_writer.queued_bytes
    if moment == "an update":
        monkeypatch.setattr("collab.room.updates.Updates.show", break_down)
        bench.host.hear(ANN, Update(author.type(1, "b")))
    else:
        monkeypatch.setattr("collab.room.log_cursor.LogCursor.from_commit", break_down)
        bench.commit(1)
    assert bench.host.failed
    assert bench.log_writer.queued_bytes == 0


async def test_row_that_cannot_be_written_closes_its_room(bench: Bench) -> None:
    bench.host.hear(ANN, Update(YjsClient(1).type(0, "a")))
    assert bench.host.next_row() is not None
    bench.host.row_failed(error := StoreUnavailable())
    assert bench.host.failed is error
    assert bench.host.sessions == 0
    assert bench.log_writer.queued_bytes == 0
    assert bench.counted("acknowledgements_total") == 0


class Neighbour:
    """The listener of another replica, which keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[RelayFrame] = []

    def relayed(self, frame: RelayFrame) -> None:
        self.heard.append(frame)

    def interrupted(self) -> None:
        """Do nothing: this test loses no frame."""

    def replica_lost(self, writer: WriterId) -> None:
        """Do nothing: this test loses no replica."""


async def test_presence_is_published_once_and_in_its_last_state(bench: Bench) -> None:
    neighbour, there = Neighbour(), MemoryRelay(bench.bus, WriterId(2))
    await bench.relay.open(Neighbour())
    await there.open(neighbour)
    await there.subscribe(NAME)
    for clock, state in ((1, b"{}"), (2, b'{"cursor":1}')):
        bench.host.hear(ANN, AwarenessUpdate((AwarenessEntry(ClientId(7), clock, state),)))
    bench.host.publish_presence()
    bench.host.publish_presence()
    await ticks(2)
    (frame,) = neighbour.heard
    assert isinstance(frame, PresenceFrame)
    assert not frame.is_query
    assert [each.entry for each in decode_presence(frame.payload)] == [AwarenessEntry(ClientId(7), 2, b'{"cursor":1}')]


async def test_end_of_a_window_is_called_once_and_after_a_failure_does_nothing() -> None:
    bench = Bench(room=a_room(limits=with_window(0.02)))
    reader = RecordingSink()
    bench.host.tell(Joined(a_session(3)), reader)
    ann = YjsClient(1)
    edits = [ann.type(at, "x") for at in range(4)]
    for edit in edits[:3]:
        bench.host.hear(ANN, Update(edit))
        bench.now_s += 0.005
    assert reader.sent == [Update(edits[0])]
    ((delay_s, end_window),) = bench.calls
    assert delay_s == pytest.approx(0.02 - 0.005)
    bench.now_s += 0.005
    end_window()
    assert reader.sent[1:] == [merged(*edits[1:3])]
    bench.host.hear(ANN, Update(edits[3]))
    bench.host.fail(DocumentPoisoned())
    bench.calls[1][1]()
    assert len(reader.sent) == 2


async def test_sink_that_falls_behind_while_it_is_sent_something_is_told_of_after_that_step(bench: Bench) -> None:
    class Slow(RecordingSink):
        def send(self, message: EncodedMessage) -> None:
            super().send(message)
            bench.host.tell(FellBehind(SessionId(3), 1))

    sinks = [Slow(), RecordingSink()]
    for number, sink in enumerate(sinks, 3):
        bench.host.tell(Joined(a_session(number)), sink)
    ann = YjsClient(1)
    edits = [ann.type(at, "x") for at in range(3)]
    for edit in edits:
        bench.host.hear(ANN, Update(edit))
    assert [len(sink.sent) for sink in sinks] == [1, 3]
    bench.host.tell(Drained(SessionId(3)))
    (_, missed) = sinks[0].sent
    assert isinstance(missed, Update)
    assert YjsClient(2, edits[0], missed.update).text == "xxx"


async def test_room_that_cannot_form_a_row_ends_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    bench.host.hear(ANN, Update(YjsClient(1).type(0, "a")))
    monkeypatch.setattr(bench.host._room, "next_row", broken)
    assert bench.host.next_row() is None
    assert isinstance(bench.host.failed, RoomClosed)
    assert bench.host.next_row() is None
