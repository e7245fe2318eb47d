"""Settles the update frames of a room's sessions: take what is ready, keep the rest, answer once nothing is left.

One method, ``_settle``, decides about an update: when it arrives, whenever something it waits for has arrived, and when
its time is over. The document says what the update would do (``Document.assess``), ``ownership`` whose ids it may use,
and the session's role whether it may be taken at all. What may take long is decided in the same way, in steps, when its
turn comes (``integration``, ``work``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from collab.crdt.assessment import Assessment, Contradicted, Known, Lacks, News
from collab.crdt.comparison import is_known_in_part
from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.slices import jumps
from collab.crdt.statevector import encode_state_vector
from collab.crdt.steps import Steps
from collab.crdt.update import InspectedUpdate
from collab.errors import (
    CollabError,
    Conflict,
    DocumentPoisoned,
    MissingDependencies,
    Overloaded,
    PermissionDenied,
    UpdateRefused,
)
from collab.ids import SessionId, UserId
from collab.protocol.limits import Limits
from collab.protocol.messages import EMPTY_UPDATE, Refused, Saved, Stateless, SyncStep1
from collab.protocol.rows import Entry
from collab.room.capacity import BYTES_MAX, Capacity
from collab.room.effects import Queued
from collab.room.held_back import HeldBack
from collab.room.integration import CONTRADICTION, Integration, read_update
from collab.room.ownership import is_carried, is_of_another
from collab.room.pending import ExaminationBudget, PendingLimits, PendingUpdate, PendingUpdates
from collab.room.session import Session
from collab.room.sessions import Sessions
from collab.room.slow_readers import LagLimits
from collab.room.stalled import StalledUpdates
from collab.room.turns import COULD_NOT_APPLY, Turns
from collab.room.uncommitted import UncommittedQueue
from collab.room.window import WindowLengths
from collab.room.work import WorkLimits, WorkTimes

SIZE_WANTED = '{"type":"collab.size"}'
"""The message by which a client asks to be told when the document is nearly full."""


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What one update may hold, how many of them may wait in a room, and how long for."""

    update: Limits = field(default_factory=Limits)
    pending: PendingLimits = field(default_factory=PendingLimits)
    window: WindowLengths = field(default_factory=WindowLengths)
    lag: LagLimits = field(default_factory=LagLimits)
    work: WorkLimits = field(default_factory=WorkLimits)
    document_bytes_max: int = BYTES_MAX


class Updates:
    """The updates of one room on their way from a session's frame into the document and towards the log."""

    def __init__(
        self,
        document: Document,
        sessions: Sessions,
        uncommitted: UncommittedQueue,
        limits: RoomLimits,
        times: WorkTimes,
    ) -> None:
        self._document = document
        self._sessions = sessions
        self._uncommitted = uncommitted
        self._limits = limits.update
        self._at_once_bytes_max = limits.work.at_once_bytes_max
        self._pending = PendingUpdates(limits.pending)
        self._examinations = ExaminationBudget()
        self._stalled = StalledUpdates()
        self._capacity = Capacity(document, limits.document_bytes_max)
        self._has_warned = False
        """True if the sessions that want to know were told that the document is nearly full."""
        self.turns = Turns(sessions, times, self._accept_held)
        self.changed: set[int] = set()
        """Clients of which the document has gained something that pending updates may wait for."""
        self._some_lack = False
        """True while some session may continue without an update that was given up."""

    @property
    def pending(self) -> int:
        """Number of updates that wait for what they build on."""
        return len(self._pending)

    def has_pending(self, session: SessionId) -> bool:
        """Return True if an update of this session waits whose answer its client waits for."""
        return self._pending.has_unanswered(session) or self.turns.has_unanswered(session)

    def receive(self, sender: Session, payload: bytes, *, counted: bool, resync: bool) -> None:
        """Settle one update frame. ``counted``: its client waits for the answer; ``resync``: it is a SyncStep2."""
        frame = _Frame(sender, payload, counted, resync)
        if len(payload) > self._at_once_bytes_max or self.turns.must_wait(sender):
            held = HeldBack(sender)
            self.turns.add(len(payload), counted=counted, held=held, steps=self._settle_frame(frame, held))
            return
        self.turns.note_at_once(sender.user)
        if payload == EMPTY_UPDATE:
            if counted:
                self._sessions.answer(sender.id, Saved())
            return
        try:
            update = inspect_update(payload, self._limits)
        except UpdateRefused as error:
            self._sessions.refuse(sender.id, error, counted=counted)
            return
        self._settle(self._pending_of(frame, update))

    def _pending_of(self, frame: "_Frame", update: InspectedUpdate) -> PendingUpdate:
        return PendingUpdate(frame.sender, update, update.payload, frame.counted, frame.resync, self._sessions.now_s)

    def ask(self, session: Session) -> None:
        """Ask a client for all it has that is not here, unless it is being asked already."""
        if not session.step1_outstanding:
            session.step1_outstanding = True
            self._sessions.send(session.id, SyncStep1(encode_state_vector(self._document.state)))

    def _settle(self, pending: PendingUpdate) -> None:
        """Take what is ready of one update, keep the rest pending, and answer its frame once nothing is left.

        This happens when it arrives, whenever something it waits for has arrived, and when its time is over.
        """
        if not self._is_quick(pending):
            held = HeldBack(pending.sender)
            steps = self._settle_in_steps(pending, held)
            self.turns.add(pending.size, counted=pending.counted, held=held, steps=steps)
            return
        self.turns.release_mentioned(pending.update)
        may_write = pending.sender.can_write  # a role counts as it is now, not as it was when the frame arrived
        try:
            assessment = self._assess(pending)
        except UpdateRefused as error:
            self._refuse(pending, error)
            return
        match assessment:
            case News(rest=None) as news:
                self._take(pending, news)
                self._answer(pending, Saved(pending.frame), adds=True)
            case Known():
                repeats = pending.update.structs or pending.waits_for
                self._answer(pending, Saved(pending.frame if repeats else b""))
            case Contradicted():
                self._refuse(pending, UpdateRefused(CONTRADICTION))
            case Lacks() if not may_write:
                self._answer(pending, Refused())
            case _ if not pending.sender.queues_incomplete:
                self._refuse(pending, Conflict(_INCOMPLETE))
            case News(rest=rest, waits_for=waits_for) as news:
                self._take(pending, news)
                self._keep(pending, rest, waits_for)
            case Lacks(rest, waits_for):
                self._keep(pending, rest, waits_for)
            case _:
                assert_never(assessment)

    def _assess(self, pending: PendingUpdate) -> Assessment:
        """Return what an update would do. Raises UpdateRefused when it must not do that."""
        sender = pending.sender
        assessment = self._document.assess(
            pending.update,
            exact=pending.resync,
            read_only=not sender.can_write,
            is_withheld=partial(is_of_another, user=sender.user, owner=self._sessions.awareness.owner),
        )
        if isinstance(assessment, News):
            self._capacity.check(assessment.update)
        if (
            self.turns.is_holding
            and pending.update.deletes
            and (isinstance(assessment, Known | Lacks) or is_known_in_part(pending.update, self._document.state))
        ):  # known deletions are left out of what is taken, and may be known only from what is held back
            self.turns.release_all()
        return assessment

    def _take(self, pending: PendingUpdate, news: News) -> None:
        """Apply what is new, show it at once, and queue it for the log."""
        carried = is_carried(news.update, self._document.state, pending.sender.user, self._sessions.awareness.owner)
        try:
            self.apply(news, pending.sender.user)
        except DocumentPoisoned:  # its sender must not simply send it again
            self._refuse(pending, UpdateRefused(COULD_NOT_APPLY))
            raise
        self.accept(news.update, pending.sender.user, carried=carried, author=pending.sender.id)
        if pending.sender.lag is not None:
            pending.sender.lag.note_written(news.update)

    def apply(self, news: News, user: UserId) -> None:
        """Apply what is new, and accept the deletions before it.

        Merged updates delete last. So what splits a character is not merged with what has deleted it.
        """
        divides = self._sessions.window.is_filled and self._document.splits_pair(news.update)
        self._document.apply(news)
        if news.before is not None:
            self.accept(news.before, user)
        if divides or news.before is not None:
            self._sessions.window.divide()

    def accept(
        self, update: InspectedUpdate, user: UserId, *, carried: bool = False, author: SessionId | None = None
    ) -> None:
        """Show an update that is in the document now, and queue it for the log."""
        size = self._uncommitted.accept(Entry(user, update.payload, carried))
        self.show(update, author=author)
        self._sessions.effects.append(Queued(size))
        if self._capacity.is_nearly_full != self._has_warned:
            self._has_warned = not self._has_warned
            for session in self._sessions:
                self.tell_size(session)

    def tell_size(self, session: Session) -> None:
        """Tell an editor that has asked for it that the document is nearly full, or no longer."""
        if session.wants_size and session.can_write:
            bytes_, bytes_max = self._document.size, self._capacity.bytes_max
            told = {"type": "collab.size", "nearly_full": self._has_warned, "bytes": bytes_, "bytes_max": bytes_max}
            self._sessions.send(session.id, Stateless(json.dumps(told)))

    def show(self, update: InspectedUpdate, *, author: SessionId | None = None) -> None:
        """Show an update to every synced session but its author, and note what it may make ready."""
        if self._pending or self._some_lack:
            self.changed.update([struct.client for struct in update.structs])
        self._sessions.show(update, author=author)

    def _answer(self, pending: PendingUpdate, answer: Saved | Refused, *, adds: bool = False) -> None:
        if pending.counted:
            self._sessions.answer(pending.sender.id, answer, adds=adds)

    def _refuse(self, pending: PendingUpdate, error: CollabError) -> None:
        self._sessions.refuse(pending.sender.id, error, counted=pending.counted)

    # --- updates that take turns --------------------------------------------------------------------

    def _is_quick(self, pending: PendingUpdate) -> bool:
        """Return True if an update can be settled at once, without keeping everybody else waiting."""
        update, size = pending.update, self.turns.slice_size
        return (
            len(update.structs) <= size.structs
            and jumps(update, size.jumps) <= size.jumps
            and self._document.is_quick_about(update, exact=pending.resync or not pending.sender.can_write)
        )

    def _settle_frame(self, frame: "_Frame", held: HeldBack) -> Steps[None]:
        """Read a frame and settle it, in steps. What is taken of it is in ``held`` until all is."""
        update = yield from read_update(frame.payload, self._limits, frame.sender, self._document.state)
        answer: Saved | Refused = Saved()
        if update is None:
            answer = Refused()
        elif update.structs or update.deletes:
            yield from self._settle_in_steps(self._pending_of(frame, update), held)
            return
        if frame.counted:
            self._sessions.answer(frame.sender.id, answer)

    def _settle_in_steps(self, pending: PendingUpdate, held: HeldBack) -> Steps[None]:
        """Do in steps what ``_settle`` does."""
        update = pending.update
        integration = Integration(
            self._document,
            update,
            size=lambda: self.turns.slice_size,
            is_withheld=partial(is_of_another, user=pending.sender.user, owner=self._sessions.awareness.owner),
            before=partial(self.turns.release_mentioned, but=held),
            take=partial(self._hold, pending, held),
            exact=pending.resync,
        )
        if not pending.sender.can_write:
            is_known = yield from integration.is_known()
            if is_known:  # what is acknowledged as known must be in the log first
                yield from self.turns.release_repeated(update, repeats_deletions=integration.repeats_deletions)
            self._answer(pending, Saved(pending.frame) if is_known else Refused())
            return
        if not pending.sender.queues_incomplete and not (yield from integration.is_ready()):
            self._refuse(pending, Conflict(_INCOMPLETE))
            return
        try:
            outcome = yield from integration.run()
        except PermissionDenied:  # its sender's role has changed
            self.turns.release(held)
            self._answer(pending, Refused())
            return
        self.turns.release(held)
        yield from self.turns.release_repeated(update, repeats_deletions=integration.repeats_deletions)
        if outcome.rest is None:
            repeats = outcome.adds or update.structs or pending.waits_for
            self._answer(pending, Saved(pending.frame if repeats else b""), adds=outcome.adds)
        elif pending.sender.queues_incomplete:
            self._keep(pending, outcome.rest, outcome.waits_for)
        else:  # the owner of an id has come meanwhile
            self._refuse(pending, Conflict(_INCOMPLETE))

    def _hold(self, pending: PendingUpdate, held: HeldBack, news: News) -> None:
        """Apply one slice, and hold it back."""
        sender = pending.sender
        if not sender.can_write:
            raise PermissionDenied
        self._capacity.check(news.update)
        held.carried |= is_carried(news.update, self._document.state, sender.user, self._sessions.awareness.owner)
        self.apply(news, sender.user)
        if sender.lag is not None:
            sender.lag.note_written(news.update)
        self.turns.hold(held, news.update)

    def _accept_held(self, held: HeldBack) -> None:
        """Log and show what was held back of an update."""
        author = held.author
        self._sessions.window.divide()  # what is not fully described cannot be merged
        self.accept(held.take(), author.user, carried=held.carried, author=author.id)
        self._sessions.window.divide()

    # --- updates that wait --------------------------------------------------------------------------

    def _keep(self, pending: PendingUpdate, rest: InspectedUpdate | None, waits_for: Mapping[int, int]) -> None:
        """Let the rest of an update wait for what it builds on, as long as it may and as far as there is space."""
        assert rest is not None
        is_first_wait = not pending.waits_for
        if is_first_wait:
            pending.since_s = self._sessions.now_s  # until now it may have waited for its turn
        pending.update, pending.waits_for = rest, waits_for
        if len(pending.frame) > self._pending.bytes_max:
            pending.frame = b""
        if self._pending.is_overdue(pending, self._sessions.now_s):
            self._give_up(pending)
        elif self._pending.add(pending):
            state = self._document.state  # in the last steps, something may have come
            self.changed.update([client for client, clock in waits_for.items() if clock < state.get(client, 0)])
            if is_first_wait and not pending.resync:
                self._ask_sender(pending)
        elif pending.resync:
            self._give_up(pending)  # what was ready of it has been taken
        else:  # without an answer: the client reconnects and sends it again
            self._sessions.refuse(pending.sender.id, Overloaded(_TOO_MUCH_WAITS), counted=False)

    def _ask_sender(self, pending: PendingUpdate) -> None:
        if (sender := self._sessions.get(pending.sender.id)) is not None:
            self.ask(sender)

    def settle_overdue(self) -> None:
        """Settle every update whose time is over; what is still missing then is given up."""
        while (pending := self._pending.take_overdue(self._sessions.now_s)) is not None:
            self._settle(pending)

    def settle_ready(self) -> None:
        """Settle every update for which something has arrived; each may make others ready.

        What exceeds the budget is left to a later step.
        """
        while self.changed and self._examinations.has_left(self._sessions.now_s):
            changed, self.changed = self.changed, set()
            for pending in self._pending.take_ready(changed, self._document.state):
                self._examinations.spend(pending.parts)
                self._settle(pending)
            if self._some_lack:
                self._ask_again()

    def _ask_again(self) -> None:
        """Ask the sessions that continue without something once it has arrived after all."""
        for session in self._sessions:
            if session.lacks is not None and self._document.state.get(session.lacks[0], 0) > session.lacks[1]:
                session.lacks = None
                self.ask(session)
        self._some_lack = any(session.lacks is not None for session in self._sessions)

    def _give_up(self, pending: PendingUpdate) -> None:
        """Have the client of an incomplete update reconnect, which brings all it has; the second time, continue.

        A browser may keep for ever what another of its tabs wrote on top of an edit that is lost: that must not cost it
        the document. The rest is then not acknowledged, and its client is asked again once the missing edit arrives.
        """
        missing = min(pending.waits_for.items())
        owner = self._sessions.awareness.owner
        is_withheld = any(is_of_another(struct.client, pending.sender.user, owner) for struct in pending.update.structs)
        # While an owner is present, the sender can only come back until that presence has gone.
        if is_withheld or self._stalled.note_missing(pending.sender.user, missing):
            self._refuse(pending, MissingDependencies())
        elif (sender := self._sessions.get(pending.sender.id)) is not None:
            sender.lacks = missing
            self._some_lack = True
            self._answer(pending, Refused())


_INCOMPLETE = "The update builds on edits that are not here, or that their author is here to send."
_TOO_MUCH_WAITS = "Too many edits wait for others that have not arrived; reconnect."


@dataclass(frozen=True, slots=True)
class _Frame:
    """One update as it came from a session."""

    sender: Session
    payload: bytes
    counted: bool
    resync: bool
