"""Runs one room: performs its effects, in order, and nothing else.

It stands between the room, which only decides, and everything that acts: outlets (sockets), the persister, the
relay. All of it happens on one event loop without an await, so nothing can come between a decision and its
performance. A broken invariant, or a library that failed, ends this room and its sessions, never the server.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import assert_never

from collab.errors import CollabError, DocumentDeleted, Draining, PeerError, RoomClosed, UpdateRefused
from collab.ids import ClientId, DocumentName, Sequence, SessionId, WriterId
from collab.observe.logs import get_logger
from collab.observe.metrics import Metrics
from collab.protocol.messages import FromServer, Refused, Saved, SyncStep2, Update
from collab.protocol.presence import PresenceEntry, decode_presence, encode_presence
from collab.protocol.rows import CommittedRow, Row
from collab.relay.base import PresenceFrame, Relay, RelayFrame, RowFrame
from collab.room.effects import Append, CatchUp, Effect, End, Fail, Publish, PublishPresence, Send
from collab.room.room import Room, RoomMessage
from collab.room.session import Session
from collab.serve.log_writer import LogWriter
from collab.serve.sink import EncodedMessage, Sink
from collab.store.base import Committed, Deleted, EpochChanged, Head, Outcome

log = get_logger("host")


class Host:
    """One room that is open on this replica. ``writer`` is the replica's, for presence frames."""

    def __init__(
        self,
        room: Room,
        *,
        writer: WriterId,
        log_writer: LogWriter,
        relay: Relay,
        clock: Callable[[], float],
        on_fail: Callable[["Host"], None],
        metrics: Metrics,
    ) -> None:
        self._room = room
        self._writer = writer
        self._log_writer = log_writer
        self._relay = relay
        self._clock = clock
        self._on_fail = on_fail
        self._metrics = metrics
        self._accepted: deque[tuple[float, int]] = deque()
        """When each update that is not committed was accepted, and its share of the unsaved bytes."""
        self._sinks: dict[SessionId, Sink] = {}
        self._dismissed: set[SessionId] = set()
        self._presence: dict[ClientId, PresenceEntry] = {}
        self.failed: CollabError | None = None
        """Why the room is gone; nothing happens in it any more."""
        self.is_behind = False
        """Rows are known to be missing: the healer reads them from the store."""
        self.empty_since_s: float | None = clock()
        """Since when nobody is here; None while somebody is."""
        self._hears = True

    def __repr__(self) -> str:
        return f"<Host of {self._room!r}{' failed' if self.failed else ''}>"

    @property
    def name(self) -> DocumentName:
        return self._room.name

    @property
    def cursor(self) -> Sequence:
        """Every row of the log up to here is in the room."""
        return self._room.cursor

    @property
    def is_settled(self) -> bool:
        """Everything accepted is committed: the room may be forgotten."""
        return self._room.is_settled

    @property
    def sessions(self) -> int:
        """How many sessions are here."""
        return len(self._sinks)

    def sessions_of(self, dialect: str) -> int:
        """How many of them speak this way."""
        return sum(sink.dialect == dialect for sink in self._sinks.values())

    @property
    def held(self) -> int:
        """How many updates wait for their predecessors."""
        return self._room.held

    # --- sessions -----------------------------------------------------------------------------------

    def join(self, session: Session, sink: Sink) -> None:
        """A session begins; what is said to it goes to ``sink``."""
        self._sinks[session.id] = sink
        self.empty_since_s = None
        self._do(lambda: self._room.join(session))

    def resume(self, session: SessionId) -> None:
        """The session goes on where an earlier one on the same connection ended."""
        self._do(lambda: self._room.resume(session))

    def change(self, session: SessionId, *, can_write: bool, name: str) -> None:
        """The session goes on with another role, or under another name."""
        self._do(lambda: self._room.change(session, can_write=can_write, name=name))

    def dismiss(self, session: SessionId, sink: Sink, *, clean: bool) -> None:
        """A session ends that the server ends, while its connection stays: its frames still get their answers.

        It leaves when it has them all. Until then ``sink`` gets what is said to it. ``clean``: its people are gone.
        """
        if session in self._sinks:
            self._sinks[session] = sink
            self._dismissed.add(session)
            self._do(lambda: self._room.dismiss(session, self._clock(), clean=clean))

    def leave(self, session: SessionId, *, clean: bool) -> None:
        """A session has ended. Leaving twice is normal."""
        self._dismissed.discard(session)
        if self._sinks.pop(session, None) is not None and not self._sinks:
            self.empty_since_s = self._clock()
        self._attempt(lambda: self._room.leave(session, self._clock(), clean=clean))

    def receive(self, session: SessionId, message: RoomMessage) -> None:
        """A session says something. Raises ProtocolError when it is nonsense inside."""
        if not self._hears:
            return
        if isinstance(message, Update | SyncStep2):
            self._metrics.updates_received.inc()
        self._do(lambda: self._room.receive(session, message, self._clock()))

    def stop_hearing(self) -> None:
        """The end is near: what sessions say from now on is not accepted, and so is not acknowledged either.

        They are still told of what they said before.
        """
        self._hears = False

    def _let_go(self) -> None:
        """Of those who were dismissed, let go who has every answer: a commit, a predecessor or time has brought it."""
        for session in [each for each in self._dismissed if not self._room.owes(each)]:
            self.leave(session, clean=False)

    # --- the log ------------------------------------------------------------------------------------

    def next_row(self) -> Row | None:
        """For the persister: the next row of this room."""
        return None if self.failed else self._room.next_row()

    def row_written(self, outcome: Outcome) -> None:
        """From the persister: what became of the row."""
        match outcome:
            case Committed(seq):
                under_way = self._room.bytes_under_way
                self._do(lambda: self._room.appended(seq))
                # Not what has become of the unsaved bytes: the row may have let in updates that waited for it.
                committed = under_way - self._room.bytes_under_way
                self._log_writer.release(committed)
                self._time_saving(committed)
            case Deleted():
                self.fail(DocumentDeleted())
            case EpochChanged():
                self.fail(RoomClosed())
            case _:
                assert_never(outcome)

    def row_failed(self, error: CollabError) -> None:
        """From the persister: the row can never be written."""
        self.fail(error)

    def receive_rows(self, rows: Iterable[CommittedRow], *, after: Sequence) -> None:
        """From the healer: rows read from the store."""
        self.is_behind = False
        self._do(lambda: self._room.receive_rows(rows, after=after))

    def receive_head(self, head: Head, *, after: Sequence) -> None:
        """From the healer: where the log ends."""
        self._do(lambda: self._room.receive_head(head.seq, head.epoch, deleted=head.deleted, after=after))

    # --- other replicas -----------------------------------------------------------------------------

    def request_presence(self) -> None:
        """The room has just opened: ask the other replicas who is with them."""
        self._do(self._room.request_presence)

    def relayed(self, frame: RelayFrame) -> None:
        """A frame of another replica."""
        match frame:
            case RowFrame():
                self._do(lambda: self._room.receive_row(frame.row, frame.epoch))
            case PresenceFrame():
                entries = decode_presence(frame.payload)
                self._do(lambda: self._room.receive_presence(frame.writer, entries, self._clock(), wanted=frame.wanted))
            case _:
                assert_never(frame)

    def replica_lost(self, writer: WriterId) -> None:
        """Another replica is gone."""
        self._do(lambda: self._room.replica_lost(writer, self._clock()))

    def publish_presence(self) -> None:
        """Send what changed since the last call: called ten times a second at most."""
        if self._presence:
            self._publish_entries(tuple(self._presence.values()), wanted=False)
            self._presence.clear()

    def tick(self) -> None:
        """Time has passed."""
        self._do(lambda: self._room.tick(self._clock()))

    def _time_saving(self, committed: int) -> None:
        """So many bytes are saved: updates are committed in the order in which they were accepted."""
        now_s = self._clock()
        while committed > 0 and self._accepted:
            accepted_s, size = self._accepted.popleft()
            committed -= size
            self._metrics.save_s.observe(now_s - accepted_s)

    # --- effects ------------------------------------------------------------------------------------

    def fail(self, error: CollabError) -> None:
        """End the room: every session for this reason, what is not committed with them, unacknowledged."""
        if self.failed:
            return
        self.failed = error
        if not isinstance(error, Draining):
            log.warning("room_failed", document=self.name, reason=error.slug, sessions=len(self._sinks))
        self._log_writer.release(self._room.unsaved_bytes)
        sinks, self._sinks = self._sinks, {}
        self._on_fail(self)
        for sink in sinks.values():
            sink.end(error)

    def _do(self, decide: Callable[[], list[Effect]]) -> None:
        self._attempt(decide)
        self._let_go()

    def _attempt(self, decide: Callable[[], list[Effect]]) -> None:
        if self.failed:
            return
        try:
            self._perform(decide())
        except PeerError:
            raise
        except CollabError as error:  # whoever called has others to serve: the persister a whole batch
            self.fail(error)
        except Exception:
            log.exception("invariant_broken", document=self.name)
            self.fail(RoomClosed())

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(sessions, message):
                    self._send(sessions, message)
                case Append(size):
                    self._metrics.updates_accepted.inc()
                    self._accepted.append((self._clock(), size))
                    self._log_writer.submit(self, size)
                case Publish(row):
                    self._relay.publish(RowFrame(self.name, self._room.epoch, row))
                case PublishPresence(entries, wanted=True):
                    self._publish_entries(entries, wanted=True)
                case PublishPresence(entries):
                    self._presence.update((each.entry.client, each) for each in entries)
                case CatchUp():
                    self.is_behind = True
                case End(session, error):
                    self._count_refusal(error, effects)
                    self._end(session, error)
                case Fail(error):
                    self.fail(error)
                    return
                case _:
                    assert_never(effect)

    def _send(self, sessions: tuple[SessionId, ...], message: FromServer) -> None:
        if isinstance(message, Saved):
            self._metrics.acknowledgements.inc()
        elif isinstance(message, Refused):
            self._metrics.updates_refused.inc()
        outgoing = EncodedMessage(message)
        for session in sessions:
            sink = self._sinks.get(session)
            if sink is not None:
                sink.deliver(outgoing)

    def _count_refusal(self, error: CollabError, effects: list[Effect]) -> None:
        """A refusal that its client does not count is told by the end of the session alone."""
        told = any(isinstance(effect, Send) and isinstance(effect.message, Refused) for effect in effects)
        if isinstance(error, UpdateRefused) and not told:
            self._metrics.updates_refused.inc()

    def _end(self, session: SessionId, error: CollabError) -> None:
        sink = self._sinks.pop(session, None)
        if sink is not None:
            if not self._sinks:
                self.empty_since_s = self._clock()
            sink.end(error)

    def _publish_entries(self, entries: tuple[PresenceEntry, ...], *, wanted: bool) -> None:
        payload = encode_presence(entries)
        self._relay.publish(PresenceFrame(self.name, self._writer, payload, wanted=wanted))
