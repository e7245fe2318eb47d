"""One document in memory, with the sessions that have it open on this replica. It decides; it never acts.

``Room.step`` is told what happened (an ``Event``) and returns what should be done (a list of ``Effect``). The room
keeps two promises:

* **The durable prefix.** A frame, also one that added nothing, is acknowledged once every update accepted before it is
  committed; never before (``uncommitted``).
* **The cursor.** Every row of the log up to ``cursor`` is in the document. Row ``cursor + 1`` is the only one that is
  applied next; any other reveals a gap, which the store fills (``log_cursor``). So what this replica knows of the log
  is always a prefix of it.

Everything the room decides goes into one list. What it cannot recover from raises, and ``step`` then appends ``Fail``
to what was decided before it.
"""

from itertools import chain
from typing import assert_never

from collab.crdt.assessment import Assessment, Contradicted, Known, Lacks, News
from collab.crdt.comparison import contradiction
from collab.crdt.document import Document
from collab.crdt.guard import inspect_stored_update
from collab.crdt.statevector import decode_state_vector
from collab.crdt.update import InspectedUpdate
from collab.errors import (
    CollabError,
    DocumentDeleted,
    Fault,
    PeerError,
    RoomClosed,
    UpdateRefused,
)
from collab.ids import DocumentName, Epoch, Sequence, SessionId, WriterId
from collab.protocol.messages import (
    AwarenessUpdate,
    QueryAwareness,
    Stateless,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.rows import CommittedRow, Entry, Row, decode_entries
from collab.room.effects import CatchUp, Committed, Effect, Fail, Publish, Retitled
from collab.room.events import (
    Congested,
    Continued,
    Dismissed,
    Drained,
    Event,
    FellBehind,
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
    Said,
    Ticked,
    WindowEnded,
)
from collab.room.integration import CONTRADICTION
from collab.room.log_cursor import LogCursor
from collab.room.session import Session, SessionState
from collab.room.sessions import Sessions
from collab.room.slow_readers import SlowReaders
from collab.room.title_watch import TitleWatch
from collab.room.uncommitted import UncommittedQueue
from collab.room.updates import SIZE_WANTED, RoomLimits, Updates
from collab.room.work import WorkTimes


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
        limits: RoomLimits | None = None,
        times: WorkTimes | None = None,
    ) -> None:
        """``writer``: a random id of this room's life, which its rows of the log carry.

        ``times``: how much time the users have used, in this and other rooms.
        """
        self.name = name
        self.epoch = epoch
        self.document = document
        self._uncommitted = UncommittedQueue(name, epoch, writer)
        self._log = LogCursor(cursor, writer)
        limits = limits or RoomLimits()
        self._sessions = Sessions(self._uncommitted, limits.window)
        times = times or WorkTimes(limits.work)
        self._slow_readers = SlowReaders(document, self._sessions, limits.lag)
        self._updates = Updates(document, self._sessions, self._uncommitted, limits, times)
        self._title = TitleWatch(document)

    def __repr__(self) -> str:
        return f"<Room {self.name!r} cursor={self.cursor} sessions={len(self._sessions)} pending={self.pending}>"

    @property
    def cursor(self) -> Sequence:
        """Every row of the log up to this one is in the document."""
        return self._log.cursor

    @property
    def is_all_committed(self) -> bool:
        """True if everything accepted is committed. Only then may the room be forgotten."""
        return self._uncommitted.is_all_committed

    @property
    def has_work(self) -> bool:
        """True if updates wait for their turn."""
        return bool(self._updates.turns.waiting)

    @property
    def is_title_told(self) -> bool:
        """True if lists know the title, as far as the room has looked."""
        return self._title.is_told

    @property
    def pending(self) -> int:
        """Number of updates that wait for what they build on."""
        return self._updates.pending

    def step(self, now_s: float, event: Event) -> list[Effect]:
        """Return what should be done about ``event``, in order.

        Raises ProtocolError, with nothing changed, when the content of a session's message is malformed.
        """
        effects = self._sessions.begin_step(now_s)
        try:
            self._decide(event)
            if self._updates.changed:
                self._updates.settle_ready()
        except CollabError as error:
            if error.fault is Fault.PEER and not error.ends_room:
                raise
            effects.append(Fail(error))
            return effects
        if self._sessions.dismissed:
            self._sessions.release_dismissed(self._updates.has_pending)
        if self._sessions.window.is_filled:
            self._sessions.end_step()
        if self._updates.turns.waiting:
            self._updates.turns.ask()
        return effects

    def next_row(self) -> Row | None:
        """Return the row to append to the log next, until its outcome is known. None when nothing waits."""
        return self._uncommitted.next_row()

    def charge(self, seconds: float) -> None:
        """Note how long the last step took: that time counts against the user for whom it worked."""
        self._updates.turns.charge(seconds)

    def _decide(self, event: Event) -> None:  # noqa: C901 - one case for each event
        match event:
            case Said():
                self._receive(event.session, event.message)
            case RowCommitted():
                self._commit(event.seq)
            case RowRelayed(row, epoch):
                self._receive_row(row, epoch)
            case Joined(session, resumes):
                self._join(session, resumes=resumes)
            case Left(session_id, clean):
                self._sessions.leave(session_id, clean=clean)
            case Dismissed(session_id, clean):
                self._sessions.dismiss(session_id, clean=clean)
            case RoleChanged(session_id, can_write, name):
                self._sessions.change_role(session_id, can_write=can_write, name=name)
            case RowsRead(rows, after):
                self._receive_rows(list(rows), after)
            case HeadRead():
                self._receive_head(event)
            case PresenceRelayed(replica, entries, is_query):
                self._sessions.receive_presence(replica, entries, is_query=is_query)
            case ReplicaLost(replica):
                self._sessions.lose_replica(replica)
            case Congested(session_id):
                self._slow_readers.congest(session_id)
            case FellBehind(session_id, waiting_bytes):
                self._updates.turns.release_all()  # what is held back was not sent
                self._slow_readers.fall_behind(session_id, waiting_bytes)
            case Drained(session_id):
                self._updates.turns.release_all()  # what a session is sent, it may build on
                self._slow_readers.drain(session_id)
            case WindowEnded():
                self._sessions.end_window()
            case Continued():
                self._updates.turns.go_on()
            case Ticked():
                self.document.forget_shared()
                self._sessions.expire_presence()
                self._updates.settle_overdue()
                self._slow_readers.end_overdue()
                self._tell_title()
            case _:
                assert_never(event)

    def _tell_title(self) -> None:
        if (title := self._title.look(self.cursor)) is not None:
            self._sessions.effects.append(Retitled(title))

    # --- sessions -----------------------------------------------------------------------------------

    def _join(self, session: Session, *, resumes: bool) -> None:
        """Begin a session. Its client asks for the document, unless it resumes an earlier session."""
        self._sessions.join(session)
        if resumes:
            self._updates.turns.release_all()
            session.become(SessionState.SYNCED)
            self._sessions.send(session.id, Update(self.document.diff({})))
            self._updates.ask(session)

    def _receive(self, session: SessionId, message: RoomMessage) -> None:
        sender = self._sessions.get(session)
        if sender is None or sender.state is SessionState.DISMISSED:
            return  # it has just ended
        match message:
            case Update():
                self._updates.receive(sender, message.update, counted=True, resync=False)
            case SyncStep1(state_vector):
                self._answer_step1(sender, decode_state_vector(state_vector))
            case SyncStep2(payload):
                counted, sender.acks_next_step2, sender.step1_outstanding = sender.acks_next_step2, False, False
                self._updates.receive(sender, payload, counted=counted, resync=True)
            case AwarenessUpdate(entries):
                self._sessions.receive_awareness(sender, entries)
            case QueryAwareness():
                self._sessions.answer_query(sender.id)
            case Stateless(text):
                if text == SIZE_WANTED:  # any other is an application's own
                    sender.wants_size = True
                    self._updates.tell_size(sender)
            case _:
                assert_never(message)

    def _answer_step1(self, sender: Session, state: dict[int, int]) -> None:
        self._updates.turns.release_all()  # what the sender is sent, it may build on
        has, later = self.document.state, None
        if any(clocks > has.get(client, 0) for client, clocks in state.items()):
            # It has edits that are not here yet. A kept answer may return them once they are, before they are saved.
            diff = self.document.diff(state)
        else:
            diff, later = self.document.catch_up(state)
        sender.acks_next_step2 = True
        self._slow_readers.note_sent_all(sender)
        self._updates.ask(sender)
        self._sessions.send(sender.id, SyncStep2(diff))
        if later is not None:
            self._sessions.send(sender.id, Update(later))

    # --- the log ------------------------------------------------------------------------------------

    def _commit(self, seq: Sequence) -> None:
        """Acknowledge what the row handed out last holds, and tell the other replicas."""
        row, size = self._uncommitted.commit()
        committed = CommittedRow(seq, row.writer, row.n, row.payload)
        for session, answer in self._uncommitted.due_acks():
            self._sessions.send(session, answer)
        self._sessions.effects += [Committed(size), Publish(committed)]
        self._log.from_commit(committed)
        self._advance()

    def _receive_row(self, row: CommittedRow, epoch: Epoch) -> None:
        """Take in a row that another replica has committed, unless it belongs to another life of the document."""
        if epoch != self.epoch or row.seq <= self.cursor or self._log.is_own(row.seq):
            return
        self._log.from_relay(row)
        self._advance()
        if row.seq > self.cursor:
            self._sessions.effects.append(CatchUp())

    def _receive_rows(self, rows: list[CommittedRow], after: Sequence) -> None:
        if rows and rows[0].seq != after + 1:
            raise RoomClosed("Rows are missing from the log; reconnect.")
        self._log.from_store(rows)
        self._advance()

    def _receive_head(self, head: HeadRead) -> None:
        if head.deleted:
            raise DocumentDeleted
        if head.epoch != self.epoch or head.seq < head.after:
            raise RoomClosed
        if head.seq > self.cursor and not self._log.is_own(head.seq):
            self._sessions.effects.append(CatchUp())

    def _advance(self) -> None:
        """Apply every row whose turn has come. Ask for what is missing before rows of our own."""
        try:
            for row in self._log.ready():
                for entry in decode_entries(row.payload):
                    self._apply_committed(entry)
        except PeerError as error:  # bytes that no guard of ours can have let into the log
            raise RoomClosed from error
        if self._log.has_gap:
            self._sessions.effects.append(CatchUp())

    def _apply_committed(self, entry: Entry) -> None:
        """Apply an update of the log: show it, and add nothing but what keeps characters whole."""
        update = inspect_stored_update(entry.update)
        self._updates.turns.release_mentioned(update)
        assessment: Assessment | None = self.document.assess(update, committed=True)
        if isinstance(assessment, Contradicted):
            self._yield_to_log(update)
            assessment = assessment.despite
        match assessment:
            case News() as news:
                self._updates.apply(news, entry.author)
                if news.update.structs or news.update.deletes:
                    self._updates.show(news.update)
            case Lacks():
                raise RoomClosed("The log is damaged: a row builds on what no earlier row holds.")
            case Known() | None:
                pass
            case _:
                assert_never(assessment)

    def _yield_to_log(self, update: InspectedUpdate) -> None:
        """Close the room if a row contradicts what this room has accepted and not committed, or committed later.

        Two replicas let other content in under the same ids. The order of the log decides, and the losers must learn
        that their text does not stand. Other content of an earlier row stands wherever the log is read.
        """
        later = chain(self._log.own_entries(), self._uncommitted.entries())
        losers = {each.author for each in later if contradiction(update, inspect_stored_update(each.update))}
        if losers:
            for session in [each.id for each in self._sessions if each.user in losers]:
                self._sessions.end(session, UpdateRefused(CONTRADICTION))
            raise RoomClosed
