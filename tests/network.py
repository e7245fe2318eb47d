"""The simulated deployment: clients, replicas, relay, log and crashes in one thread, with a seed for a schedule.

Everything that decides is the real thing (``Room``, ``Document``, ``MemoryStore``, ``fold``); what acts is
written here as single steps that a seeded generator picks: deliver one frame, start a commit, finish it, lose
a relay frame, kill a replica, unload a room. So every interleaving of the real server is some seed, and a
failure is a number to paste.

The checks, in ``assert_*``: an acknowledgement is only ever seen for what is committed; whoever may only read
changes nothing; when quiet, every client, every room and the log alone hold the same document.
"""

import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pycrdt

from collab.crdt.document import Document
from collab.crdt.guard import inspect_stored_update, inspect_update
from collab.crdt.statevector import decode_state_vector
from collab.errors import PeerError
from collab.ids import DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.messages import (
    FromServer,
    Refused,
    Saved,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.presence import decode_presence, encode_presence
from collab.protocol.rows import CommittedRow, Row, decode_entries
from collab.relay.base import PresenceFrame, RelayFrame, RowFrame
from collab.room.compaction import fold, load_document
from collab.room.effects import Append, CatchUp, Effect, End, Fail, Publish, PublishPresence, Send
from collab.room.room import Room, RoomMessage
from collab.room.session import Session
from collab.store.base import Committed, Snapshot
from collab.store.memory import MemoryStore

NAME = DocumentName("story")
T = TypeVar("T")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits (every method of ``MemoryStore``)."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("this coroutine waits")


class Violation(AssertionError):
    """A promise was broken."""


@dataclass
class Client:
    """A person with a Yjs document of their own, who may be connected."""

    name: str
    can_write: bool = True
    doc: Any = field(default_factory=pycrdt.Doc)
    user: str = ""
    """Who it is; nobody else when it is empty."""
    replica: "Replica | None" = None
    session: SessionId | None = None
    up: deque[RoomMessage] = field(default_factory=deque)
    down: deque[FromServer] = field(default_factory=deque)
    edits: list[bytes] = field(default_factory=list)
    """Every update this client ever made."""
    unsaved: int = 0
    """What a Hocuspocus provider counts: frames sent and not answered. At 0 its state line says Saved."""
    counted: list[bytes] = field(default_factory=list)
    """The frames behind that number, since it last was 0."""
    refused: bool = False
    """One of them was refused, so the number does not mean Saved."""
    sent_step1: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        return str(self.doc.get("content", type=pycrdt.Text))

    def edit(self, change: Callable[[pycrdt.Text], None]) -> None:
        """Change the text, and send what changed if connected: at once, synced or not, as Yjs clients do."""
        text = self.doc.get("content", type=pycrdt.Text)
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        change(text)
        self.doc.unobserve(subscription)
        for update in made:
            self.edits.append(update)
            if self.replica is not None:
                self._send(Update(update), update)

    def insert(self, at: int, what: str) -> None:
        self.edit(lambda text: text.insert(min(at, len(text)), what))

    def delete(self, at: int, length: int) -> None:
        def cut(text: pycrdt.Text) -> None:
            start = min(at, len(text))
            stop = min(start + length, len(text))
            if stop > start:
                del text[start:stop]

        self.edit(cut)

    def _send(self, message: RoomMessage, counted: bytes | None = None) -> None:
        self.up.append(message)
        if counted is not None:
            self.counted.append(counted)
            self.unsaved += 1

    def hello(self) -> None:
        """What every client says first."""
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


class Replica:
    """One server process: a room when somebody needs it, and the shell's duties as single steps."""

    def __init__(self, network: "Network", number: int) -> None:
        self.network = network
        self.number = number
        self.origin = WriterId(network.random.getrandbits(63))
        self.room: Room | None = None
        self.clients: dict[SessionId, Client] = {}
        self.inbox: deque[RelayFrame] = deque()
        self.subscribed = False
        self.wants_rows = False
        self.flight: Row | None = None
        self.outcome: Sequence | None = None

    def __str__(self) -> str:
        return f"replica {self.number}"

    # --- the room's life ----------------------------------------------------------------------------

    def open(self) -> Room:
        """Subscribe, then load: a row committed in between is in one of the two."""
        if self.room is None:
            self.subscribed = True
            stored = now(self.network.store.load(NAME))
            snapshot = None if stored.snapshot is None else stored.snapshot.state
            document = load_document(snapshot, stored.tail)
            document.__class__ = self.network.document_class
            self.room = self.network.room_class(
                NAME,
                document,
                epoch=stored.epoch,
                cursor=stored.head,
                origin=WriterId(self.network.random.getrandbits(63)),
            )
            self.perform(self.room.request_presence())
        return self.room

    def may_unload(self) -> bool:
        return self.room is not None and not self.clients and self.room.is_settled

    def unload(self) -> None:
        self.room, self.flight, self.outcome = None, None, None
        self.subscribed = self.wants_rows = False
        self.inbox.clear()

    def forget(self) -> None:
        """Nobody has needed the room for a while. What it accepted must be in the log by now."""
        assert self.room is not None
        for update in (update for client in self.network.clients for update in client.edits):
            if self.room.document.has(inspect_update(update)) and not self.network.is_durable(update):
                raise Violation("a room was forgotten with an edit that nobody has saved")
        self.unload()

    def crash(self) -> None:
        """Everything in memory is gone; a commit that was under way has happened, or not."""
        for client in list(self.clients.values()):
            self.network.cut(client)
        self.unload()

    # --- performing effects -------------------------------------------------------------------------

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(sessions, message):
                    for session in sessions:
                        if session in self.clients:
                            self.clients[session].down.append(message)
                case Append():
                    pass
                case Publish(row):
                    self.network.publish(self, RowFrame(NAME, Epoch(0), row))
                case PublishPresence(entries, wanted):
                    frame = PresenceFrame(NAME, self.origin, encode_presence(entries), wanted)
                    self.network.publish(self, frame)
                case CatchUp():
                    self.wants_rows = True
                case End(session, error):
                    if isinstance(error, PeerError):
                        raise Violation(f"an honest client was refused: {error}")
                    if session in self.clients:
                        self.network.cut(self.clients[session])
                case Fail(error):
                    raise Violation(f"the room cannot go on: {error}") from error

    # --- steps ---------------------------------------------------------------------------------------

    def start_commit(self) -> None:
        assert self.room is not None
        self.flight = self.room.next_row()

    def commit(self) -> None:
        """The database has it; nobody here knows yet."""
        assert self.flight is not None
        (outcome,) = now(self.network.store.append([self.flight]))
        assert isinstance(outcome, Committed)
        self.outcome = outcome.seq
        self.network.committed(self.flight)

    def finish_commit(self) -> None:
        assert self.room is not None
        assert self.outcome is not None
        seq, self.flight, self.outcome = self.outcome, None, None
        self.perform(self.room.appended(seq))

    def hear_relay(self) -> None:
        frame = self.inbox.popleft()
        if self.room is None:
            return
        match frame:
            case RowFrame():
                self.perform(self.room.receive_row(frame.row, frame.epoch))
            case PresenceFrame():
                entries = decode_presence(frame.payload)
                self.perform(self.room.receive_presence(frame.origin, entries, self.network.now_s, wanted=frame.wanted))

    def lose_frame(self) -> None:
        """Redis promises nothing."""
        self.inbox.popleft()

    def delay_frame(self) -> None:
        self.inbox.rotate(1)

    def repeat_frame(self) -> None:
        self.inbox.append(self.inbox[0])

    def poll(self) -> None:
        assert self.room is not None
        after = self.room.cursor
        head = now(self.network.store.heads({NAME: after})).get(NAME)
        if head is not None:
            self.perform(self.room.receive_head(head.seq, head.epoch, deleted=head.deleted, after=after))

    def catch_up(self) -> None:
        assert self.room is not None
        self.wants_rows = False
        after = self.room.cursor
        self.perform(self.room.receive_rows(now(self.network.store.rows_after(NAME, after)), after=after))

    def compact(self) -> None:
        stored = now(self.network.store.load(NAME))
        if stored.tail:
            self.network.compact(stored.snapshot, stored.tail)

    def steps(self) -> list[Callable[[], None]]:
        """What can happen here next."""
        possible: list[Callable[[], None]] = []
        if self.inbox:
            possible.append(self.hear_relay)
        if self.room is None:
            return possible
        if self.outcome is not None:
            possible.append(self.finish_commit)
        elif self.flight is not None:
            possible.append(self.commit)
        elif not self.room.is_settled:
            possible.append(self.start_commit)
        if self.wants_rows:
            possible.append(self.catch_up)
        return possible


class Network:
    """All of it. ``seed`` decides every choice of ``run``; stories may also be told step by step."""

    def __init__(
        self,
        seed: int = 0,
        *,
        replicas: int = 1,
        room_class: type[Room] = Room,
        document_class: type[Document] = Document,
        replica_class: type[Replica] = Replica,
        fold: Callable[[bytes | None, tuple[CommittedRow, ...]], bytes] = fold,
    ) -> None:
        self.random = random.Random(seed)
        self.room_class = room_class
        self.document_class = document_class
        self.fold = fold
        self.store = MemoryStore()
        self.durable = Document()
        self.now_s = 0.0
        self.clients: list[Client] = []
        self.replicas = [replica_class(self, n) for n in range(replicas)]
        self._sessions = 0

    # --- people ---------------------------------------------------------------------------------------

    def client(self, name: str, *, can_write: bool = True) -> Client:
        """Somebody, not connected yet."""
        client = Client(name, can_write, pycrdt.Doc(client_id=self.random.getrandbits(32)))
        self.clients.append(client)
        return client

    def connect(self, name: str, *, replica: int = 0, can_write: bool = True) -> Client:
        """Somebody who connects to a replica and says hello."""
        client = self.client(name, can_write=can_write)
        self.join(client, replica)
        return client

    def join(self, client: Client, replica: int = 0) -> None:
        assert client.replica is None
        self._sessions += 1
        client.replica, client.session = self.replicas[replica], SessionId(self._sessions)
        room = client.replica.open()
        client.replica.clients[client.session] = client
        session = Session(client.session, UserId(client.user or client.name), client.name, client.can_write)
        client.replica.perform(room.join(session))
        client.hello()

    def cut(self, client: Client, *, clean: bool = False) -> None:
        """The socket is gone, with everything under way on it."""
        replica, session = client.replica, client.session
        client.replica = client.session = None
        client.up.clear()
        client.down.clear()
        client.counted.clear()
        client.unsaved, client.refused, client.sent_step1 = 0, False, False
        if replica is not None and session is not None and session in replica.clients:
            del replica.clients[session]
            if replica.room is not None:
                replica.perform(replica.room.leave(session, self.now_s, clean=clean))

    # --- what passes between replicas and the store -------------------------------------------------

    def publish(self, sender: Replica, frame: RelayFrame) -> None:
        for replica in self.replicas:
            if replica is not sender and replica.subscribed:
                replica.inbox.append(frame)

    def committed(self, row: Row) -> None:
        """Keep the truth beside the system: what the log holds, applied as it was committed."""
        for entry in decode_entries(row.payload):
            update = inspect_stored_update(entry.update)
            if self.durable.missing(update) is not None:
                raise Violation("the log is not in causal order")
            self.durable.replay(update)

    def compact(self, snapshot: Snapshot | None, tail: tuple[CommittedRow, ...]) -> None:
        before = None if snapshot is None else snapshot.state
        state = self.fold(before, tail)
        version = 0 if snapshot is None else snapshot.version
        now(self.store.put_snapshot(NAME, Epoch(0), Snapshot(tail[-1].seq, state, version)))

    # --- steps -----------------------------------------------------------------------------------------

    def hear(self, client: Client) -> None:
        """Deliver one frame to a client; check what it is told."""
        message = client.down.popleft()
        client.hear(message)
        if client.unsaved < 0:
            raise Violation(f"{client.name} was answered more often than it spoke")
        told = [message.update] if isinstance(message, Saved) and message.update else []
        if client.unsaved == 0:
            told += [] if client.refused else client.counted
            client.counted, client.refused = [], False
        for update in told:
            if not self.is_durable(update):
                raise Violation(f"{client.name} was told Saved for what is not committed")

    def speak(self, client: Client) -> None:
        """Deliver one frame of a client to its room."""
        message = client.up.popleft()
        replica, session = client.replica, client.session
        if replica is not None and session is not None and replica.room is not None:
            replica.perform(replica.room.receive(session, message, self.now_s))

    def tick(self, seconds: float) -> None:
        self.now_s += seconds
        for replica in self.replicas:
            if replica.room is not None:
                replica.perform(replica.room.tick(self.now_s))

    def steps(self) -> list[Callable[[], None]]:
        """Every delivery and every duty that is due."""
        possible: list[Callable[[], None]] = []
        for client in self.clients:
            if client.up:
                possible.append(partial(self.speak, client))
            if client.down:
                possible.append(partial(self.hear, client))
        for replica in self.replicas:
            possible += replica.steps()
        return possible

    def accident(self) -> Callable[[], None]:
        """Something nobody asked for."""
        random = self.random
        replica = random.choice(self.replicas)
        match random.randrange(12):
            case 0:
                return replica.crash
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
            case 9 if replica.room is not None:
                return replica.poll
            case 10:
                return replica.compact
            case 11 if replica.may_unload():
                return replica.forget
        return partial(self.tick, random.choice((0.1, 1.0)))

    def type_something(self, client: Client) -> None:
        random = self.random
        length = len(client.text)
        if length and random.random() < 0.3:
            client.delete(random.randrange(length), random.randint(1, 3))
        else:
            client.insert(random.randint(0, length), random.choice("abcdefghij") * random.randint(1, 3))

    def run(self, steps: int) -> None:
        """So many steps of a schedule: deliveries mostly, typing often, chaos now and then."""
        for _ in range(steps):
            dice = self.random.random()
            due = self.steps()
            if dice < 0.15:
                self.type_something(self.random.choice(self.clients))
            elif dice < 0.3 or not due:
                self.accident()()
            else:
                self.random.choice(due)()

    def run_until_quiet(self, *, rounds: int = 200) -> None:
        """Deliver everything, in a random order, polling as the server does, until nothing is left to do."""
        for _ in range(rounds):
            while due := self.steps():
                self.random.choice(due)()
            for replica in self.replicas:
                if replica.room is not None:
                    replica.poll()
            self.tick(1.0)
            if not self.steps():
                return
        raise Violation("the deployment does not come to rest")

    def settle(self) -> None:
        """Everybody comes back, and all is delivered."""
        for _ in range(3):
            for client in self.clients:
                if client.replica is None:
                    self.join(client, self.random.randrange(len(self.replicas)))
            self.run_until_quiet()

    # --- promises --------------------------------------------------------------------------------------

    def is_durable(self, update: bytes) -> bool:
        """Whether the log holds all of an update."""
        return self.durable.has(inspect_update(update), exact=True)

    def assert_converged(self) -> None:
        """Every writer, every room, and the log read by a fresh process hold the same document."""
        stored = now(self.store.load(NAME))
        fresh = load_document(None if stored.snapshot is None else stored.snapshot.state, stored.tail)
        if not fresh.equals(self.durable):
            raise Violation("the log reads back as something else than was committed")
        expected = fresh_text(fresh.encode())
        for replica in self.replicas:
            if replica.room is not None and not replica.room.document.equals(fresh):
                raise Violation(f"replica {replica.number} holds another document than the log")
        for client in self.clients:
            if client.unsaved:
                raise Violation(f"{client.name} waits for {client.unsaved} answers that never come")
            for update in client.edits:
                if client.can_write and not self.is_durable(update):
                    raise Violation(f"an edit of {client.name}, who came back, is not in the log")
                if not client.can_write and inspect_update(update).structs and self.is_durable(update):
                    raise Violation(f"{client.name} may only read, and changed the document")
            if client.can_write and client.text != expected:
                raise Violation(f"{client.name} reads {client.text!r}, the log says {expected!r}")
            if client.can_write and decode_state_vector(client.doc.get_state()) != fresh.state:
                raise Violation(f"{client.name} has other clocks than the log")


def fresh_text(update: bytes) -> str:
    """The text of a document, read by nobody who took part."""
    doc: Any = pycrdt.Doc()
    doc.apply_update(update)
    return str(doc.get("content", type=pycrdt.Text))


def random_story(seed: int, steps: int = 120, **parts: Any) -> Network:
    """One schedule: 1–3 replicas, 2–4 writers and perhaps a reader, chaos, then everybody comes back."""
    dice = random.Random(seed)
    network = Network(seed, replicas=dice.randint(1, 3), **parts)
    for number in range(dice.randint(2, 4)):
        network.connect(f"writer{number}", replica=dice.randrange(len(network.replicas)))
    if dice.random() < 0.4:
        network.connect("reader", replica=dice.randrange(len(network.replicas)), can_write=False)
    network.run(steps)
    network.settle()
    network.assert_converged()
    return network


__all__ = ["Client", "Network", "Replica", "Violation", "random_story"]
