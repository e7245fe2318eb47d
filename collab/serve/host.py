"""Runs one room: tells it what happened and performs its effects, in order, and nothing else.

All of it happens on one event loop without an await, so nothing can come between a decision and its performance. A
broken invariant, or an engine that failed, ends this room and its sessions, never the server.
"""

from collections import deque
from collections.abc import Callable
from typing import assert_never

from collab.errors import CollabError, DocumentDeleted, Draining, Fault, RoomClosed, TooSlow, UpdateRefused
from collab.ids import ClientId, DocumentName, Sequence, SessionId
from collab.observe.logs import get_logger
from collab.protocol.messages import FromServer, Refused, Saved, SyncStep2, Update
from collab.protocol.presence import PresenceEntry, decode_presence, encode_presence
from collab.protocol.rows import Row
from collab.relay.base import PresenceFrame, RoomFrame, RowFrame
from collab.room.effects import (
    Again,
    CatchUp,
    Committed,
    Effect,
    End,
    EndWindowAt,
    Fail,
    Publish,
    PublishPresence,
    Queued,
    Retitled,
    Send,
)
from collab.room.events import (
    Continued,
    Dismissed,
    Event,
    Joined,
    PresenceRelayed,
    RoomMessage,
    RowCommitted,
    RowRelayed,
    RowsRead,
    Said,
    Ticked,
    WindowEnded,
)
from collab.room.room import Room
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.shared_frames import SharedFrames
from collab.serve.sink import Sink
from collab.store import base as store

log = get_logger("host")

_UPDATES = (Update, SyncStep2)

_FOR_A_USER = (Said, Continued)
"""Events whose step works for one user, whom its time is charged to."""


class Host:
    """One room that is open on this replica."""

    def __init__(
        self,
        room: Room,
        *,
        replica: Replica,
        log_writer: LogWriter,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
        on_fail: Callable[["Host"], None],
        ask_turn: Callable[["Host"], None],
        on_title: Callable[[DocumentName, str], None] = lambda _name, _title: None,
    ) -> None:
        """``ask_turn``: have ``go_on`` called once others have been served. ``on_title``: the title has changed."""
        self._room = room
        self._writer = replica.writer
        self._log_writer = log_writer
        self._relay = replica.relay
        self._clock = clock
        self._call_later = call_later
        self._on_fail = on_fail
        self._ask_turn = ask_turn
        self._on_title = on_title
        self._metrics = replica.metrics
        self._accepted: deque[tuple[float, int]] = deque()
        """When each update that is not committed was accepted, and its share of the unsaved bytes."""
        self._sinks: dict[SessionId, Sink] = {}
        self._shared_frames = SharedFrames()
        self._presence: dict[ClientId, PresenceEntry] = {}
        """What changed since presence was published last."""
        self._is_stepping = False
        self._told_meanwhile: deque[Event] = deque()
        """What sinks told of while effects were performed: a step is over before the next begins."""
        self.failed: CollabError | None = None
        """Why the room is gone; nothing happens in it any more."""
        self.needs_catch_up = False
        """True if rows are known to be missing, which ``LogSync`` then reads from the store."""
        self.empty_since_s: float | None = clock()
        """When the last session left; None while there is one."""
        self._accepts_messages = True

    def __repr__(self) -> str:
        return f"<Host of {self._room!r}{' failed' if self.failed else ''}>"

    @property
    def name(self) -> DocumentName:
        return self._room.name

    @property
    def cursor(self) -> Sequence:
        """Every row of the log up to this one is in the room."""
        return self._room.cursor

    @property
    def is_all_committed(self) -> bool:
        """True if everything accepted is committed, so that the room may be forgotten."""
        return self._room.is_all_committed

    @property
    def has_work(self) -> bool:
        """True if updates wait for their turn."""
        return self._room.has_work and self.failed is None

    @property
    def is_title_told(self) -> bool:
        """True if lists know the title, so that the room may be forgotten."""
        return self._room.is_title_told

    @property
    def pending(self) -> int:
        """Number of updates that wait for what they build on."""
        return self._room.pending

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return len(self._sinks)

    def sessions_of(self, dialect: str) -> int:
        """Return the number of sessions that speak this dialect."""
        return sum(sink.dialect == dialect for sink in self._sinks.values())

    # --- events -------------------------------------------------------------------------------------

    def tell(self, event: Event, sink: Sink | None = None) -> None:
        """Tell the room of an event and do what it wants done.

        ``sink`` comes with ``Joined`` and ``Dismissed``: it gets what is sent to the session from now on. Raises
        ProtocolError when a message is malformed.
        """
        match event:
            case Joined(session):
                self._attach(session.id, sink)
            case Dismissed(session) if session in self._sinks:
                self._attach(session, sink)
            case RowsRead():
                self.needs_catch_up = False
            case Ticked():
                self._shared_frames.forget()
            case _:
                pass
        self._step(event)

    def hear(self, session: SessionId, message: RoomMessage) -> None:
        """Tell the room what a session says, while it accepts messages. Raises ProtocolError when it is malformed."""
        if self._accepts_messages:
            if isinstance(message, _UPDATES):
                self._metrics.updates_received.inc()
            self._step(Said(session, message))

    def go_on(self) -> bool:
        """Take one step of the updates that wait for their turn. Return True if there is more to do."""
        self._step(Continued())
        return self.has_work

    def stop_hearing(self) -> None:
        """Accept no more messages, and so acknowledge none. Sessions still get the answers to what they sent before."""
        self._accepts_messages = False

    def relayed(self, frame: RoomFrame) -> None:
        """Take in a frame of another replica. Raises ProtocolError when it is malformed."""
        match frame:
            case RowFrame():
                self._step(RowRelayed(frame.row, frame.epoch))
            case PresenceFrame():
                entries = decode_presence(frame.payload)
                self._step(PresenceRelayed(frame.writer, entries, frame.is_query))
            case _:
                assert_never(frame)

    def request_presence(self) -> None:
        """Ask the other replicas for the clients connected to them."""
        self._publish_entries((), is_query=True)

    def publish_presence(self) -> None:
        """Publish what changed since the last call: called ten times a second at most."""
        if self._presence:
            self._publish_entries(tuple(self._presence.values()), is_query=False)
            self._presence.clear()

    # --- the log writer's source of rows ------------------------------------------------------------

    def next_row(self) -> Row | None:
        """Return the next row of this room, or None when nothing waits."""
        if self.failed:
            return None
        try:
            return self._room.next_row()
        except Exception:  # the log writer asks on behalf of every room
            log.exception("invariant_broken", document=self.name)
            self.fail(RoomClosed())
            return None

    def row_written(self, outcome: store.Outcome) -> None:
        """Take in what became of the row."""
        match outcome:
            case store.Committed(seq):
                self._step(RowCommitted(seq))
            case store.Deleted():
                self.fail(DocumentDeleted())
            case store.EpochChanged():
                self.fail(RoomClosed())
            case _:
                assert_never(outcome)

    def row_failed(self, error: CollabError) -> None:
        """Close the room, whose row can never be written."""
        self.fail(error)

    # --- effects ------------------------------------------------------------------------------------

    def fail(self, error: CollabError) -> None:
        """Close the room: end every session for this reason, and drop, unacknowledged, what is not committed."""
        if self.failed:
            return
        self.failed = error
        if not isinstance(error, Draining):
            log.warning("room_failed", document=self.name, reason=error.slug, sessions=len(self._sinks))
        # Not what the room counts: a broken invariant may have kept its last effects from being performed.
        self._log_writer.release(sum(size for _, size in self._accepted))
        self._accepted.clear()
        sinks, self._sinks = self._sinks, {}
        self._on_fail(self)
        for sink in sinks.values():
            sink.end(error)

    def _step(self, event: Event) -> None:
        if self._is_stepping:
            self._told_meanwhile.append(event)
            return
        self._is_stepping = True
        try:
            self._take(event)
            while self._told_meanwhile:
                self._take(self._told_meanwhile.popleft())
        finally:
            self._is_stepping = False

    def _take(self, event: Event) -> None:
        if self.failed:
            return
        try:
            began_s = self._clock()
            effects = self._room.step(began_s, event)
            if isinstance(event, _FOR_A_USER):
                self._room.charge(self._clock() - began_s)
            self._perform(effects)
        except CollabError as error:  # the caller has other rooms to serve: the log writer a whole batch
            if error.fault is Fault.PEER:
                raise
            self.fail(error)
        except Exception:
            log.exception("invariant_broken", document=self.name)
            self.fail(RoomClosed())

    def _perform(self, effects: list[Effect]) -> None:  # noqa: C901 - one case for each effect
        for effect in effects:
            # Those of every edit come first, in a form that takes half the time of a pattern.
            if isinstance(effect, Send):
                self._send(effect.sessions, effect.message)
            elif isinstance(effect, Queued):
                self._metrics.updates_accepted.inc()
                self._accepted.append((self._clock(), effect.size))
                self._log_writer.submit(self, effect.size)
            elif isinstance(effect, Committed):
                self._log_writer.release(effect.size)
                self._time_saving(effect.size)
            elif isinstance(effect, Publish):
                self._relay.publish(RowFrame(self.name, self._room.epoch, effect.row))
            elif isinstance(effect, PublishPresence):
                self._presence.update((each.entry.client, each) for each in effect.entries)
            elif isinstance(effect, Retitled):
                self._on_title(self.name, effect.title)
            elif isinstance(effect, Again):
                self._ask_turn(self)
            elif isinstance(effect, EndWindowAt):
                self._call_later(max(0.0, effect.at_s - self._clock()), self._end_window)
            elif isinstance(effect, CatchUp):
                self.needs_catch_up = True
            elif isinstance(effect, End):
                self._end(effect.session, effect.error, effects)
            elif isinstance(effect, Fail):
                self.fail(effect.error)
                return
            else:
                assert_never(effect)

    def _send(self, sessions: tuple[SessionId, ...], message: FromServer) -> None:
        if isinstance(message, Saved):
            self._metrics.acknowledgements.inc()
        elif isinstance(message, Refused):
            self._metrics.updates_refused.inc()
        encoded = self._shared_frames.encoded(message)
        for session in sessions:
            sink = self._sinks.get(session)
            if sink is not None:
                sink.send(encoded)

    def _end_window(self) -> None:
        self._step(WindowEnded())

    def _attach(self, session: SessionId, sink: Sink | None) -> None:
        assert sink is not None
        self._sinks[session] = sink
        self.empty_since_s = None

    def _end(self, session: SessionId, error: CollabError | None, effects: list[Effect]) -> None:
        sink = self._sinks.pop(session, None)
        if sink is None:
            return
        if not self._sinks:
            self.empty_since_s = self._clock()
        if error is not None:
            if isinstance(error, TooSlow):
                self._metrics.outbox_overflows.inc()
            self._count_refusal(session, error, effects)
            sink.end(error)

    def _count_refusal(self, session: SessionId, error: CollabError, effects: list[Effect]) -> None:
        """Count a refusal that only the end of the session tells of, since its client does not count the frame."""
        told = any(isinstance(e, Send) and isinstance(e.message, Refused) and session in e.sessions for e in effects)
        if isinstance(error, UpdateRefused) and not told:
            self._metrics.updates_refused.inc()

    def _time_saving(self, committed: int) -> None:
        """Measure how long the updates in these bytes took: they are committed in the order of their acceptance."""
        now_s = self._clock()
        while committed > 0 and self._accepted:
            accepted_s, size = self._accepted.popleft()
            committed -= size
            self._metrics.save_s.observe(now_s - accepted_s)

    def _publish_entries(self, entries: tuple[PresenceEntry, ...], *, is_query: bool) -> None:
        payload = encode_presence(entries)
        self._relay.publish(PresenceFrame(self.name, self._writer, payload, is_query=is_query))
