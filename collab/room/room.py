"""One document in memory, with everybody who has it open on this replica. It decides; it never acts.

Told what happened, it answers with what should be done: a list of ``effects``, in order. It stands between the
sessions, the log and the other replicas, and it keeps two promises:

* **The durable prefix.** A frame, also one that added nothing, is acknowledged once every update accepted before it
  is committed; never before (``ledger``).
* **The cursor.** Every row of the log up to ``cursor`` is in the document. Row ``cursor + 1`` is the only one
  that is applied next; any other tells of a gap, which the store fills (``arrivals``). So what this replica knows
  of the log is always a prefix of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import TypeAlias, assert_never

from collab.crdt.causality import ready_part
from collab.crdt.comparison import contradiction
from collab.crdt.document import Document
from collab.crdt.statevector import decode_state_vector
from collab.crdt.surrogates import deletion, replace_split_pairs
from collab.crdt.update import Id, InspectedUpdate, inspect_stored_update, inspect_update
from collab.errors import (
    CollabError,
    Conflict,
    DocumentDeleted,
    DocumentPoisoned,
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
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.presence import PresenceEntry
from collab.protocol.rows import CommittedRow, Entry, Row, decode_entries
from collab.room.awareness import Awareness
from collab.room.effects import Append, CatchUp, Effect, End, Fail, Publish, PublishPresence, Send
from collab.room.log_cursor import LogCursor
from collab.room.ownership import belongs_to_another, is_carried, owned_by_others
from collab.room.pending import PendingLimits, PendingUpdate, PendingUpdates
from collab.room.session import Session
from collab.room.stalled import StalledUpdates
from collab.room.uncommitted import UncommittedQueue

RoomMessage: TypeAlias = SyncStep1 | SyncStep2 | Update | AwarenessUpdate | QueryAwareness | Stateless
"""What a session may say to a room; the rest of the protocol is between the socket and its connection."""

RECEIPTS_MAX = 4096
"""Answers that one session may have waiting for the log, when it sends what adds nothing to it."""


class Room:
    """See the module. Times are seconds of any steady clock; ``writer`` is random and this room's own."""

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
        self.name = name
        self.epoch = epoch
        self.writer = writer
        self.document = document
        self._update_limits = update_limits or Limits()
        self._gate = PendingUpdates(pending_limits or PendingLimits())
        self._awareness = Awareness()
        self._sessions: dict[SessionId, Session] = {}
        self._unfinished = StalledUpdates()
        self._ledger = UncommittedQueue(name, epoch, writer)
        self._arrivals = LogCursor(cursor, writer)
        self._now_s = 0.0
        """The latest time that this room was told."""

    def __repr__(self) -> str:
        return (
            f"<Room {self.name!r} seq={self.cursor} sessions={len(self._sessions)} "
            f"waiting={len(self._ledger.waiting)} held={len(self._gate)}>"
        )

    @property
    def cursor(self) -> Sequence:
        """Every row of the log up to here is in the document."""
        return self._arrivals.cursor

    @property
    def sessions(self) -> tuple[SessionId, ...]:
        """Everybody on this replica."""
        return tuple(self._sessions)

    @property
    def is_settled(self) -> bool:
        """Everything accepted is committed: only now may the room be forgotten."""
        return self._ledger.is_settled

    @property
    def unsaved_bytes(self) -> int:
        """What the updates that are accepted and not committed take in memory."""
        return self._ledger.unsaved_bytes

    @property
    def bytes_under_way(self) -> int:
        """The share of ``unsaved_bytes`` that is in the row on its way to the store."""
        return self._ledger.bytes_under_way

    @property
    def held(self) -> int:
        """How many updates wait for their predecessors."""
        return len(self._gate)

    # --- sessions -----------------------------------------------------------------------------------

    def join(self, session: Session) -> list[Effect]:
        """A session begins. It is told who is here; the document it asks for itself, with a SyncStep1."""
        assert session.id not in self._sessions
        self._sessions[session.id] = session
        here = self._awareness.entries()
        return [Send((session.id,), AwarenessUpdate(here))] if here else []

    def resume(self, session: SessionId) -> list[Effect]:
        """A session goes on where an earlier one on the same connection ended: its client will not ask again.

        Nobody knows what it missed and what it could not say, so it gets the whole document, and is asked for its own.
        """
        sender = self._sessions[session]
        sender.synced = True
        try:
            return [Send((session,), Update(self.document.encode())), *self._ask(sender)]
        except DocumentPoisoned as error:
            return [Fail(error)]

    def change(self, session: SessionId, *, can_write: bool, name: str) -> list[Effect]:
        """A session goes on with another role or under another name, which act from now on, on what waits too."""
        if (changed := self._sessions.get(session)) is None:
            return []
        changed.can_write, changed.name = can_write, name
        entries = self._awareness.change_role(changed)
        return [PublishPresence(entries)] if entries else []

    def owes(self, session: SessionId) -> bool:
        """Whether frames of this session wait for their answer."""
        return self._ledger.owed(session) > 0 or self._gate.owes(session)

    def dismiss(self, session: SessionId, now_s: float, *, clean: bool) -> list[Effect]:
        """A session will say nothing more and is told nothing more, but for the answers that it is owed.

        Its people leave as at its end, so that they are in nobody's way: with ``clean`` at once.
        """
        self._now_s = now_s
        if (dismissed := self._sessions.get(session)) is None:
            return []
        dismissed.synced = False
        return self._tell_presence(self._awareness.leave(session, now_s, clean=clean))

    def leave(self, session: SessionId, now_s: float, *, clean: bool) -> list[Effect]:
        """A session has ended; ``clean`` if its client said so. What it wrote goes on to the log.

        Leaving twice is normal (the room ends a session while its socket closes) and means nothing.
        """
        self._now_s = now_s
        if self._sessions.pop(session, None) is None:
            return []
        self._ledger.forget(session)
        self._unfinished.forget(session)
        return self._tell_presence(self._awareness.leave(session, now_s, clean=clean))

    def receive(self, session: SessionId, message: RoomMessage, now_s: float) -> list[Effect]:
        """A session says something. A message of a session that has just ended is none.

        Raises ProtocolError when it is nonsense inside.
        """
        self._now_s = now_s
        sender = self._sessions.get(session)
        if sender is None:
            return []
        try:
            return self._receive(sender, message)
        except DocumentPoisoned as error:
            return [Fail(error)]

    def _receive(self, sender: Session, message: RoomMessage) -> list[Effect]:
        match message:
            case SyncStep1(state_vector):
                return self._receive_step1(sender, state_vector)
            case SyncStep2(payload):
                counted, sender.owed, sender.asked = sender.owed, False, False
                return self._receive_update(sender, payload, counted=counted, resync=True)
            case Update(payload):
                return self._receive_update(sender, payload, counted=True, resync=False)
            case AwarenessUpdate(entries):
                return self._tell_presence(self._awareness.receive(sender, entries, self._now_s))
            case QueryAwareness():
                return [Send((sender.id,), AwarenessUpdate(self._awareness.entries()))]
            case Stateless():
                return []  # an application's own; nothing here listens to it yet
        assert_never(message)

    def _receive_step1(self, sender: Session, state_vector: bytes) -> list[Effect]:
        diff = self.document.diff(decode_state_vector(state_vector))
        sender.owed = sender.synced = True
        return [*self._ask(sender), Send((sender.id,), SyncStep2(diff))]

    def _ask(self, session: Session) -> list[Effect]:
        """Ask a client for all it has that is not here, unless it is being asked already."""
        if session.asked:
            return []
        session.asked = True
        return [Send((session.id,), SyncStep1(self.document.state_vector()))]

    # --- updates of clients -------------------------------------------------------------------------

    def _receive_update(self, sender: Session, payload: bytes, *, counted: bool, resync: bool) -> list[Effect]:
        """One update frame. ``counted``: the client waits for its acknowledgement; ``resync``: a SyncStep2."""
        if payload == EMPTY_UPDATE:
            return self._answer(sender.id, Saved()) if counted else []
        try:
            update = inspect_update(payload, self._update_limits)
        except UpdateRefused as error:
            return self._refuse(sender.id, error, counted=counted)
        if self.document.contradicted_by(update):
            return self._refuse(sender.id, _contradiction(), counted=counted)
        if self.document.has(update, exact=resync or not sender.can_write):
            echo = update.payload if update.structs else b""
            return self._answer(sender.id, Saved(echo)) if counted else []
        if not sender.can_write:
            return self._answer(sender.id, Refused()) if counted else []
        missing = self.document.missing(update) or self._awaited(sender.user, update)
        if missing is not None and not sender.waits:
            conflict = Conflict("The update builds on edits that are not here, or that their author is here to send.")
            return self._refuse(sender.id, conflict, counted=counted)
        if missing is not None:
            held = PendingUpdate(sender.id, sender.user, update, counted, self._now_s, missing)
            hold = self._take_around_gap if update.has_gap else self._hold
            return hold(sender, held, resync=resync)
        return [*self._accept(sender.id, sender.user, update, counted=counted), *self._release_held()]

    def _take_around_gap(self, sender: Session, held: PendingUpdate, *, resync: bool) -> list[Effect]:
        """Take what is ready of an update with a gap, since what fills the gap may build on it; the whole waits."""
        others = owned_by_others(held.update, self.document.state, held.user, self._awareness.owner)
        effects = self._keep_ready(held, others)
        if sender.id not in self._sessions or self.document.is_poisoned:
            return effects
        held.missing = self.document.missing(held.update) or self._awaited(held.user, held.update) or held.missing
        return [*effects, *self._hold(sender, held, resync=resync), *self._release_held()]

    def _keep_ready(self, held: PendingUpdate, others: frozenset[int]) -> list[Effect]:
        """Take the part of a held update that is ready and not of ``others``. Its frame is not answered by that."""
        part = ready_part(held.update, self.document.state, others)
        if part is None or self.document.has(kept := inspect_stored_update(part)):
            return []
        return [*self._accept(held.session, held.user, kept, counted=False), *self._release_held()]

    def _awaited(self, user: UserId, update: InspectedUpdate) -> Id | None:
        """The last of the ids that only somebody else, who is here, may bring."""
        return belongs_to_another(update, self.document.state, user, self._awareness.owner)

    def _accept(
        self, session: SessionId | None, user: UserId, update: InspectedUpdate, *, counted: bool
    ) -> list[Effect]:
        """Take an update of this replica's own sessions, and before it what keeps it from cutting a character."""
        effects: list[Effect] = []
        if cut := self.document.pairs_cut_by(update):
            try:
                self.document.judge(update)
            except UpdateRefused as error:  # and nothing is deleted for what is not taken
                return self._refuse(session, error, counted=counted)
            effects += self._take(None, user, deletion(cut), counted=False)
        update = replace_split_pairs(update, self.document.state)
        return [*effects, *self._take(session, user, update, counted=counted)]

    def _take(self, session: SessionId | None, user: UserId, update: InspectedUpdate, *, counted: bool) -> list[Effect]:
        """Apply an update: show it at once, save it, then acknowledge it."""
        carried = is_carried(update, self.document.state, user, self._awareness.owner)
        try:
            news = self.document.apply(update)
        except UpdateRefused as error:
            return self._refuse(session, error, counted=counted)
        except DocumentPoisoned as error:  # whoever sent it must not simply send it again
            refusal = UpdateRefused("The update could not be applied.")
            return [*self._refuse(session, refusal, counted=counted), Fail(error)]
        size = self._ledger.accept(Entry(user, news.payload, carried))
        if counted and session is not None and session in self._sessions:
            self._ledger.owe(session, Saved(update.payload))
        return [*self._show(news, besides=session), Append(size)]

    def _answer(self, session: SessionId, answer: Saved | Refused) -> list[Effect]:
        """Answer a frame that added nothing, once all before it is committed.

        What it repeats may itself not be committed yet, and a session's answers keep the order of its frames.
        """
        if self._ledger.is_durable:
            return [Send((session,), answer)]
        if self._ledger.owed(session) >= RECEIPTS_MAX:
            return self._end(session, Overloaded("Too much that you sent waits to be saved; reconnect."))
        self._ledger.owe(session, answer)
        return []

    def _refuse(self, session: SessionId | None, error: CollabError, *, counted: bool) -> list[Effect]:
        """Refuse a frame and end its session for it, if it is still here."""
        if session is None or session not in self._sessions:
            return []
        refusal: list[Effect] = [Send((session,), Refused())] if counted else []
        return [*refusal, *self._end(session, error)]

    def _end(self, session: SessionId, error: CollabError) -> list[Effect]:
        return [End(session, error), *self.leave(session, self._now_s, clean=False)]

    # --- updates that wait for their predecessors ---------------------------------------------------

    def _hold(self, sender: Session, held: PendingUpdate, *, resync: bool) -> list[Effect]:
        if self._gate.hold(held):
            # A SyncStep2 is all its client has: asking again would only bring the same bytes back.
            return [] if resync else self._ask(sender)
        if resync:
            return self._give_up(held)  # and whatever can be kept of it must not be lost for its size
        return self._end(sender.id, Overloaded("Too many edits wait for others that have not arrived; reconnect."))

    def _release_held(self) -> list[Effect]:
        """Apply every held update that has become ready; each may make others ready."""
        effects: list[Effect] = []
        while len(self._gate) and not self.document.is_poisoned:
            held = self._gate.release(self.document.state)
            if held is None:
                break
            try:
                effects += self._admit(held)
            except DocumentPoisoned as error:  # what was decided before it stays decided
                return [*effects, Fail(error)]
        return [*effects, *self._ask_again()]

    def _ask_again(self) -> list[Effect]:
        """Whoever went on without something may bring it now, where what it lacked has come after all."""
        effects: list[Effect] = []
        for session in self._unfinished.come(self.document.state):
            effects += self._ask(self._sessions[session])
        return effects

    def _admit(self, held: PendingUpdate) -> list[Effect]:
        """A held update lacks nothing any more. What came meanwhile may speak against it, or be the same."""
        if held.session is None:
            return self._apply_foreign(held.user, held.update)
        if self.document.contradicted_by(held.update):
            return self._refuse(held.session, _contradiction(), counted=held.counted)
        if awaited := self._awaited(held.user, held.update):
            stays = self._gate.hold(replace(held, missing=awaited))
            assert stays, "its own place is free"
            return []
        if not self.document.has(held.update):
            if not self._may_still_write(held.session):
                return self._turn_down(held)
            return self._accept(held.session, held.user, held.update, counted=held.counted)
        if held.counted and held.session in self._sessions:
            return self._answer(held.session, Saved(held.update.payload))
        return []

    def _may_still_write(self, session: SessionId | None) -> bool:
        """Whether what a session sent while it might write may still be taken. A role that changes acts at once.

        Who has left, or whose token has ended, sent it in time.
        """
        sender = None if session is None else self._sessions.get(session)
        return sender is None or sender.can_write

    def _turn_down(self, held: PendingUpdate) -> list[Effect]:
        """Take nothing of a held update. Its session goes on."""
        return self._answer(held.session, Refused()) if held.counted and held.session is not None else []

    def _give_up(self, held: PendingUpdate) -> list[Effect]:
        """Keep the part of a held update that can be kept, and have the client start over; once.

        Unless it waited for an owner who has left by now, or who sent something else. The second time its session goes
        on without the rest, which is not acknowledged, and is asked again when what that lacks has come after all. A
        browser may keep for ever what another of its tabs wrote on top of an edit that nobody has any more: that must
        not cost it the document.
        """
        if not self._may_still_write(held.session):
            return self._turn_down(held)
        others = owned_by_others(held.update, self.document.state, held.user, self._awareness.owner)
        if self.document.contradicted_by(held.update) or not (others or self.document.missing(held.update)):
            return [*self._admit(held), *self._release_held()]
        effects = self._keep_ready(held, others)
        # While an owner is here, the sender can do nothing but come back until that presence has gone.
        if others or self._unfinished.is_first_time(held.user, held.missing):
            return [*effects, *self._refuse(held.session, MissingDependencies(), counted=held.counted)]
        if held.session in self._sessions:
            self._unfinished.goes_on(held.session, held.missing)
            effects += self._answer(held.session, Refused()) if held.counted else []
        return [*effects, *self._ask_again()]

    # --- the log ------------------------------------------------------------------------------------

    def next_row(self) -> Row | None:
        """The row to append next. None when nothing waits, or while another is on its way."""
        return self._ledger.next_row()

    def appended(self, seq: Sequence) -> list[Effect]:
        """The row on its way is committed as ``seq``: acknowledge what it holds, and tell the replicas."""
        row = self._ledger.committed()
        committed = CommittedRow(seq, row.writer, row.n, row.payload)
        answers = [Send((session,), answer) for session, answer in self._ledger.due()]
        try:
            self._arrivals.committed(committed)
        except Overloaded as error:
            return [*answers, Publish(committed), Fail(error)]
        return [*answers, Publish(committed), *self._advance()]

    def receive_row(self, row: CommittedRow, epoch: Epoch) -> list[Effect]:
        """Another replica says that it has committed a row. One of another life of the document is none."""
        if epoch != self.epoch or row.seq <= self.cursor or self._arrivals.is_own(row.seq):
            return []
        self._arrivals.heard(row)
        effects = self._advance()
        return effects if row.seq <= self.cursor or _has_failed(effects) else [*effects, CatchUp()]

    def receive_rows(self, rows: Iterable[CommittedRow], *, after: Sequence) -> list[Effect]:
        """Rows read from the store, which were asked for with the cursor at ``after``."""
        rows = list(rows)
        if rows and rows[0].seq != after + 1:
            return [Fail(RoomClosed("The log was trimmed behind this room; reconnect."))]
        self._arrivals.read(rows)
        return self._advance()

    def receive_head(self, seq: Sequence, epoch: Epoch, *, deleted: bool, after: Sequence) -> list[Effect]:
        """The store's word on where the log ends, asked for with the cursor at ``after``."""
        if deleted:
            return [Fail(DocumentDeleted())]
        if epoch != self.epoch or seq < after:
            return [Fail(RoomClosed())]
        return [CatchUp()] if seq > self.cursor and not self._arrivals.is_own(seq) else []

    def _advance(self) -> list[Effect]:
        """Apply every row whose turn has come. A gap before rows of our own is asked for."""
        effects: list[Effect] = []
        try:
            for row in self._arrivals.turns():
                effects += self._apply_row(row)
                if _has_failed(effects):
                    return effects
        except PeerError:  # bytes that no guard of ours can have let into the log
            return [*effects, Fail(RoomClosed())]
        except DocumentPoisoned as error:
            return [*effects, Fail(error)]
        return [*effects, CatchUp()] if self._arrivals.has_gap else effects

    def _apply_row(self, row: CommittedRow) -> list[Effect]:
        effects: list[Effect] = []
        for entry in decode_entries(row.payload):
            update = inspect_stored_update(entry.update)
            if self.document.contradicted_by(update) and (losers := self._overtaken_by(update)):
                return [*effects, *self._yield_to_log(losers)]
            missing = self.document.missing(update)
            if missing is None:
                effects += self._apply_foreign(entry.author, update)
            else:
                self._gate.hold(PendingUpdate.of_log(update, missing, entry.author))
        return [*effects, *self._release_held()]

    def _overtaken_by(self, update: InspectedUpdate) -> set[UserId]:
        """Whose edits stand here with other content and come later in the log than ``update``, or never.

        Nobody's where the other content is of an earlier row: it stands, here and wherever the log is read.
        """
        beyond = chain(self._arrivals.own_entries(), self._ledger.uncommitted())
        return {each.author for each in beyond if contradiction(update, inspect_stored_update(each.update))}

    def _yield_to_log(self, losers: set[UserId]) -> list[Effect]:
        """Two replicas let other content in under the same ids. The order of the log decides, not this room.

        The losers must learn that it is not theirs that stands.
        """
        theirs = [session.id for session in self._sessions.values() if session.user in losers]
        ends = [effect for session in theirs for effect in self._end(session, _contradiction())]
        return [*ends, Fail(RoomClosed())]

    def _apply_foreign(self, author: UserId, update: InspectedUpdate) -> list[Effect]:
        """Apply what is in the log already: show it, and add nothing but what keeps characters whole."""
        effects: list[Effect] = []
        if torn := self.document.pairs_split_by_log(update):
            effects += self._take(None, author, deletion(torn), counted=False)
        if self.document.has(update):
            return effects
        try:
            news = self.document.replay(update)
        except DocumentPoisoned as error:
            return [*effects, Fail(error)]
        return [*effects, *self._show(news)]

    def _show(self, update: InspectedUpdate, *, besides: SessionId | None = None) -> list[Effect]:
        """Send an update to everybody who listens, but for its author."""
        sessions = tuple(s.id for s in self._sessions.values() if s.synced and s.id != besides)
        return [Send(sessions, Update(update.payload))] if sessions else []

    # --- presence and time --------------------------------------------------------------------------

    def request_presence(self) -> list[Effect]:
        """The room has just opened here: ask the other replicas who is with them."""
        return [PublishPresence((), wanted=True)]

    def receive_presence(
        self, writer: WriterId, entries: Iterable[PresenceEntry], now_s: float, *, wanted: bool
    ) -> list[Effect]:
        """Another replica says who is with it, or asks."""
        changed = self._awareness.receive_from_replica(writer, entries, now_s)
        effects: list[Effect] = []
        if changed and self._sessions:
            effects.append(Send(self.sessions, _awareness_update(changed)))
        if wanted and (ours := self._awareness.local_entries()):
            effects.append(PublishPresence(ours))
        return effects

    def replica_lost(self, writer: WriterId, now_s: float) -> list[Effect]:
        """Another replica is gone: so are its people, until they come back elsewhere. Each replica sees that itself."""
        changed = self._awareness.lose_replica(writer, now_s)
        return [Send(self.sessions, _awareness_update(changed))] if changed and self._sessions else []

    def _tell_presence(self, changed: tuple[PresenceEntry, ...]) -> list[Effect]:
        """Tell everybody, the sender too: clients take the echo as a sign of life."""
        if not changed:
            return []
        local: list[Effect] = [Send(self.sessions, _awareness_update(changed))] if self._sessions else []
        return [*local, PublishPresence(changed)]

    def tick(self, now_s: float) -> list[Effect]:
        """Time has passed: people who did not come back are gone, updates that never completed are dropped."""
        self._now_s = now_s
        effects = self._tell_presence(self._awareness.expire(now_s))
        while not self.document.is_poisoned and (held := self._gate.expire(now_s)):
            try:
                effects += self._give_up(held)
            except DocumentPoisoned as error:
                return [*effects, Fail(error)]
        return effects


def _has_failed(effects: Iterable[Effect]) -> bool:
    return any(isinstance(effect, Fail) for effect in effects)


def _contradiction() -> UpdateRefused:
    return UpdateRefused("Other text stands at the place of one of your edits: copy what you wrote, and reload.")


def _awareness_update(entries: Iterable[PresenceEntry]) -> AwarenessUpdate:
    return AwarenessUpdate(tuple(each.entry for each in entries))
