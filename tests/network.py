"""The simulated deployment: clients, replicas, relay, log and crashes in one thread, with a seed for each schedule.

All code that decides is real (``Host``, ``Room``, ``Document``, ``MemoryStore``, ``compact``). Code that waits is
replaced by single steps, and a seeded generator chooses among them: deliver one frame, start a commit, finish it, lose
a relay frame, kill a replica, unload a room. A seed thus stands for an interleaving of the real server, and a failure
is a seed to paste.

The checks: every acknowledged update is committed; a reader changes nothing; once everything is delivered, every
client, every room and the log hold the same document.
"""

import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import pycrdt

from collab.crdt.assessment import Known, Lacks, News
from collab.crdt.document import Document
from collab.crdt.guard import inspect_stored_update, inspect_update
from collab.crdt.statevector import decode_state_vector
from collab.crdt.stored import compact, load_document
from collab.crdt.update import SKIP, InspectedUpdate
from collab.errors import CollabError, PeerError, RoomClosed
from collab.ids import DocumentName, Epoch, SessionId, UserId, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.limits import CLOCK_END
from collab.protocol.messages import (
    FromServer,
    Refused,
    Saved,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.rows import CommittedRow, Row, decode_entries
from collab.relay.base import Relay, RelayFrame, SharingFrame
from collab.room.events import (
    Congested,
    Drained,
    Event,
    FellBehind,
    HeadRead,
    Joined,
    Left,
    RoomMessage,
    RowsRead,
    Ticked,
)
from collab.room.room import Room
from collab.room.session import Session, SessionState
from collab.room.updates import RoomLimits
from collab.room.window import WindowLengths
from collab.room.work import WorkLimits
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica as ServerReplica
from collab.serve.sink import EncodedMessage
from collab.store.base import Committed, Outcome, Snapshot, Stored
from collab.store.memory import MemoryStore

NAME = DocumentName("story")
WINDOWS_S = 0.0, 0.02, 0.05
"""Lengths of the batching window; the seed of a story chooses one."""

SMALL_SLICES = WorkLimits(at_once_bytes_max=24, slice_structs_max=1, slice_jumps_max=1)
STEP_S = 0.0, 0.001, 0.03
"""Seconds between two readings of the clock in a slow story, in which users take turns within their frames."""

DOWN_MAX = 3
"""Messages to a congested client; with more in flight it has fallen behind."""

T = TypeVar("T")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, such as every method of ``MemoryStore``."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("the coroutine waits")


class Violation(AssertionError):
    """The deployment broke a promise."""


@dataclass
class SimulatedClient:
    """A client with a Yjs document of its own."""

    name: str
    can_write: bool = True
    doc: Any = field(default_factory=pycrdt.Doc)
    user: str = ""
    """The id of its user; by default its own name."""
    replica: "Replica | None" = None
    session: SessionId | None = None
    up: deque[RoomMessage] = field(default_factory=deque)
    down: deque[FromServer] = field(default_factory=deque)
    edits: list[bytes] = field(default_factory=list)
    """Every update that this client made."""
    unsaved: int = 0
    """Number of unacknowledged frames, as a Hocuspocus provider counts them. At 0 it shows that all is saved."""
    counted: list[bytes] = field(default_factory=list)
    """The frames that were counted since ``unsaved`` was 0."""
    refused: bool = False
    """True if one of the counted frames was refused, so that 0 does not mean saved."""
    sent_step1: bool = False
    spoken: list[InspectedUpdate] = field(default_factory=list)
    """The edits that this session has sent and that may not be saved yet."""

    is_congested: bool = False
    """True if it has taken less than it was sent, and its session's room was told so."""

    shares: bool = False
    """True if its document may reach other clients without the server."""

    @property
    def is_alone(self) -> bool:
        """True if only the server passes its edits on."""
        return not self.shares

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        return str(self.doc.get("content", type=pycrdt.Text))

    def edit(self, change: Callable[[pycrdt.Text], None]) -> None:
        """Change the text, and send the update if connected: at once, synced or not, as Yjs clients do."""
        text = self.doc.get("content", type=pycrdt.Text)
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        change(text)
        self.doc.unobserve(subscription)
        for update in made:
            self.edits.append(update)
            if self.replica is not None:
                self._send(Update(update), update)

    def insert(self, at: int, inserted: str) -> None:
        self.edit(lambda text: text.insert(min(at, len(text)), inserted))

    def delete(self, at: int, length: int) -> None:
        def cut(text: pycrdt.Text) -> None:
            start = min(at, len(text))
            stop = min(start + length, len(text))
            if stop > start:
                del text[start:stop]

        self.edit(cut)

    def replace_everywhere(self, places: list[int], inserted: str) -> None:
        """Put something in the place of several letters, as one update."""

        def replace(text: pycrdt.Text) -> None:
            with self.doc.transaction():
                for at in places:
                    text.insert(at, inserted)
                    del text[at + 1]

        self.edit(replace)

    def _send(self, message: RoomMessage, counted: bytes | None = None) -> None:
        self.up.append(message)
        if counted is not None:
            self.counted.append(counted)
            self.unsaved += 1

    def hello(self) -> None:
        """Send the first message of every client."""
        self._send(SyncStep1(self.doc.get_state()))
        self.sent_step1 = True

    def hear(self, message: FromServer) -> None:
        match message:
            case SyncStep1(state_vector):
                update = self.doc.get_update(state_vector)
                counted = self.sent_step1
                self.sent_step1 = False
                self._send(SyncStep2(update), update if counted else None)
            case SyncStep2(update) | Update(update):
                self.doc.apply_update(update)
            case Saved():
                self.unsaved -= 1
            case Refused():
                self.unsaved -= 1
                self.refused = True
            case _:
                pass


class ClientSink:
    """The sink of a client's session, which delivers to the client's queue."""

    dialect = "simulated"

    def __init__(self, network: "Network", client: SimulatedClient) -> None:
        self._network = network
        self._client = client

    def send(self, message: EncodedMessage) -> None:
        client = self._client
        client.down.append(message.message)
        if isinstance(message.message, Update) and self._network.lags(client):
            self._network.report(f"{client} lags, and was sent an update")
        if client.is_congested and len(client.down) > DOWN_MAX:
            self._network.fall_behind(client)

    def end(self, error: CollabError) -> None:
        if isinstance(error, PeerError):
            self._network.report(f"an honest client was refused: {error}")
        self._network.cut(self._client)


class StepLogWriter:
    """Counts queued bytes as ``LogWriter`` does. The steps of a ``Replica`` write the rows."""

    def __init__(self) -> None:
        self.queued_bytes = 0

    def submit(self, _source: object, size: int) -> None:
        self.queued_bytes += size

    def release(self, size: int) -> None:
        self.queued_bytes -= size


class StepRelay:
    """Passes the frames that a host publishes to the inboxes of the other replicas."""

    def __init__(self, network: "Network", replica: "Replica") -> None:
        self._network = network
        self._replica = replica

    def publish(self, frame: RelayFrame) -> None:
        self._network.publish(self._replica, frame)


class Replica:
    """One server process: a real ``Host`` while the room is open, and the work of the shell as single steps."""

    def __init__(self, network: "Network", number: int) -> None:
        self.network = network
        self.number = number
        self.writer = WriterId(network.random.getrandbits(63))
        self.log_writer = StepLogWriter()
        self.room: Room | None = None
        self.host: Host | None = None
        self.clients: dict[SessionId, SimulatedClient] = {}
        self.inbox: deque[RelayFrame] = deque()
        self.subscribed = False
        self.wants_turn = False
        self.row: Row | None = None
        self.outcome: Outcome | None = None
        self.timer: tuple[float, Callable[[], None]] | None = None
        """When and what the host has asked to be called."""

    def __str__(self) -> str:
        return f"replica {self.number}"

    # --- opening and unloading ----------------------------------------------------------------------------

    def open(self) -> Host:
        """Subscribe, then load, so that a row committed in between is received or loaded."""
        if self.host is None:
            self.subscribed = True
            stored, document = self.network.load()
            document.__class__ = self.network.document_class
            self.room = self.network.make_room(
                NAME,
                document,
                epoch=stored.epoch,
                cursor=stored.head,
                writer=WriterId(self.network.random.getrandbits(63)),
                limits=self.network.limits,
            )
            self.host = Host(
                self.room,
                replica=ServerReplica(
                    self.writer,
                    self.network.store,
                    cast("Relay", StepRelay(self.network, self)),
                    ServerLimits(),
                    Metrics(),
                ),
                log_writer=cast("LogWriter", self.log_writer),
                clock=self.network.read_clock,
                call_later=self._call_later,
                on_fail=self._failed,
                ask_turn=self._note_turn,
            )
            self.host.request_presence()
        return self.host

    def _call_later(self, delay_s: float, act: Callable[[], None]) -> None:
        if self.timer is not None:
            self.network.report("a room has two timers")
        self.timer = self.network.now_s + delay_s, act

    def _note_turn(self, _host: Host) -> None:
        self.wants_turn = True

    def _failed(self, host: Host) -> None:
        self.network.report(f"the room cannot continue: {host.failed!r}")

    def may_unload(self) -> bool:
        host = self.host
        return host is not None and not self.clients and host.is_all_committed and not host.has_work

    def unload(self) -> None:
        self.room = self.host = self.row = self.outcome = self.timer = None
        self.subscribed = self.wants_turn = False
        self.log_writer.queued_bytes = 0
        self.inbox.clear()

    def forget(self) -> None:
        """Unload an unused room. All that it accepted must be in the log by now."""
        assert self.room is not None
        for update in (update for client in self.network.clients for update in client.edits):
            if is_known(self.room.document, update) and not self.network.is_durable(update):
                raise Violation("a room was unloaded with an edit that is not saved")
        if self.log_writer.queued_bytes:
            raise Violation("a room was unloaded with bytes that wait for the log")
        self.unload()

    def crash(self) -> None:
        """Lose everything in memory. A commit in flight may have happened or not."""
        for client in list(self.clients.values()):
            self.network.cut(client)
        self.unload()

    # --- steps ---------------------------------------------------------------------------------------

    def start_commit(self) -> None:
        assert self.host is not None
        self.row = self.host.next_row()

    def commit(self) -> None:
        """Append the row. The room does not know of it yet."""
        assert self.row is not None
        (self.outcome,) = now(self.network.store.append([self.row]))
        assert isinstance(self.outcome, Committed)
        self.network.committed(self.row)

    def finish_commit(self) -> None:
        assert self.host is not None
        assert self.outcome is not None
        outcome, self.row, self.outcome = self.outcome, None, None
        self.host.row_written(outcome)

    def run_timer(self) -> None:
        """Let the time come for which the host has asked."""
        assert self.timer is not None
        (at_s, act), self.timer = self.timer, None
        self.network.now_s = max(self.network.now_s, at_s)
        act()

    def hear_relay(self) -> None:
        frame = self.inbox.popleft()
        if self.host is not None and not isinstance(frame, SharingFrame):
            self.host.relayed(frame)

    def lose_frame(self) -> None:
        """Lose a relay frame, as Redis may."""
        self.inbox.popleft()

    def delay_frame(self) -> None:
        self.inbox.rotate(1)

    def repeat_frame(self) -> None:
        self.inbox.append(self.inbox[0])

    def poll(self) -> None:
        assert self.host is not None
        after = self.host.cursor
        head = now(self.network.store.heads({NAME: after})).get(NAME)
        if head is not None:
            self.host.tell(HeadRead(head.seq, head.epoch, head.deleted, after))

    def catch_up(self) -> None:
        assert self.host is not None
        after = self.host.cursor
        self.host.tell(RowsRead(now(self.network.store.rows_after(NAME, after)), after))

    def take_turn(self) -> None:
        """Go on with the updates that wait for their turn."""
        assert self.host is not None
        self.wants_turn = False
        self.host.go_on()

    def compact(self) -> None:
        stored = now(self.network.store.load(NAME))
        if stored.tail:
            self.network.compact(stored.snapshot, stored.tail)

    def steps(self) -> list[Callable[[], None]]:
        """Return the steps that are possible here."""
        possible: list[Callable[[], None]] = []
        if self.inbox:
            possible.append(self.hear_relay)
        if self.host is None:
            return possible
        if self.outcome is not None:
            possible.append(self.finish_commit)
        elif self.row is not None:
            possible.append(self.commit)
        elif not self.host.is_all_committed:
            possible.append(self.start_commit)
        if self.host.needs_catch_up:
            possible.append(self.catch_up)
        if self.timer is not None:
            possible.append(self.run_timer)
        if self.wants_turn:
            possible.append(self.take_turn)
        return possible


class Network:
    """A whole deployment. ``seed`` decides every choice of ``run``; a test may also take the steps itself."""

    def __init__(
        self,
        seed: int = 0,
        *,
        replicas: int = 1,
        window_s: float = 0.0,
        make_room: Callable[..., Room] = Room,
        document_class: type[Document] = Document,
        replica_class: type[Replica] = Replica,
        merge: Callable[[bytes | None, tuple[CommittedRow, ...]], bytes] = compact,
    ) -> None:
        self.random = random.Random(seed)
        self.make_room = make_room
        self.document_class = document_class
        self.merge = merge
        self.limits = RoomLimits(
            window=WindowLengths(window_s, sessions_min=1),
            work=SMALL_SLICES if seed // len(WINDOWS_S) % 2 else WorkLimits(),
        )
        """In half of the stories nearly every update takes turns, a struct each."""
        self.is_slow = False
        """True if steps take time, and clients often write much at once. ``random_story`` decides."""
        self.shares = False
        """True if clients also have the edits of others from elsewhere, such as a shared disk."""
        self.store = MemoryStore()
        self.durable = Document()
        self.now_s = 0.0
        self.clients: list[SimulatedClient] = []
        self.replicas = [replica_class(self, n) for n in range(replicas)]
        self._sessions = 0
        self._violations: list[str] = []

    def report(self, violation: str) -> None:
        """Record a violation where it cannot be raised, because a host survives every error of its parts."""
        self._violations.append(violation)

    def do(self, step: Callable[[], None]) -> None:
        """Take one step of the schedule. Raises Violation if it broke a promise."""
        step()
        if self._violations:
            raise Violation(self._violations[0])

    def read_clock(self) -> float:
        """Return the time, after letting a little of it pass in a slow story."""
        if self.is_slow:
            self.now_s += self.random.choice(STEP_S)
        return self.now_s

    # --- clients ---------------------------------------------------------------------------------------

    def client(self, name: str, *, can_write: bool = True) -> SimulatedClient:
        """Add a client that is not connected yet."""
        doc: Any = pycrdt.Doc(client_id=self.random.getrandbits(32))
        client = SimulatedClient(name, can_write, doc, shares=self.shares)
        self.clients.append(client)
        return client

    def connect(self, name: str, *, replica: int = 0, can_write: bool = True) -> SimulatedClient:
        """Add a client that connects to a replica."""
        client = self.client(name, can_write=can_write)
        self.join(client, replica)
        return client

    def join(self, client: SimulatedClient, replica: int = 0) -> None:
        assert client.replica is None
        if self.shares and self.random.random() < 0.7:
            other = self.random.choice([each for each in self.clients if each.can_write])
            client.doc.apply_update(other.doc.get_update())
        self._sessions += 1
        client.replica, client.session = self.replicas[replica], SessionId(self._sessions)
        host = client.replica.open()
        client.replica.clients[client.session] = client
        session = Session(client.session, UserId(client.user or client.name), client.name, client.can_write)
        host.tell(Joined(session), ClientSink(self, client))
        client.hello()

    def cut(self, client: SimulatedClient, *, clean: bool = False) -> None:
        """Close a client's socket, and lose all messages on it."""
        replica, session = client.replica, client.session
        client.replica = client.session = None
        client.up.clear()
        client.down.clear()
        client.counted.clear()
        client.spoken.clear()
        client.is_congested = False
        client.unsaved, client.refused, client.sent_step1 = 0, False, False
        if replica is not None and session is not None and session in replica.clients:
            del replica.clients[session]
            if replica.host is not None:
                replica.host.tell(Left(session, clean))

    def restart(self, replica: Replica) -> None:
        """Crash a replica, and connect its clients again at once: several of them have what it had not saved."""
        clients = list(replica.clients.values())
        replica.crash()
        where = self.random.randrange(len(self.replicas))
        for client in clients:
            self.join(client, where)

    # --- slow clients ---

    def tell(self, client: SimulatedClient, event: Event) -> None:
        """Tell the room of a client's session of an event."""
        if client.replica is not None and client.replica.host is not None:
            client.replica.host.tell(event)

    def lags(self, client: SimulatedClient) -> bool:
        room = None if client.replica is None else client.replica.room
        session = None if room is None or client.session is None else room._sessions.get(client.session)
        return session is not None and session.state is SessionState.LAGGING

    def congest(self, client: SimulatedClient) -> None:
        """Have a client take less than it is sent, until it has taken everything."""
        if client.session is not None:
            client.is_congested = True
            self.tell(client, Congested(client.session))

    def fall_behind(self, client: SimulatedClient) -> None:
        if client.session is not None:
            self.tell(client, FellBehind(client.session, len(client.down)))

    def drain(self, client: SimulatedClient) -> None:
        """Note that a client has taken everything."""
        assert client.session is not None
        client.is_congested = False
        self.tell(client, Drained(client.session))

    # --- relay and store -------------------------------------------------

    def publish(self, sender: Replica, frame: RelayFrame) -> None:
        for replica in self.replicas:
            if replica is not sender and replica.subscribed:
                replica.inbox.append(frame)

    def committed(self, row: Row) -> None:
        """Apply a committed row to ``durable``, the document that the log must hold."""
        for entry in decode_entries(row.payload):
            update = inspect_stored_update(entry.update)
            match self.durable.assess(update, committed=True):
                case News() as news:
                    self.durable.apply(news)
                case Lacks():
                    raise Violation("the log is not in causal order")

    def load(self) -> tuple[Stored, Document]:
        """Return the stored snapshot and rows, and the document they make."""
        stored = now(self.store.load(NAME))
        try:
            return stored, load_document(None if stored.snapshot is None else stored.snapshot.state, stored.tail)
        except RoomClosed as error:
            raise Violation(f"the stored snapshot and rows make no document: {error}") from error

    def compact(self, snapshot: Snapshot | None, tail: tuple[CommittedRow, ...]) -> None:
        before = None if snapshot is None else snapshot.state
        state = self.merge(before, tail)
        version = 0 if snapshot is None else snapshot.version
        now(self.store.put_snapshot(NAME, Epoch(0), Snapshot(tail[-1].seq, state, version)))

    # --- steps -----------------------------------------------------------------------------------------

    def hear(self, client: SimulatedClient) -> None:
        """Deliver one frame to a client. Updates that it may believe saved must be committed."""
        message = client.down.popleft()
        if isinstance(message, Update | SyncStep2):
            self.check_shown(client, inspect_stored_update(message.update))
        client.hear(message)
        if client.unsaved < 0:
            raise Violation(f"{client.name} got more acknowledgements than it sent frames")
        saved = [message.update] if isinstance(message, Saved) and message.update else []
        if client.unsaved == 0:
            saved += [] if client.refused else client.counted
            client.counted, client.refused = [], False
        for update in saved:
            if not self.is_durable(update):
                raise Violation(f"{client.name} got an acknowledgement of an update that is not committed")

    def check_shown(self, client: SimulatedClient, update: InspectedUpdate) -> None:
        """Assert that a client is sent no gap, and none of its own edits before they are saved.

        Newer clients of y-websocket take the return of their content as its acknowledgement.
        """
        if any(struct.kind == SKIP for struct in update.structs):
            raise Violation(f"{client.name} was sent a gap")
        client.spoken = [edit for edit in client.spoken if not self.is_durable(edit.payload)]
        own = {struct.client: struct.clock for edit in reversed(client.spoken) for struct in reversed(edit.structs)}
        if any(struct.clock + struct.length > own.get(struct.client, CLOCK_END) for struct in update.structs):
            raise Violation(f"{client.name} was sent its own edit before it was saved")

    def speak(self, client: SimulatedClient) -> None:
        """Deliver one frame of a client to its room."""
        message = client.up.popleft()
        if isinstance(message, Update) and client.is_alone:
            client.spoken.append(inspect_update(message.update))
        replica, session = client.replica, client.session
        if replica is not None and session is not None and replica.host is not None:
            replica.host.hear(session, message)

    def tick(self, seconds: float) -> None:
        self.now_s += seconds
        for replica in self.replicas:
            if replica.host is not None:
                replica.host.tell(Ticked())

    def steps(self) -> list[Callable[[], None]]:
        """Return every step that is possible now."""
        possible: list[Callable[[], None]] = []
        for client in self.clients:
            if client.up:
                possible.append(partial(self.speak, client))
            if client.down:
                possible.append(partial(self.hear, client))
            elif client.is_congested:
                possible.append(partial(self.drain, client))
        for replica in self.replicas:
            possible += replica.steps()
        return possible

    def accident(self) -> Callable[[], None]:
        """Return a random fault or other rare event."""
        random = self.random
        replica = random.choice(self.replicas)
        match random.randrange(14):
            case 0:
                return partial(self.restart, replica) if self.is_slow else replica.crash
            case 1 | 2:
                connected = [c for c in self.clients if c.replica is not None]
                if connected:
                    return partial(self.cut, random.choice(connected))
            case 3 | 4 | 5:
                away = [c for c in self.clients if c.replica is None]
                if away:
                    return partial(self.join, random.choice(away), random.randrange(len(self.replicas)))
            case 6 if replica.inbox:
                return replica.lose_frame
            case 7 if len(replica.inbox) > 1:
                return replica.delay_frame
            case 8 if replica.inbox:
                return replica.repeat_frame
            case 9 if replica.host is not None:
                return replica.poll
            case 10:
                return replica.compact
            case 11 if replica.may_unload():
                return replica.forget
            case 12 | 13:
                connected = [c for c in self.clients if c.replica is not None]
                if connected:
                    return partial(self.congest, random.choice(connected))
        return partial(self.tick, random.choice((0.1, 1.0)))

    def type_something(self, client: SimulatedClient) -> None:
        random = self.random
        length = len(client.text)
        if length and self.is_slow and random.random() < 0.3:
            places = random.choices(range(length), k=random.randint(2, 6))
            client.replace_everywhere(places, random.choice("abcdefghij"))
        elif length and random.random() < 0.3:
            client.delete(random.randrange(length), random.randint(1, 3))
        else:
            client.insert(random.randint(0, length), random.choice("abcdefghij") * random.randint(1, 3))

    def run(self, steps: int) -> None:
        """Take random steps: mostly deliveries, often edits, sometimes faults."""
        for _ in range(steps):
            dice = self.random.random()
            due = self.steps()
            if dice < 0.15:
                self.type_something(self.random.choice(self.clients))
            elif dice < 0.3 or not due:
                self.do(self.accident())
            else:
                self.do(self.random.choice(due))

    def run_until_quiet(self, *, rounds: int = 200) -> None:
        """Deliver everything in a random order, and poll as the server does, until nothing is left to do."""
        for _ in range(rounds):
            while due := self.steps():
                self.do(self.random.choice(due))
            for replica in self.replicas:
                if replica.host is not None:
                    self.do(replica.poll)
            self.do(partial(self.tick, 1.0))
            if not self.steps():
                return
        raise Violation("the deployment does not come to rest")

    def settle(self) -> None:
        """Connect every client again, and deliver everything."""
        for _ in range(3):
            for client in self.clients:
                if client.replica is None:
                    self.join(client, self.random.randrange(len(self.replicas)))
            self.run_until_quiet()

    # --- promises --------------------------------------------------------------------------------------

    def is_durable(self, update: bytes) -> bool:
        """Return True if the log holds all of an update."""
        return is_known(self.durable, update)

    def assert_converged(self) -> None:
        """Assert that every writer, every room and a document loaded from the log are equal."""
        _, fresh = self.load()
        if not fresh.equals(self.durable):
            raise Violation("the log reads back differently from the committed rows")
        expected = fresh_text(fresh.encode())
        for replica in self.replicas:
            if replica.room is not None and not replica.room.document.equals(fresh):
                raise Violation(f"replica {replica.number} differs from the log")
        for client in self.clients:
            if client.unsaved:
                raise Violation(f"{client.name} waits for {client.unsaved} acknowledgements that never arrive")
            for update in client.edits:
                if client.can_write and not self.is_durable(update):
                    raise Violation(f"an edit of {client.name}, which reconnected, is not in the log")
                if not client.can_write and inspect_update(update).structs and self.is_durable(update):
                    raise Violation(f"{client.name} is a reader, but changed the document")
            if client.can_write and client.text != expected:
                raise Violation(f"{client.name} reads {client.text!r}, the log reads {expected!r}")
            if client.can_write and decode_state_vector(client.doc.get_state()) != fresh.state:
                raise Violation(f"{client.name} has other clocks than the log")


def is_known(document: Document, update: bytes) -> bool:
    """Return True if a document holds all of an update."""
    return document.assess(inspect_update(update), exact=True) == Known()


def fresh_text(update: bytes) -> str:
    """Return the text of a document that a new client makes of ``update``."""
    doc: Any = pycrdt.Doc()
    doc.apply_update(update)
    return str(doc.get("content", type=pycrdt.Text))


def random_story(seed: int, steps: int = 120, **parts: Any) -> Network:
    """Run one schedule: 1–3 replicas, 2–4 writers and perhaps a reader, with faults; then all clients reconnect."""
    dice = random.Random(seed)
    network = Network(seed, replicas=dice.randint(1, 3), window_s=WINDOWS_S[seed % len(WINDOWS_S)], **parts)
    network.is_slow = seed // len(WINDOWS_S) % 4 == 1  # half of those with small slices
    network.shares = seed // len(WINDOWS_S) % 8 == 1
    for number in range(dice.randint(2, 4)):
        network.connect(f"writer{number}", replica=dice.randrange(len(network.replicas)))
    if dice.random() < 0.4:
        network.connect("reader", replica=dice.randrange(len(network.replicas)), can_write=False)
    network.run(steps)
    network.settle()
    network.assert_converged()
    return network


__all__ = ["Network", "Replica", "SimulatedClient", "Violation", "random_story"]
