"""The life of one room on this replica, from the first session that asks for it until it is forgotten."""

import asyncio
from enum import Enum, auto

from collab.ids import DocumentName
from collab.relay.base import RoomFrame
from collab.serve.host import Host

EARLY_FRAMES_MAX = 1000
"""Relay frames kept for a room that is loading. If more come, the store is asked instead."""


class RoomState(Enum):
    """Where a room stands. Its name is subscribed at the relay in every state, from a moment after ``LOADING``."""

    LOADING = auto()
    """One task subscribes and loads; every session that asks for the room waits for it."""
    OPEN = auto()
    """Sessions may join."""
    FAILED = auto()
    """The room has ended all its sessions. The next session loads it again, on the same subscription."""
    FORGETTING = auto()
    """It is being unsubscribed. A session that asks for it waits, and then has it loaded."""


TRANSITIONS: dict[RoomState, frozenset[RoomState]] = {
    RoomState.LOADING: frozenset((RoomState.OPEN,)),
    RoomState.OPEN: frozenset((RoomState.FAILED, RoomState.FORGETTING)),
    RoomState.FAILED: frozenset((RoomState.LOADING, RoomState.FORGETTING)),
    RoomState.FORGETTING: frozenset(),
}
"""What each state may become. A room is gone after ``FORGETTING``, and after ``LOADING`` if that fails."""


class RoomEntry:
    """The entry of one document in ``Rooms``. A new one is loading."""

    def __init__(self, name: DocumentName) -> None:
        self.name = name
        self.state = RoomState.LOADING
        self.loading: asyncio.Task[Host] | None = None
        """The task that loads it, while it is loading."""
        self.forgotten = asyncio.Event()
        """Set when it is gone after ``FORGETTING``."""
        self._host: Host | None = None
        self._frames: list[RoomFrame] = []
        self._lost_frames = False

    @property
    def host(self) -> Host:
        """The host of an open room."""
        assert self._host is not None
        return self._host

    def load_again(self) -> None:
        """Begin a new life after a failure."""
        self._become(RoomState.LOADING)

    def open(self, host: Host) -> list[RoomFrame]:
        """Let sessions join, and return the frames that came while the room was loading."""
        self._become(RoomState.OPEN)
        self._host, self.loading = host, None
        host.needs_catch_up = self._lost_frames
        frames, self._frames, self._lost_frames = self._frames, [], False
        return frames

    def fail(self) -> None:
        """Note that the room has failed."""
        self._become(RoomState.FAILED)
        self._host = None

    def forget(self) -> None:
        """Begin to forget the room."""
        self._become(RoomState.FORGETTING)

    def keep(self, frame: RoomFrame) -> None:
        """Keep a frame that came while the room is loading."""
        if len(self._frames) < EARLY_FRAMES_MAX:
            self._frames.append(frame)
        else:
            self._lost_frames = True

    def _become(self, state: RoomState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} cannot become {state}"
        self.state = state
