"""The work that large and costly updates make, and whose turn it is.

One event loop serves everybody, and one update may take seconds. So it is worked on in steps, each bounded by what it
handles, and between them the shell lets other things happen. The room has no clock: it is told how long a step took
(``Room.charge``). That time counts against the user who sent the update, and fades.

* A user who has used up a *stretch* waits for turns with every frame, also with small ones.
* It is the turn of whoever has used least. So a person with one large update is done before those who send many.
* A frame that took more time than its size can explain is refused. What was taken of it stays.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakSet

from collab.crdt.slices import SLICE_STRUCTS_MAX, SliceSize
from collab.ids import SessionId, UserId
from collab.room.held_back import HeldBack
from collab.room.session import Session

SECONDS_PER_BYTE = 4e-6
"""Seconds that each byte of a frame may take on top of the limit: two to ten times what an honest one does."""

SECONDS_PER_STRUCT = 5e-5
"""Seconds that each struct or deletion may take to go into the document, on top of the limit: five times what an honest
one does. A frame whose slices cost more and more is refused by this, however many bytes it has left."""

STEP_S_MAX = 0.5
"""The most seconds that one step is charged with. A machine that was suspended meanwhile must cost nobody an edit."""

FULL_ROOMS_MAX = 4
"""How many rooms' worth of bytes may wait on one replica."""

REMEMBERED_USERS = 1000
"""Users after which those are forgotten whose time has faded."""


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """How much time updates may take."""

    at_once_bytes_max: int = 4096
    """The largest frame that is read at once: some hundreds of structs. A keystroke takes 30 bytes."""
    slice_structs_max: int = SLICE_STRUCTS_MAX
    slice_jumps_max: int = 8
    """The most jumps of one slice (``crdt/slices``). The costliest known takes the engine up to 8 ms, in a text of
    10 MB in one piece."""
    stretch_s: float = 0.05
    """Seconds that one user may use before others are served in between."""
    frame_s_max: float = 2.0
    """Seconds after which an update is refused, beside what its size allows."""
    fade_s_per_s: float = 0.2
    """Seconds of a user's time that are forgotten each second."""
    bytes_max: int = 64 << 20
    """Bytes of frames that may wait for their turn in one room."""
    frames_max: int = 65_536
    """Frames of one user that may wait for their turn in one room. People do not type so fast, but an application that
    replays a history sends thousands in one breath."""


class WorkTimes:
    """How much time each user has used lately, in all rooms of a replica."""

    def __init__(self, limits: WorkLimits) -> None:
        self.limits = limits
        self._used: dict[UserId, tuple[float, float]] = {}
        """User → seconds, and when that was so."""
        self._queues: WeakSet[WorkQueue] = WeakSet()
        """Those in which something waits. A room that fails is gone with all that waits there."""

    def used_s(self, user: UserId, now_s: float) -> float:
        """Return the seconds that a user has used and that have not faded yet."""
        used_s, at_s = self._used.get(user, (0.0, now_s))
        return max(0.0, used_s - (now_s - at_s) * self.limits.fade_s_per_s)

    def note_waiting(self, queue: "WorkQueue") -> None:
        """Note that frames wait in the queue of a room, or no longer."""
        if queue:
            self._queues.add(queue)
        else:
            self._queues.discard(queue)

    def has_space_for(self, size: int) -> bool:
        """Return True unless so much waits in all rooms that a large frame must be sent again later."""
        waiting = sum(queue.bytes for queue in self._queues)
        return not waiting or waiting + size <= FULL_ROOMS_MAX * self.limits.bytes_max

    def spend(self, user: UserId, seconds: float, now_s: float) -> None:
        """Note that work for a user took so long."""
        self._used[user] = (self.used_s(user, now_s) + seconds, now_s)
        if len(self._used) > REMEMBERED_USERS:
            faded = [each for each in self._used if not self.used_s(each, now_s)]
            for each in faded:
                del self._used[each]


@dataclass(slots=True)
class Work:
    """One frame that is worked on in steps."""

    sender: Session
    size: int
    """Bytes of the frame."""
    steps: Iterator[None]
    counted: bool
    """True if its client waits for the answer."""
    held: HeldBack
    """What of it is in the document and neither logged nor shown yet."""
    spent_s: float = 0.0
    sliced_s: float = 0.0
    """The part of it in which slices went into the document."""


class WorkQueue:
    """The frames of one room that wait for their turn, or for its continuation.

    A session's frames keep their order; users take turns.
    """

    def __init__(self, times: WorkTimes) -> None:
        self._times = times
        self.users: dict[UserId, deque[Work]] = {}
        self._sessions: Counter[SessionId] = Counter()
        self.bytes = 0
        """Bytes of the frames that wait."""
        self._turn: UserId | None = None
        """The user whose turn it is, until the stretch is over or the work done."""
        self._stretch_s = 0.0

    def __bool__(self) -> bool:
        return bool(self.users)

    def __iter__(self) -> Iterator[Work]:
        for works in self.users.values():
            yield from works

    def is_full_for(self, sender: Session, size: int) -> bool:
        """Return True if there is no space for one more frame."""
        limits = self._times.limits
        if len(self.users.get(sender.user, ())) >= limits.frames_max:
            return True
        if self.bytes > 0 and self.bytes + size > limits.bytes_max:
            return True
        return size > limits.at_once_bytes_max and not self._times.has_space_for(size)

    def must_wait(self, sender: Session, now_s: float) -> bool:
        """Return True if a frame must wait for its turn: its user has had a stretch, or its session has one waiting."""
        if self._times.used_s(sender.user, now_s) > self._times.limits.stretch_s:
            return True
        return bool(self.users) and self.has_session(sender.id)

    def has_session(self, session: SessionId) -> bool:
        """Return True if a frame of this session waits."""
        return session in self._sessions

    def has_unanswered(self, session: SessionId) -> bool:
        """Return True if a frame of this session waits whose answer its client waits for."""
        return self.has_session(session) and any(work.counted and work.sender.id == session for work in self)

    def is_too_costly(self, work: Work) -> bool:
        """Return True if a frame took more time than its size, or what was taken of it, can explain."""
        frame_s_max = self._times.limits.frame_s_max
        return (
            work.spent_s > frame_s_max + work.size * SECONDS_PER_BYTE
            or work.sliced_s > frame_s_max + work.held.taken * SECONDS_PER_STRUCT
        )

    def add(self, work: Work) -> None:
        """Have a frame wait for its turn."""
        self.users.setdefault(work.sender.user, deque()).append(work)
        self._sessions[work.sender.id] += 1
        self.bytes += work.size
        self._times.note_waiting(self)

    def next(self, now_s: float) -> Work:
        """Return the frame to be worked on. The queue is not empty."""
        if self._turn not in self.users or self._stretch_s > self._times.limits.stretch_s:
            self._turn = min(self.users, key=lambda user: self._times.used_s(user, now_s))
            self._stretch_s = 0.0
        return self.users[self._turn][0]

    def remove(self, work: Work) -> None:
        """Take out a frame that is done or refused."""
        works = self.users[work.sender.user]
        assert works[0] is work, "a user's frames keep their order"
        works.popleft()
        self._forget(work)
        if not works:
            del self.users[work.sender.user]
            self._times.note_waiting(self)

    def remove_session(self, sender: Session) -> None:
        """Take out every frame of a session that was refused."""
        works = self.users.pop(sender.user)
        for work in works:
            if work.sender.id == sender.id:
                self._forget(work)
        if kept := deque(work for work in works if work.sender.id != sender.id):
            self.users[sender.user] = kept
        self._times.note_waiting(self)

    def _forget(self, work: Work) -> None:
        self.bytes -= work.size
        self._sessions[work.sender.id] -= 1
        if not self._sessions[work.sender.id]:
            del self._sessions[work.sender.id]

    def spend(self, user: UserId, work: Work | None, seconds: float, now_s: float, *, on_slice: bool) -> None:
        """Note that a step took so long. ``work``: the frame that it worked on, unless it was settled at once."""
        seconds = min(seconds, STEP_S_MAX)
        self._times.spend(user, seconds, now_s)
        if work is not None:
            work.spent_s += seconds
            work.sliced_s += seconds if on_slice else 0.0
            self._stretch_s += seconds


SLICE_S = 0.004
"""Seconds that a slice should take at most."""


class Pace:
    """How large the next slice is, by how long the last took: smaller at once after a slow one, larger slowly."""

    def __init__(self, limits: WorkLimits) -> None:
        self._limits = limits
        self._jump_s = SLICE_S / 2
        """Seconds that a jump may take, from what slices have taken so far."""
        self.size = SliceSize(limits.slice_structs_max, min(2, limits.slice_jumps_max))

    def note(self, seconds: float) -> None:
        """Take in how long the last slice took."""
        jump_s = seconds / self.size.jumps
        self._jump_s = max(jump_s, self._jump_s * 0.9 + jump_s * 0.1)
        jumps = min(max(1, int(SLICE_S / max(self._jump_s, 1e-6))), self._limits.slice_jumps_max)
        structs = self.size.structs * 2 if seconds < SLICE_S else self.size.structs // 2
        structs = min(max(1, structs), self._limits.slice_structs_max)
        if (structs, jumps) != (self.size.structs, self.size.jumps):
            self.size = SliceSize(structs, jumps)
