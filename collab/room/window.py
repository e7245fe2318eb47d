"""What a room shows its sessions is gathered for a moment, so that many edits cost each reader one message.

The window is a leading-edge one. A room that was quiet shows an edit at the end of the very step that brought it, so
people who type now and then see no delay. What comes within the length of the window after that waits for its end and
goes out merged. In a room of a few sessions the length is 0, and only what one step brings is merged.

Of each client only its newest presence waits. A session's own updates are left out of what it is sent: newer clients of
y-websocket take the return of their own content as the word that it is saved, which it may not be yet.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from collab.crdt.merge import merge_updates
from collab.crdt.update import InspectedUpdate
from collab.ids import ClientId, SessionId
from collab.protocol.messages import AwarenessEntry

WAITING_BYTES_MAX = 1 << 20
"""Bytes of updates that may wait. With more, the window ends at once; by then merging saves little."""


PRESENCE_BYTES_PER_S_MAX = 128 << 20
"""Bytes of presence that a room sends to all its sessions together. At the bound it tells of changes less often. Five
hundred people who move a cursor once a second take 50 MB."""


PRESENCE_PAUSE_S_MIN = 0.01
"""A shorter pause after presence is left out: it would cost a timer and save nothing."""


@dataclass(frozen=True, slots=True)
class WindowLengths:
    """How long a window lasts, by the number of sessions in the room."""

    length_s: float = 0.020
    """With 0 nothing waits for another step, however many sessions there are."""
    large_length_s: float = 0.050
    sessions_min: int = 9
    """With fewer sessions the length is 0."""
    large_sessions_min: int = 201

    def for_sessions(self, sessions: int) -> float:
        """Return the length of a window in a room with this many sessions."""
        if sessions < self.sessions_min or not self.length_s:
            return 0.0
        return self.length_s if sessions < self.large_sessions_min else self.large_length_s


_Shown: TypeAlias = tuple[InspectedUpdate, SessionId | None]
"""An update and its author, who is not sent it; None if everybody is."""


class Window:
    """The updates and the presence of one room that its sessions have not been sent yet."""

    def __init__(self, lengths: WindowLengths) -> None:
        self._lengths = lengths
        self._groups: list[list[_Shown]] = [[]]
        """Updates in order. Those of one group may be merged."""
        self._bytes = 0
        self._presence: dict[ClientId, AwarenessEntry] = {}
        self._began_s = -math.inf
        """When the sessions were sent something last, which began the window that is open now."""
        self.is_filled = False
        """True if something waits for the end of the window."""
        self._is_awaited = False
        """True if that end has been asked for."""
        self._presence_from_s = -math.inf
        """When presence may be sent again."""
        self.told_s = -math.inf
        """Until when the sessions have been told of every change of presence."""

    def add(self, update: InspectedUpdate, author: SessionId | None) -> None:
        """Have an update shown to every session but its author."""
        self._groups[-1].append((update, author))
        self._bytes += len(update.payload)
        self.is_filled = True

    def divide(self) -> None:
        """Merge nothing that is here with what comes after.

        A merged update deletes last. Where a deletion must be seen before something else, it goes out before it.
        """
        if self._groups[-1]:
            self._groups.append([])

    def add_presence(self, entries: Iterable[AwarenessEntry]) -> None:
        """Have every session told of these states, unless newer ones come in time."""
        for entry in entries:
            self._presence.pop(entry.client, None)
            self._presence[entry.client] = entry
            self.is_filled = True

    def first_clocks(self, reader: SessionId) -> dict[int, int]:
        """Return for each client the first clock that ``reader`` has not been sent yet."""
        clocks: dict[int, int] = {}
        for update, author in reversed([shown for group in self._groups for shown in group]):
            if author != reader:
                clocks.update((struct.client, struct.clock) for struct in reversed(update.structs))
        return clocks

    # --- its end --------------------------------------------------------------------------------------

    def is_over(self, now_s: float, sessions: int) -> bool:
        """Return True if something that is here should go out now."""
        return now_s >= self._end_s(sessions) or self._bytes > WAITING_BYTES_MAX

    def _end_s(self, sessions: int) -> float:
        end_s = self._began_s + self._lengths.for_sessions(sessions)
        return end_s if self._bytes else max(end_s, self._presence_from_s)

    def end_to_await(self, now_s: float, sessions: int) -> float | None:
        """Return when the window ends, or None if that was asked before.

        It is never more than a window ahead: an edit may come while presence alone waits, and needs no other timer.
        """
        if self._is_awaited:
            return None
        self._is_awaited = True
        return min(
            self._end_s(sessions), now_s + (self._lengths.for_sessions(sessions) or self._lengths.large_length_s)
        )

    def note_end(self) -> None:
        """Note that the awaited end has come."""
        self._is_awaited = False

    def take(self, now_s: float, sessions: int) -> "Gathered":
        """Take out what may be sent to so many sessions, and begin a new window."""
        gathered = Gathered(self._groups, self._take_presence(now_s, sessions))
        if self._bytes or gathered.presence:
            self._began_s = now_s
        self._groups, self._bytes, self.is_filled = [[]], 0, bool(self._presence)
        return gathered

    def _take_presence(self, now_s: float, sessions: int) -> tuple[AwarenessEntry, ...]:
        if now_s < self._presence_from_s:
            return ()
        self.told_s = now_s
        if not self._presence:
            return ()
        presence = tuple(self._presence.values())
        pause_s = sum([len(entry.state) for entry in presence]) * sessions / PRESENCE_BYTES_PER_S_MAX
        if pause_s >= PRESENCE_PAUSE_S_MIN:
            self._presence_from_s = now_s + pause_s
        self._presence = {}
        return presence


class Gathered:
    """What a window has gathered."""

    __slots__ = ("_groups", "presence")

    def __init__(self, groups: list[list[_Shown]], presence: tuple[AwarenessEntry, ...]) -> None:
        self._groups = groups
        self.presence = presence
        """The newest state of each client that has changed."""

    @property
    def only(self) -> _Shown | None:
        """The update and its author, if there is exactly one: while people type now and then, there mostly is."""
        groups = self._groups
        return groups[0][0] if len(groups) == 1 and len(groups[0]) == 1 else None

    @property
    def authors(self) -> set[SessionId]:
        """The sessions that wrote something of it."""
        return {author for group in self._groups for _, author in group if author is not None}

    def updates(self, reader: SessionId | None = None) -> Iterator[bytes]:
        """Yield all updates merged as far as they may be, without those that ``reader`` wrote."""
        for group in self._groups:
            yield from merge_updates(update for update, author in group if reader is None or author != reader)
