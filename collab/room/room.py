"""One document in memory, with the sessions that have it open on this replica. It decides; it never acts.

``Room.step`` is told what happened (an ``Event``) and returns what should be done (a list of ``Effect``). The room
keeps two promises:

* **The durable prefix.** A frame, also one that added nothing, is acknowledged once every update accepted before it is
  committed; never before (``uncommitted``).
* **The cursor.** Every row of the log up to ``cursor`` is in the document. Row ``cursor + 1`` is the only one that is
  applied next; any other reveals a gap, which the store fills (``log_cursor``). So what this replica knows of the log
  is always a prefix of it.

Everything the room decides goes into one list. What it cannot recover from raises, and ``step`` turns that into
``Fail`` behind what was decided before.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain
from typing import assert_never

from collab.crdt.assessment import Assessment, Contradicted, Known, Lacks, News
from collab.crdt.comparison import contradiction
from collab.crdt.document import Document
from collab.crdt.guard import inspect_stored_update, inspect_update
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.crdt.update import InspectedUpdate
from collab.errors import (
    CollabError,
    Conflict,
    DocumentDeleted,
    DocumentPoisoned,
    Fault,
    MissingDependencies,
    Overloaded,
    PeerError,
    RoomClosed,
    UpdateRefused,
)
from collab.ids import DocumentName, Epoch, Sequence, SessionId, UserId, WriterId
from collab.protocol.limits import Limits
from collab.protocol.messages import (
    EMPTY_UPDATE,
    AwarenessUpdate,
    FromServer,
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow, Entry, decode_entries
from collab.room.awareness import Awareness
from collab.room.effects import Append, CatchUp, Committed, Effect, End, Fail, Publish, PublishPresence, Send, Write
from collab.room.events import (
    Dismissed,
    Event,
    HeadRead,
    Joined,
    Left,
    PresenceRelayed,
    ReplicaLost,
    RoleChanged,
    RoomMessage,
    RowCommitted,
    RowRelayed,
    RowsRead,
    RowWanted,
    Said,
    Ticked,
)
from collab.room.log_cursor import LogCursor
from collab.room.ownership import is_carried, is_of_another
from collab.room.pending import PendingLimits, PendingUpdate, PendingUpdates
from collab.room.session import Session, SessionState
from collab.room.stalled import StalledUpdates
from collab.room.uncommitted import UncommittedQueue

PENDING_ACKS_MAX = 4096
"""Answers that one session may have waiting for the log, when it sends what adds nothing to it."""

ECHO_BYTES_MAX = 64 * 1024
"""Frames up to this size are kept while part of them is pending, to be repeated in their acknowledgement."""


class Room:
    """One document and its sessions on this replica. Times are seconds of any steady clock."""

    def __init__(
        self,
        name: DocumentName,
        document: Document,
        *,
        epoch: Epoch,
        cursor: Sequence,
        writer: WriterId,
        update_limits: Limits | None = None,
        pending_limits: PendingLimits | None = None,
    ) -> None:
        """``writer``: a random id of this room's life, which its rows of the log carry."""
        self.name = name
        self.epoch = epoch
        self.document = document
        self._update_limits = update_limits or Limits()
        self._sessions: dict[SessionId, Session] = {}
        self._dismissed: set[SessionId] = set()
        self._awareness = Awareness()
        self._pending = PendingUpdates(pending_limits or PendingLimits())
        self._stalled = StalledUpdates()
        self._uncommitted = UncommittedQueue(name, epoch, writer)
        self._log = LogCursor(cursor, writer)
        self._now_s = 0.0
        self._effects: list[Effect] = []
        """What this step has decided so far."""
        self._changed: set[int] = set()
        """Clients of which the document has gained something that pending updates may wait for."""

    def __repr__(self) -> str:
        return f"<Room {self.name!r} cursor={self.cursor} sessions={len(self._sessions)} pending={self.pending}>"

    @property
    def cursor(self) -> Sequence:
        """Every row of the log up to this one is in the document."""
        return self._log.cursor

    @property
    def is_settled(self) -> bool:
        """True if everything accepted is committed. Only then may the room be forgotten."""
        return self._uncommitted.is_settled

    @property
    def unsaved_bytes(self) -> int:
        """Bytes of memory that the accepted and uncommitted updates occupy."""
        return self._uncommitted.unsaved_bytes

    @property
    def pending(self) -> int:
        """Number of updates that wait for what they build on."""
        return len(self._pending)

    def step(self, now_s: float, event: Event) -> list[Effect]:
        """Return what should be done about ``event``, in order.

        Raises ProtocolError, with nothing changed, when a session's message is invalid inside.
        """
        self._now_s = now_s
        effects: list[Effect] = []
        self._effects = effects
        try:
            self._decide(event)
            self._settle_ready()
        except CollabError as error:
            if error.fault is Fault.PEER and not error.ends_room:
                raise
            effects.append(Fail(error))
        self._release_dismissed()
        return effects

    def _decide(self, event: Event) -> None:  # noqa: C901 - one case for each event
        match event:
            case Joined(session, resumes):
                self._join(session, resumes=resumes)
            case Said(session_id, message):
                self._receive(session_id, message)
            case Left(session_id, clean):
                self._leave(session_id, clean=clean)
            case Dismissed(session_id, clean):
                self._dismiss(session_id, clean=clean)
            case RoleChanged(session_id, can_write, name):
                self._change_role(session_id, can_write=can_write, name=name)
            case RowWanted():
                self._hand_out_row()
            case RowCommitted(seq):
                self._commit(seq)
            case RowRelayed(row, epoch):
                self._receive_row(row, epoch)
            case RowsRead(rows, after):
                self._receive_rows(list(rows), after)
            case HeadRead():
                self._receive_head(event)
            case PresenceRelayed(replica, entries, is_query):
                self._receive_presence(replica, entries, is_query=is_query)
            case ReplicaLost(replica):
                self._show_presence(self._awareness.lose_replica(replica, self._now_s))
            case Ticked():
                self._tick()
            case _:
                assert_never(event)

    # --- sessions -----------------------------------------------------------------------------------

    def _join(self, session: Session, *, resumes: bool) -> None:
        """Tell a new session who is here. It asks for the document itself, unless it resumes an earlier one."""
        assert session.id not in self._sessions
        self._sessions[session.id] = session
        if here := self._awareness.entries():
            self._send(session.id, AwarenessUpdate(here))
        if resumes:
            session.become(SessionState.SYNCED)
            self._send(session.id, Update(self.document.encode()))
            self._ask(session)

    def _leave(self, session: SessionId, *, clean: bool, error: CollabError | None = None) -> None:
        """Forget a session. What it wrote stays on its way to the log. Leaving twice is normal."""
        if self._sessions.pop(session, None) is not None:
            self._dismissed.discard(session)
            self._uncommitted.forget(session)
            self._stalled.forget(session)
            self._effects.append(End(session, error))
            self._tell_presence(self._awareness.leave(session, self._now_s, clean=clean))

    def _dismiss(self, session: SessionId, *, clean: bool) -> None:
        """Send a session nothing but the answers it waits for. Its presence goes as when it leaves."""
        if (dismissed := self._sessions.get(session)) is not None:
            dismissed.become(SessionState.DISMISSED)
            self._dismissed.add(session)
            self._tell_presence(self._awareness.leave(session, self._now_s, clean=clean))

    def _release_dismissed(self) -> None:
        """Forget the dismissed sessions that have all their answers."""
        for session in [each for each in self._dismissed if not self._is_owed_an_answer(each)]:
            self._leave(session, clean=False)

    def _is_owed_an_answer(self, session: SessionId) -> bool:
        return self._uncommitted.pending_acks(session) > 0 or self._pending.has_unanswered(session)

    def _change_role(self, session: SessionId, *, can_write: bool, name: str) -> None:
        if (changed := self._sessions.get(session)) is None:
            return
        changed.can_write, changed.name = can_write, name
        if entries := self._awareness.change_role(changed):
            self._effects.append(PublishPresence(entries))

    def _receive(self, session: SessionId, message: RoomMessage) -> None:
        sender = self._sessions.get(session)
        if sender is None or sender.state is SessionState.DISMISSED:
            return  # it has just ended
        match message:
            case SyncStep1(state_vector):
                self._answer_step1(sender, decode_state_vector(state_vector))
            case SyncStep2(payload):
                counted, sender.acks_next_step2, sender.step1_outstanding = sender.acks_next_step2, False, False
                self._receive_update(sender, payload, counted=counted, resync=True)
            case Update(payload):
                self._receive_update(sender, payload, counted=True, resync=False)
            case AwarenessUpdate(entries):
                self._tell_presence(self._awareness.receive(sender, entries, self._now_s))
            case QueryAwareness():
                self._send(sender.id, AwarenessUpdate(self._awareness.entries()))
            case Stateless():
                pass  # an application's own message; nothing here listens to it yet
            case _:
                assert_never(message)

    def _answer_step1(self, sender: Session, state: dict[int, int]) -> None:
        diff = self.document.diff(state)
        sender.acks_next_step2 = True
        sender.become(SessionState.SYNCED)
        self._ask(sender)
        self._send(sender.id, SyncStep2(diff))

    def _ask(self, session: Session) -> None:
        """Ask a client for all it has that is not here, unless it is being asked already."""
        if not session.step1_outstanding:
            session.step1_outstanding = True
            self._send(session.id, SyncStep1(encode_state_vector(self.document.state)))

    # --- updates of sessions ------------------------------------------------------------------------

    def _receive_update(self, sender: Session, payload: bytes, *, counted: bool, resync: bool) -> None:
        """Settle one update frame. ``counted``: its client waits for the answer; ``resync``: it is a SyncStep2."""
        if payload == EMPTY_UPDATE:
            if counted:
                self._answer(sender.id, Saved())
            return
        try:
            update = inspect_update(payload, self._update_limits)
        except UpdateRefused as error:
            self._refuse(sender.id, error, counted=counted)
            return
        self._settle(PendingUpdate(sender.id, sender.user, update, update.payload, counted, resync, self._now_s))

    def _settle(self, pending: PendingUpdate) -> None:
        """Take what is ready of one update, keep the rest pending, and answer its frame once nothing is left.

        This happens when it arrives, whenever something it waits for has arrived, and when its time is over.
        """
        try:
            assessment = self._assess(pending)
        except UpdateRefused as error:
            self._refuse(pending.session, error, counted=pending.counted)
            return
        match assessment:
            case Contradicted():
                self._refuse(pending.session, _contradicted(), counted=pending.counted)
            case Known():
                self._answer_frame(pending, Saved(pending.frame if pending.update.structs else b""))
            case _ if not self._may_write(pending.session):
                self._answer_frame(pending, Refused())
            case News(rest=None) as news:
                self._take(pending, news)
                self._answer_frame(pending, Saved(pending.frame))
            case _ if not self._queues_incomplete(pending.session):
                self._refuse(pending.session, Conflict(_INCOMPLETE), counted=pending.counted)
            case News(rest=rest, waits_for=waits_for) as news:
                self._take(pending, news)
                self._keep(pending, rest, waits_for)
            case Lacks(rest, waits_for):
                self._keep(pending, rest, waits_for)

    def _assess(self, pending: PendingUpdate) -> Assessment:
        return self.document.assess(
            pending.update,
            exact=pending.resync or not self._may_write(pending.session),
            is_withheld=partial(is_of_another, user=pending.user, owner=self._awareness.owner),
        )

    def _may_write(self, session: SessionId) -> bool:
        """Return True if what a session sent may be taken: its role counts now, or it has left and sent it in time."""
        sender = self._sessions.get(session)
        return sender is None or sender.can_write

    def _queues_incomplete(self, session: SessionId) -> bool:
        sender = self._sessions.get(session)
        return sender is None or sender.queues_incomplete

    def _take(self, pending: PendingUpdate, news: News) -> None:
        """Apply what is new, show it at once, and queue it for the log."""
        carried = is_carried(news.update, self.document.state, pending.user, self._awareness.owner)
        try:
            self.document.apply(news)
        except DocumentPoisoned:  # its sender must not simply send it again
            self._refuse(pending.session, UpdateRefused("The update could not be applied."), counted=pending.counted)
            raise
        if news.before is not None:
            self._accept(news.before, pending.user)
        self._accept(news.update, pending.user, carried=carried, besides=pending.session)

    def _accept(
        self, update: InspectedUpdate, user: UserId, *, carried: bool = False, besides: SessionId | None = None
    ) -> None:
        """Show an update that is in the document now, and queue it for the log."""
        size = self._uncommitted.accept(Entry(user, update.payload, carried))
        self._show(update, besides=besides)
        self._effects.append(Append(size))

    def _show(self, update: InspectedUpdate, *, besides: SessionId | None = None) -> None:
        """Send an update to every synced session but its author, and note what it may make ready."""
        self._changed.update(struct.client for struct in update.structs)
        sessions = tuple(s.id for s in self._sessions.values() if s.is_synced and s.id != besides)
        if sessions:
            self._effects.append(Send(sessions, Update(update.payload)))

    # --- answers ------------------------------------------------------------------------------------

    def _answer_frame(self, pending: PendingUpdate, answer: Saved | Refused) -> None:
        if pending.counted and pending.session in self._sessions:
            self._answer(pending.session, answer)

    def _answer(self, session: SessionId, answer: Saved | Refused) -> None:
        """Answer a frame once everything accepted before it is committed.

        What it repeats may not be committed yet itself, and a session's answers keep the order of its frames.
        """
        if self._uncommitted.is_durable:
            self._send(session, answer)
        elif self._uncommitted.pending_acks(session) >= PENDING_ACKS_MAX:
            self._end(session, Overloaded("Too much that you sent waits to be saved; reconnect."))
        else:
            self._uncommitted.add_pending_ack(session, answer)

    def _refuse(self, session: SessionId, error: CollabError, *, counted: bool) -> None:
        """Refuse a frame and end its session, if it is still here."""
        if session in self._sessions:
            if counted:
                self._send(session, Refused())
            self._end(session, error)

    def _end(self, session: SessionId, error: CollabError) -> None:
        self._leave(session, clean=False, error=error)

    def _send(self, session: SessionId, message: FromServer) -> None:
        self._effects.append(Send((session,), message))

    # --- updates that wait --------------------------------------------------------------------------

    def _keep(self, pending: PendingUpdate, rest: InspectedUpdate | None, waits_for: Mapping[int, int]) -> None:
        """Let the rest of an update wait for what it builds on, as long as it may and as far as there is space."""
        assert rest is not None
        is_first_wait = not pending.waits_for
        pending.update, pending.waits_for = rest, waits_for
        if len(pending.frame) > ECHO_BYTES_MAX:
            pending.frame = b""
        if self._pending.is_overdue(pending, self._now_s):
            self._give_up(pending)
        elif self._pending.add(pending):
            if is_first_wait and not pending.resync and pending.session in self._sessions:
                self._ask(self._sessions[pending.session])
        elif pending.resync:
            self._give_up(pending)  # what was ready of it has been taken
        else:
            self._refuse(pending.session, Overloaded(_TOO_MUCH_WAITS), counted=False)

    def _settle_ready(self) -> None:
        """Settle every update for which something has arrived; each may make others ready."""
        while self._changed:
            changed, self._changed = self._changed, set()
            for pending in self._pending.take_ready(changed, self.document.state):
                self._settle(pending)
            for session in self._stalled.take_completable(self.document.state):
                self._ask(self._sessions[session])

    def _give_up(self, pending: PendingUpdate) -> None:
        """Have the client of an incomplete update reconnect, which brings all it has; the second time, continue.

        A browser may keep for ever what another of its tabs wrote on top of an edit that is lost: that must not cost it
        the document. The rest is then not acknowledged, and its client is asked again once the missing edit arrives.
        """
        missing = min(pending.waits_for.items())
        owner = self._awareness.owner
        is_withheld = any(is_of_another(struct.client, pending.user, owner) for struct in pending.update.structs)
        # While an owner is present, the sender can only come back until that presence has gone.
        if is_withheld or self._stalled.is_first_time(pending.user, missing):
            self._refuse(pending.session, MissingDependencies(), counted=pending.counted)
        elif pending.session in self._sessions:
            self._stalled.continue_without(pending.session, missing)
            self._answer_frame(pending, Refused())

    # --- the log ------------------------------------------------------------------------------------

    def _hand_out_row(self) -> None:
        if (row := self._uncommitted.next_row()) is not None:
            self._effects.append(Write(row))

    def _commit(self, seq: Sequence) -> None:
        """Acknowledge what the row handed out last holds, and tell the other replicas."""
        row, size = self._uncommitted.commit()
        committed = CommittedRow(seq, row.writer, row.n, row.payload)
        for session, answer in self._uncommitted.due_acks():
            self._send(session, answer)
        self._effects += [Committed(size), Publish(committed)]
        self._log.from_commit(committed)
        self._advance()

    def _receive_row(self, row: CommittedRow, epoch: Epoch) -> None:
        """Take in a row that another replica has committed, unless it belongs to another life of the document."""
        if epoch != self.epoch or row.seq <= self.cursor or self._log.is_own(row.seq):
            return
        self._log.from_relay(row)
        self._advance()
        if row.seq > self.cursor:
            self._effects.append(CatchUp())

    def _receive_rows(self, rows: list[CommittedRow], after: Sequence) -> None:
        if rows and rows[0].seq != after + 1:
            raise RoomClosed("The log was trimmed behind this room; reconnect.")
        self._log.from_store(rows)
        self._advance()

    def _receive_head(self, head: HeadRead) -> None:
        if head.deleted:
            raise DocumentDeleted
        if head.epoch != self.epoch or head.seq < head.after:
            raise RoomClosed
        if head.seq > self.cursor and not self._log.is_own(head.seq):
            self._effects.append(CatchUp())

    def _advance(self) -> None:
        """Apply every row whose turn has come. Ask for what is missing before rows of our own."""
        try:
            for row in self._log.ready():
                for entry in decode_entries(row.payload):
                    self._apply_committed(entry)
        except PeerError as error:  # bytes that no guard of ours can have let into the log
            raise RoomClosed from error
        if self._log.has_gap:
            self._effects.append(CatchUp())

    def _apply_committed(self, entry: Entry) -> None:
        """Apply an update of the log: show it, and add nothing but what keeps characters whole."""
        update = inspect_stored_update(entry.update)
        assessment: Assessment | None = self.document.assess(update, committed=True)
        if isinstance(assessment, Contradicted):
            self._yield_to_log(update)
            assessment = assessment.despite
        match assessment:
            case News() as news:
                self.document.apply(news)
                if news.before is not None:
                    self._accept(news.before, entry.author)
                if news.update.structs or news.update.deletes:
                    self._show(news.update)
            case Lacks():
                raise RoomClosed("The log is damaged: a row builds on what no earlier row holds.")

    def _yield_to_log(self, update: InspectedUpdate) -> None:
        """Close the room if a row contradicts what this room has accepted and not committed, or committed later.

        Two replicas let other content in under the same ids. The order of the log decides, and the losers must learn
        that their text does not stand. Other content of an earlier row stands wherever the log is read.
        """
        later = chain(self._log.own_entries(), self._uncommitted.entries())
        losers = {each.author for each in later if contradiction(update, inspect_stored_update(each.update))}
        if losers:
            for session in [each.id for each in self._sessions.values() if each.user in losers]:
                self._end(session, _contradicted())
            raise RoomClosed

    # --- presence and time --------------------------------------------------------------------------

    def _receive_presence(self, replica: WriterId, entries: Iterable[PresenceEntry], *, is_query: bool) -> None:
        self._show_presence(self._awareness.receive_from_replica(replica, entries, self._now_s))
        if is_query and (ours := self._awareness.local_entries()):
            self._effects.append(PublishPresence(ours))

    def _tell_presence(self, changed: tuple[PresenceEntry, ...]) -> None:
        """Tell every session and every replica. The sender too: clients take the echo as a sign of life."""
        if changed:
            self._show_presence(changed)
            self._effects.append(PublishPresence(changed))

    def _show_presence(self, changed: tuple[PresenceEntry, ...]) -> None:
        if changed and self._sessions:
            message = AwarenessUpdate(tuple(each.entry for each in changed))
            self._effects.append(Send(tuple(self._sessions), message))

    def _tick(self) -> None:
        """Remove the presence of clients that did not come back, and settle updates whose time is over."""
        self._tell_presence(self._awareness.expire(self._now_s))
        while (pending := self._pending.take_overdue(self._now_s)) is not None:
            self._settle(pending)


_INCOMPLETE = "The update builds on edits that are not here, or that their author is here to send."
_TOO_MUCH_WAITS = "Too many edits wait for others that have not arrived; reconnect."


def _contradicted() -> UpdateRefused:
    return UpdateRefused("Other text stands at the place of one of your edits: copy what you wrote, and reload.")
