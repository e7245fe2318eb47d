"""The sessions of one room, their presence, and everything the room says: one list of effects for each step.

An answer to a frame is held back until everything accepted before it is committed (``uncommitted``). What all sessions
are shown, updates and presence, passes through the batching window (``window``). Everything else is said at once.
"""

from collections.abc import Callable, Iterable, Iterator

from collab.crdt.update import InspectedUpdate
from collab.errors import CollabError, Overloaded
from collab.ids import SessionId, WriterId
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate, FromServer, Refused, Saved, Update
from collab.protocol.presence import PresenceEntry
from collab.room.awareness import Awareness, in_messages
from collab.room.effects import Effect, End, EndWindowAt, PublishPresence, Send
from collab.room.session import Session, SessionState
from collab.room.uncommitted import UncommittedQueue
from collab.room.window import Gathered, Window, WindowLengths

PENDING_ACKS_MAX = 4096
"""Answers that one session may have waiting for the log, when it sends what adds nothing to it."""


class Sessions:
    """The sessions that have one document open on this replica."""

    def __init__(self, uncommitted: UncommittedQueue, window: WindowLengths) -> None:
        self._uncommitted = uncommitted
        self.window = Window(window)
        """What was shown and not sent yet."""
        self._sessions: dict[SessionId, Session] = {}
        self.dismissed: set[SessionId] = set()
        """Sessions that still wait for answers."""
        self.awareness = Awareness()
        self.effects: list[Effect] = []
        """What this step has decided so far."""
        self.now_s = 0.0

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def begin_step(self, now_s: float) -> list[Effect]:
        """Begin a new list of effects and return it."""
        self.now_s = now_s
        self.effects = []
        return self.effects

    def get(self, session: SessionId) -> Session | None:
        """Return a session, or None once it has ended."""
        return self._sessions.get(session)

    # --- joining and leaving ------------------------------------------------------------------------

    def join(self, session: Session) -> None:
        """Add a session and tell it who is here."""
        assert session.id not in self._sessions
        self._sessions[session.id] = session
        self.tell_of(session.id, self.awareness.entries())

    def leave(self, session: SessionId, *, clean: bool, error: CollabError | None = None) -> None:
        """Forget a session. What it wrote stays on its way to the log. Leaving twice is normal."""
        if self._sessions.pop(session, None) is not None:
            self.dismissed.discard(session)
            self._uncommitted.forget(session)
            self.effects.append(End(session, error))
            self.tell_presence(self.awareness.leave(session, self.now_s, clean=clean))

    def end(self, session: SessionId, error: CollabError) -> None:
        """End a session for this reason."""
        self.leave(session, clean=False, error=error)

    def dismiss(self, session: SessionId, *, clean: bool) -> None:
        """Send a session nothing but the answers it waits for. Its presence goes as when it leaves."""
        if (dismissed := self._sessions.get(session)) is not None:
            dismissed.become(SessionState.DISMISSED)
            self.dismissed.add(session)
            self.tell_presence(self.awareness.leave(session, self.now_s, clean=clean))

    def release_dismissed(self, has_pending_update: Callable[[SessionId], bool]) -> None:
        """Forget the dismissed sessions that have all their answers."""
        for session in list(self.dismissed):
            if not self._uncommitted.pending_acks(session) and not has_pending_update(session):
                self.leave(session, clean=False)

    def change_role(self, session: SessionId, *, can_write: bool, name: str) -> None:
        """Give a session another role and name, from now on."""
        if (changed := self._sessions.get(session)) is not None:
            changed.can_write, changed.name = can_write, name
            self._publish_presence(self.awareness.change_role(changed))

    # --- saying -------------------------------------------------------------------------------------

    def send(self, session: SessionId, message: FromServer) -> None:
        """Send a message to one session."""
        self.effects.append(Send((session,), message))

    def show(self, update: InspectedUpdate, *, author: SessionId | None = None) -> None:
        """Have an update sent to every synced session but its author when the window ends."""
        self.window.add(update, author)

    def end_step(self) -> None:
        """Send what was shown if the window is over, or ask for its end."""
        if self.window.is_over(self.now_s, len(self._sessions)):
            self.send_shown()
        if self.window.is_filled and (end_s := self.window.end_to_await(self.now_s, len(self._sessions))) is not None:
            self.effects.append(EndWindowAt(end_s))

    def end_window(self) -> None:
        """Send what was shown: the end that was asked for has come."""
        self.window.note_end()
        if self.window.is_filled:
            self.send_shown()

    def send_shown(self) -> None:
        """Send what was shown since the last time. Sessions that wrote nothing of it share their messages."""
        gathered = self.window.take(self.now_s, len(self._sessions))
        if (only := gathered.only) is not None:
            update, author = only
            self._send_updates(tuple(self._synced(except_for=author)), [update.payload])
        else:
            self._send_many(gathered)
        if gathered.presence:
            hearing = tuple([session.id for session in self._sessions.values() if session.hears_presence])
            if hearing:
                self.effects += [Send(hearing, message) for message in in_messages(gathered.presence)]

    def _send_many(self, gathered: Gathered) -> None:
        synced, authors = self._synced(), gathered.authors
        self._send_updates(tuple([each for each in synced if each not in authors]), gathered.updates())
        for author in authors.intersection(synced):
            self._send_updates((author,), gathered.updates(author))

    def _synced(self, *, except_for: SessionId | None = None) -> list[SessionId]:
        synced = SessionState.SYNCED
        return [each.id for each in self._sessions.values() if each.state is synced and each.id != except_for]

    def _send_updates(self, sessions: tuple[SessionId, ...], updates: Iterable[bytes]) -> None:
        if sessions:
            self.effects += [Send(sessions, Update(update)) for update in updates]

    def answer(self, session: SessionId, answer: Saved | Refused, *, adds: bool = False) -> None:
        """Answer a frame once everything accepted before it is committed, if its session is still here.

        ``adds``: the frame added to the log, so its answer is bounded as the unsaved bytes are. Any other is bounded by
        number.

        What the frame repeats may not be committed yet itself, and a session's answers keep the order of its frames.
        """
        if session not in self._sessions:
            return
        if self._uncommitted.is_durable:
            self.send(session, answer)
        elif not adds and self._uncommitted.pending_acks(session) >= PENDING_ACKS_MAX:
            self.end(session, Overloaded("Too much that you sent waits to be saved; reconnect."))
        else:
            self._uncommitted.add_pending_ack(session, answer)

    def refuse(self, session: SessionId, error: CollabError, *, counted: bool) -> None:
        """Refuse a frame and end its session, if it is still here. ``counted``: its client waits for the answer."""
        if session in self._sessions:
            if counted:
                self.send(session, Refused())
            self.end(session, error)

    def answer_query(self, session: SessionId) -> None:
        """Tell a session who is here. A question is answered also when there is nobody."""
        here = self.awareness.entries()
        if here:
            self.tell_of(session, here)
        else:
            self.send(session, AwarenessUpdate(()))

    # --- presence -----------------------------------------------------------------------------------

    def tell_of(self, session: SessionId, entries: Iterable[AwarenessEntry]) -> None:
        """Tell one session of these states."""
        for message in in_messages(entries):
            self.send(session, message)

    def receive_awareness(self, sender: Session, entries: tuple[AwarenessEntry, ...]) -> None:
        """Take in what a session says of the clients it carries."""
        self.tell_presence(self.awareness.receive(sender, entries, self.now_s))

    def receive_presence(self, replica: WriterId, entries: tuple[PresenceEntry, ...], *, is_query: bool) -> None:
        """Take in what another replica says of its clients. With ``is_query``, tell it of ours."""
        self._show_presence(self.awareness.receive_from_replica(replica, entries, self.now_s))
        if is_query:
            self._publish_presence(self.awareness.local_entries())

    def lose_replica(self, replica: WriterId) -> None:
        """Remove the clients of a replica that is gone. Each replica notices that by itself."""
        self._show_presence(self.awareness.lose_replica(replica, self.now_s))

    def expire_presence(self) -> None:
        """Remove the presence of clients that did not come back."""
        self.tell_presence(self.awareness.expire(self.now_s))

    def tell_presence(self, changed: tuple[PresenceEntry, ...]) -> None:
        """Tell every session and every replica. The sender too: clients take the echo as a sign of life."""
        self._show_presence(changed)
        self._publish_presence(changed)

    def _show_presence(self, changed: tuple[PresenceEntry, ...]) -> None:
        self.window.add_presence(each.entry for each in changed)

    def _publish_presence(self, entries: tuple[PresenceEntry, ...]) -> None:
        if entries:
            self.effects.append(PublishPresence(entries))
