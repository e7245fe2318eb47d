"""Sessions whose clients take less than they are sent: a reader who does not read costs a buffer, and no more.

There are two steps. Once something waits in memory (``Congested``), the session is told of no presence. Once more
waits than may (``FellBehind``), it is sent no updates either: it lags, and only a state vector is kept of what it has.
Answers to its own frames go on. When its client has taken what waited (``Drained``), it is sent all that it has missed
as one update, and the presence that has changed. A client that does not get there in time is cut off.

Nobody else is held up by any of this.
"""

import sys
from dataclasses import dataclass

from collab.crdt.document import Document
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.errors import TooSlow
from collab.ids import SessionId
from collab.protocol.messages import EMPTY_UPDATE, Update
from collab.room.session import Lag, Session, SessionState
from collab.room.sessions import Sessions

BYTES_PER_S_MIN = 64 * 1024
"""A client that takes so many bytes a second has time for all that waits, even for a large document."""


@dataclass(frozen=True, slots=True)
class LagLimits:
    """How long a session may lag."""

    s_max: float = 60.0

    def ends_s(self, now_s: float, waiting_bytes: int) -> float:
        """Return when a session that falls behind now must have caught up."""
        return now_s + max(self.s_max, waiting_bytes / BYTES_PER_S_MIN)


class SlowReaders:
    """What a room does about clients that do not read."""

    def __init__(self, document: Document, sessions: Sessions, limits: LagLimits) -> None:
        self._document = document
        self._sessions = sessions
        self._limits = limits
        self._lagging: set[SessionId] = set()

    def congest(self, session_id: SessionId) -> None:
        """Tell a session of no more presence."""
        session = self._sessions.get(session_id)
        if session is not None and session.congested_since_s is None:
            # What has changed since the last window has not been sent yet.
            session.congested_since_s = self._sessions.window.told_s

    def fall_behind(self, session_id: SessionId, waiting_bytes: int) -> None:
        """Send a session no more updates, and remember what it has."""
        self.congest(session_id)
        session = self._sessions.get(session_id)
        if session is not None and session.state is SessionState.SYNCED:
            ends_s = self._limits.ends_s(self._sessions.now_s, waiting_bytes)
            session.lag = Lag(ends_s, self._state_sent_to(session_id))
            session.become(SessionState.LAGGING)
            self._lagging.add(session_id)

    def _state_sent_to(self, session: SessionId) -> bytes:
        waiting = self._sessions.window.first_clocks(session)
        return encode_state_vector({**self._document.state, **waiting})

    def drain(self, session_id: SessionId) -> None:
        """Send a session all that it has missed."""
        session = self._sessions.get(session_id)
        if session is None or session.congested_since_s is None:
            return
        if session.state is SessionState.LAGGING:
            self._catch_up(session)
        since_s, session.congested_since_s = session.congested_since_s, None
        if session.hears_presence:
            self._sessions.tell_of(session_id, self._sessions.awareness.changed_since(since_s))

    def _catch_up(self, session: Session) -> None:
        lag, session.lag = session.lag, None
        assert lag is not None
        has = decode_state_vector(lag.has, entries_max=sys.maxsize)
        for client, clock in lag.wrote.items():
            has[client] = max(clock, has.get(client, 0))
        if (missed := self._document.diff(has)) != EMPTY_UPDATE:
            self._sessions.send(session.id, Update(missed))
        session.become(SessionState.SYNCED)
        self._lagging.discard(session.id)

    def note_sent_all(self, session: Session) -> None:
        """Note that a session was just sent everything that the document has, because it asked."""
        if session.lag is None:
            session.become(SessionState.SYNCED)
        else:
            session.lag.has = encode_state_vector(self._document.state)
            session.lag.wrote.clear()

    def end_overdue(self) -> None:
        """End every session that has not caught up in time."""
        for session_id in list(self._lagging):
            session = self._sessions.get(session_id)
            if session is None or session.lag is None or session.state is not SessionState.LAGGING:
                self._lagging.discard(session_id)
            elif self._sessions.now_s > session.lag.ends_s:
                self._sessions.end(session_id, TooSlow())
