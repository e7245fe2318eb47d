"""The updates of a room that take turns, and what is held back of them meanwhile."""

from collections.abc import Callable

from collab.crdt.slices import SliceSize
from collab.crdt.steps import Steps, finish
from collab.crdt.update import InspectedUpdate
from collab.errors import DocumentPoisoned, Overloaded, UpdateRefused
from collab.ids import SessionId, UserId
from collab.room.effects import Again
from collab.room.held_back import HeldBack
from collab.room.session import Session
from collab.room.sessions import Sessions
from collab.room.work import Pace, Work, WorkQueue, WorkTimes


class Turns:
    """The frames that are settled in steps: one step each time the room is told ``Continued``."""

    def __init__(self, sessions: Sessions, times: WorkTimes, accept: Callable[[HeldBack], None]) -> None:
        """``accept`` logs and shows what was held back."""
        self._sessions = sessions
        self._accept = accept
        self._queue = WorkQueue(times)
        self.waiting = self._queue.users
        """The frames that wait, by user: empty when no frame does, which is asked after each step."""
        self._pace = Pace(times.limits)
        self._holding: list[HeldBack] = []
        self._worked_for: tuple[UserId, Work | None] | None = None
        """The user for whom this step worked, and the frame whose turn it was."""
        self._has_sliced = False
        """True if this step took a slice into the document."""
        self._is_asked = False
        """True if the room has asked for its next turn."""

    @property
    def is_holding(self) -> bool:
        """True if something is held back."""
        return bool(self._holding)

    @property
    def slice_size(self) -> SliceSize:
        """The most that the next slice may hold."""
        return self._pace.size

    def must_wait(self, sender: Session) -> bool:
        """Return True if a frame of this session must wait for its turn, however small it is."""
        return self._queue.must_wait(sender, self._sessions.now_s)

    def has_unanswered(self, session: SessionId) -> bool:
        """Return True if a frame of this session waits whose answer its client waits for."""
        return self._queue.has_unanswered(session)

    def add(self, size: int, *, counted: bool, held: HeldBack, steps: Steps[None]) -> None:
        """Have a frame of ``size`` bytes of ``held.author`` settled in ``steps``, when its turn comes."""
        if self._queue.is_full_for(held.author, size):  # the client reconnects and sends it again
            self._sessions.refuse(held.author.id, Overloaded(_TOO_MUCH_WAITS), counted=False)
            return
        self._queue.add(Work(held.author, size, steps, counted, held))

    def ask(self) -> None:
        """Ask for the next turn, if there is a need and it was not asked for yet."""
        if self.waiting and not self._is_asked:
            self._is_asked = True
            self._sessions.effects.append(Again())

    def go_on(self) -> None:
        """Take one step of the frame whose turn it is."""
        self._is_asked = False
        if not self.waiting:
            return
        work = self._queue.next(self._sessions.now_s)
        self._worked_for = (work.sender.user, work)
        try:
            if self._queue.is_too_costly(work):
                raise UpdateRefused(_TOO_COSTLY)
            next(work.steps)
        except StopIteration:
            self._queue.remove(work)
        except UpdateRefused as error:
            self._end(work, error)
        except DocumentPoisoned:  # its sender must not simply send it again
            self._sessions.refuse(work.sender.id, UpdateRefused(COULD_NOT_APPLY), counted=work.counted)
            raise

    def _end(self, work: Work, error: UpdateRefused) -> None:
        """Refuse the rest of a frame. What was taken of it stays; what its session sent after it is not taken."""
        self.release(work.held)
        self._sessions.refuse(work.sender.id, error, counted=work.counted)
        self._queue.remove_session(work.sender)

    # --- time ---------------------------------------------------------------------------------------

    def note_at_once(self, user: UserId) -> None:
        """Note that this step settled a frame of ``user`` outside of the turns."""
        self._worked_for = (user, None)

    def charge(self, seconds: float) -> None:
        """Take in how long the step took."""
        if self._worked_for is None:
            return
        (user, work), self._worked_for = self._worked_for, None
        self._queue.spend(user, work, seconds, self._sessions.now_s, on_slice=self._has_sliced)
        if self._has_sliced:
            self._pace.note(seconds)
            self._has_sliced = False

    # --- what is held back --------------------------------------------------------------------------

    def hold(self, held: HeldBack, update: InspectedUpdate) -> None:
        """Hold back a slice that is in the document now."""
        if not held:
            self._holding.append(held)
        held.add(update)
        self._has_sliced = True

    def release(self, held: HeldBack) -> None:
        """Log and show what was held back of one frame."""
        if held:
            self._holding = [each for each in self._holding if each is not held]
            self._accept(held)

    def release_mentioned(self, update: InspectedUpdate, but: HeldBack | None = None) -> None:
        """Log and show what was held back of other frames, if this update refers to it or repeats it."""
        for held in self._holding:
            if held is not but and finish(held.is_mentioned_by(update)):
                self.release(held)

    def release_repeated(self, update: InspectedUpdate, *, repeats_deletions: bool) -> Steps[None]:
        """Log and show all of which an update repeats something, in steps, so that it can be answered.

        ``repeats_deletions``: some of what it deletes was deleted before. That may be so only because of what is held
        back, which names no such deletion: a new value of a map deletes the one before it, and a type its children.
        """
        if repeats_deletions:
            self.release_all()
        for held in self._holding:  # what is held back from now on was not in the document, so it is not repeated
            if (yield from held.is_mentioned_by(update)):
                self.release(held)

    def release_all(self) -> None:
        """Log and show everything that was held back."""
        for held in self._holding:
            self.release(held)


COULD_NOT_APPLY = "The update could not be applied."
_TOO_COSTLY = "Taking in the update costs the server too much: copy what you wrote, and reload."
_TOO_MUCH_WAITS = "Too many of your edits wait for their turn; reconnect."
