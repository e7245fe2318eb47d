"""The rooms of one document on several replicas, each run by the shipped host, with one log.

No message gets lost and no replica crashes here; ``tests/network.py`` simulates that.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import cast

from collab.errors import CollabError
from collab.ids import Sequence, SessionId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import Saved, SyncStep1, SyncStep2, Update
from collab.protocol.rows import CommittedRow, decode_entries
from collab.relay.base import Relay, RelayFrame, RowFrame
from collab.room.events import Event, Joined, Left, RowRelayed, RowsRead, Said, Ticked
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.sink import EncodedMessage, Sink
from collab.store.base import Committed
from collab.store.memory import MemoryStore
from tests.network import StepLogWriter
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.room.build import a_room, a_session, with_window


class RoomDeployment:
    """One room per replica over one log. It records every update that a session sends or receives."""

    def __init__(self, replicas: int, *, window_s: float = 0.0) -> None:
        limits = with_window(window_s)
        self.rooms = [a_room(writer=WriterId(number), limits=limits) for number in range(replicas)]
        self.log: list[CommittedRow] = []
        self.heard: dict[int, list[bytes]] = {}
        """The updates that each session sent or received, in that order."""
        self.unanswered: Counter[int] = Counter()
        """Number of frames of each session that its client counts and the room has not acknowledged."""
        self.ended: list[CollabError] = []
        """The errors that ended sessions."""
        self._now_s = 0.0
        self._owes_step2: set[int] = set()
        self._inboxes: list[deque[CommittedRow]] = [deque() for _ in self.rooms]
        self._timers: list[deque[Callable[[], None]]] = [deque() for _ in self.rooms]
        self._hosts = [self._host(replica) for replica in range(replicas)]

    def _host(self, replica: int) -> Host:
        relay = cast("Relay", RecordingRelay(self, replica))
        return Host(
            self.rooms[replica],
            replica=Replica(WriterId(replica), MemoryStore(), relay, ServerLimits(), Metrics()),
            log_writer=cast("LogWriter", StepLogWriter()),
            clock=lambda: self._now_s,
            call_later=lambda _, act: self._timers[replica].append(act),
            on_fail=lambda _: None,
            ask_turn=lambda _: None,
        )

    @property
    def logged(self) -> list[bytes]:
        """Every update in the log, in order."""
        return [entry.update for row in self.log for entry in decode_entries(row.payload)]

    def join(self, session: int, replica: int, *, has: bytes = EMPTY_STATE_VECTOR) -> None:
        """Connect a client, which sends its SyncStep1."""
        self.heard.setdefault(session, [])
        self._owes_step2.add(session)
        self._tell(replica, Joined(a_session(session, synced=False)), RecordingSink(self, session))
        self._tell(replica, Said(SessionId(session), SyncStep1(has)))

    def leave(self, session: int, replica: int) -> None:
        self._tell(replica, Left(SessionId(session), clean=True))

    def say(self, message: Update | SyncStep2, session: int, replica: int) -> None:
        """Deliver a message of a client."""
        resync = isinstance(message, SyncStep2)
        if not resync or session in self._owes_step2:
            self.unanswered[session] += 1
        if resync:
            self._owes_step2.discard(session)
        self.heard[session].append(message.update)
        self._tell(replica, Said(SessionId(session), message))

    def tick(self, now_s: float) -> None:
        self._now_s = now_s
        for replica in range(len(self.rooms)):
            self._tell(replica, Ticked())

    def step(self, replica: int) -> bool:
        """Do one thing that a replica has to do. Return False if there is none."""
        host = self._hosts[replica]
        if self._inboxes[replica]:
            self._tell(replica, RowRelayed(self._inboxes[replica].popleft(), self.rooms[replica].epoch))
        elif host.needs_catch_up:
            self._tell(replica, RowsRead(self.log[host.cursor :], host.cursor))
        elif (row := host.next_row()) is not None:
            seq = Sequence(len(self.log) + 1)
            self.log.append(CommittedRow(seq, row.writer, row.n, row.payload))
            host.row_written(Committed(seq))
        elif self._timers[replica]:
            self._timers[replica].popleft()()
        else:
            return False
        return True

    def settle(self) -> None:
        """Take steps until no replica has anything left to do."""
        while any(self.step(replica) for replica in range(len(self.rooms))):
            pass

    def relay(self, sender: int, row: CommittedRow) -> None:
        """Pass a committed row to every other replica."""
        for replica, inbox in enumerate(self._inboxes):
            if replica != sender:
                inbox.append(row)

    def _tell(self, replica: int, event: Event, sink: Sink | None = None) -> None:
        self._hosts[replica].tell(event, sink)
        if (error := self._hosts[replica].failed) is not None:
            raise error


class RecordingSink:
    """The far side of one session."""

    dialect = "recorded"

    def __init__(self, deployment: RoomDeployment, session: int) -> None:
        self._deployment = deployment
        self._session = session

    def send(self, message: EncodedMessage) -> None:
        match message.message:
            case Update(update) | SyncStep2(update):
                self._deployment.heard[self._session].append(update)
            case Saved():
                self._deployment.unanswered[self._session] -= 1
            case _:
                pass

    def end(self, error: CollabError) -> None:
        self._deployment.ended.append(error)


class RecordingRelay:
    """Passes the rows that one replica publishes to the others."""

    def __init__(self, deployment: RoomDeployment, replica: int) -> None:
        self._deployment = deployment
        self._replica = replica

    def publish(self, frame: RelayFrame) -> None:
        if isinstance(frame, RowFrame):
            self._deployment.relay(self._replica, frame.row)
