"""One client on one document, through one connection: what it may do, and how far the conversation has come."""

from dataclasses import dataclass, field
from enum import Enum, auto

from collab.crdt.update import Id, InspectedUpdate
from collab.ids import ClientId, SessionId, UserId


class SessionState(Enum):
    """The life of a session. It is over once the room has forgotten it."""

    JOINED = auto()
    """It has sent no SyncStep1 yet, so it is sent no updates: without what they build on, clients that use pycrdt would
    lose the text."""
    SYNCED = auto()
    """It has sent a SyncStep1, so it is sent every update from there on."""
    LAGGING = auto()
    """Its client does not take what it is sent. It is sent no update until it has, and then all it has missed."""
    DISMISSED = auto()
    """The server has ended it and kept its socket: it is sent only the answers that it still waits for."""


TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    SessionState.JOINED: frozenset((SessionState.SYNCED, SessionState.DISMISSED)),
    SessionState.SYNCED: frozenset((SessionState.SYNCED, SessionState.LAGGING, SessionState.DISMISSED)),
    SessionState.LAGGING: frozenset((SessionState.SYNCED, SessionState.DISMISSED)),
    SessionState.DISMISSED: frozenset((SessionState.DISMISSED,)),
}
"""What each state may become. From every state the session may also end."""


@dataclass(slots=True)
class Lag:
    """What is kept of a session while it lags, beside what its connection has not sent yet."""

    ends_s: float
    """When the session ends if it has not caught up."""
    has: bytes
    """The state vector of all that it was sent."""
    wrote: dict[int, int] = field(default_factory=dict)
    """Client id → the end of what it has sent us since. It is told that this is saved, and sent nothing else of it."""

    def note_written(self, update: InspectedUpdate) -> None:
        """Note that the session has written this."""
        for struct in update.structs:
            self.wrote[struct.client] = struct.clock + struct.length


@dataclass(slots=True)
class Session:
    """One client on one document, through one connection."""

    id: SessionId
    user: UserId
    name: str
    can_write: bool

    queues_incomplete: bool = True
    """True if an update that arrives before its predecessors waits for them. For a REST request it is refused at once
    and nothing of it is kept, since the caller must be able to rely on a refusal."""

    state: SessionState = SessionState.JOINED

    step1_outstanding: bool = False
    """A SyncStep1 of ours is not answered yet. There is never more than one."""

    acks_next_step2: bool = False
    """The client sent a SyncStep1, so it counts its next SyncStep2 and waits for an acknowledgement. A SyncStep2 that
    answers any other SyncStep1 of ours gets none, or the client's counter of unsaved changes would fall below zero."""

    congested_since_s: float | None = None
    """Set while its client does not take what it is sent: since when it is told of no presence."""

    lag: Lag | None = None
    """Set while it is ``LAGGING``."""

    lacks: Id | None = None
    """The id that was missing when an update of this session was given up; it is asked again once that has arrived."""

    wants_size: bool = False
    """True if its client asked to be told when the document is nearly full."""

    client_id: ClientId | None = None
    """The client of its first awareness message. Later messages may be about others: echoes of what it received."""

    clients_added: int = 0
    """Number of client ids that this session introduced through awareness."""

    @property
    def has_client_id(self) -> bool:
        """True if it has sent an awareness state."""
        return self.client_id is not None

    @property
    def is_synced(self) -> bool:
        """True if its client has sent its SyncStep1, and so will not send another by itself."""
        return self.state in (SessionState.SYNCED, SessionState.LAGGING)

    @property
    def hears_presence(self) -> bool:
        """True if it is told of every change of presence."""
        return self.congested_since_s is None and self.state is not SessionState.DISMISSED

    def become(self, state: SessionState) -> None:
        """Change the state, as ``TRANSITIONS`` allows."""
        assert state in TRANSITIONS[self.state], f"{self.state} cannot become {state}"
        self.state = state
