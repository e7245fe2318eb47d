"""The parts of a running server that every connection and every REST write uses, in one object."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from collab.ids import SessionId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.serve.authenticator import Authenticator
from collab.serve.heartbeat import Heartbeat
from collab.serve.live_roles import LiveRoles
from collab.serve.log_writer import LogWriter
from collab.serve.open_connections import OpenConnections
from collab.serve.rooms import Rooms
from collab.serve.timer_queue import TimerQueue


@dataclass(frozen=True, slots=True)
class ServerParts:
    """What a session needs on its way to a room: may it enter, which room, may it be read now, until when."""

    rooms: Rooms
    log_writer: LogWriter
    timers: TimerQueue
    authenticator: Authenticator
    live_roles: LiveRoles
    limits: ServerLimits
    metrics: Metrics
    connections: OpenConnections
    heartbeat: Heartbeat
    _session_ids: Iterator[int] = field(default_factory=lambda: count(1), init=False, repr=False)

    def next_session(self) -> SessionId:
        """Return a session id that this process has not used before."""
        return SessionId(next(self._session_ids))
