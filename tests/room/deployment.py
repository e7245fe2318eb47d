"""The rooms of one document on several replicas, with one log.

No message gets lost and no replica crashes here; ``tests/network.py`` simulates that.
"""

from collections import Counter, deque
from collections.abc import Iterable

from collab.errors import CollabError
from collab.ids import Epoch, Sequence, SessionId, WriterId
from collab.protocol.messages import Saved, SyncStep1, SyncStep2, Update
from collab.protocol.rows import CommittedRow, decode_entries
from collab.room.effects import CatchUp, Effect, End, Fail, Publish, Send
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.room.build import a_room, a_session


class RoomDeployment:
    """One room per replica over one log. It records every update that a session sends or receives."""

    def __init__(self, replicas: int) -> None:
        self.rooms = [a_room(writer=WriterId(number)) for number in range(replicas)]
        self.log: list[CommittedRow] = []
        self.heard: dict[int, list[bytes]] = {}
        """The updates that each session sent or received, in that order."""
        self.unanswered: Counter[int] = Counter()
        """Number of frames of each session that its client counts and the room has not acknowledged."""
        self.ended: list[CollabError] = []
        """The errors that ended sessions."""
        self._owes_step2: set[int] = set()
        self._inboxes: list[deque[CommittedRow]] = [deque() for _ in self.rooms]
        self._wants_rows: set[int] = set()

    @property
    def logged(self) -> list[bytes]:
        """Every update in the log, in order."""
        return [entry.update for row in self.log for entry in decode_entries(row.payload)]

    def join(self, session: int, replica: int, *, has: bytes = EMPTY_STATE_VECTOR) -> None:
        """Connect a client, which sends its SyncStep1."""
        self.heard.setdefault(session, [])
        self._owes_step2.add(session)
        room = self.rooms[replica]
        self._perform(room.join(a_session(session, synced=False)), replica)
        self._perform(room.receive(SessionId(session), SyncStep1(has), 0.0), replica)

    def leave(self, session: int, replica: int) -> None:
        self._perform(self.rooms[replica].leave(SessionId(session), 0.0, clean=True), replica)

    def say(self, message: Update | SyncStep2, session: int, replica: int) -> None:
        """Deliver a message of a client."""
        resync = isinstance(message, SyncStep2)
        if not resync or session in self._owes_step2:
            self.unanswered[session] += 1
        if resync:
            self._owes_step2.discard(session)
        self.heard[session].append(message.update)
        self._perform(self.rooms[replica].receive(SessionId(session), message, 0.0), replica)

    def tick(self, now_s: float) -> None:
        for replica, room in enumerate(self.rooms):
            self._perform(room.tick(now_s), replica)

    def step(self, replica: int) -> bool:
        """Do one thing that a replica has to do. Return False if there is none."""
        room = self.rooms[replica]
        if self._inboxes[replica]:
            effects = room.receive_row(self._inboxes[replica].popleft(), Epoch(0))
        elif replica in self._wants_rows:
            self._wants_rows.remove(replica)
            effects = room.receive_rows(self.log[room.cursor :], after=room.cursor)
        elif (row := room.next_row()) is not None:
            seq = Sequence(len(self.log) + 1)
            self.log.append(CommittedRow(seq, row.writer, row.n, row.payload))
            effects = room.appended(seq)
        else:
            return False
        self._perform(effects, replica)
        return True

    def settle(self) -> None:
        """Take steps until no replica has anything left to do."""
        while any(self.step(replica) for replica in range(len(self.rooms))):
            pass

    def _perform(self, effects: Iterable[Effect], replica: int) -> None:
        for effect in effects:
            match effect:
                case Send(sessions, Update(update) | SyncStep2(update)):
                    for session in sessions:
                        self.heard[session].append(update)
                case Send(sessions, Saved()):
                    self.unanswered.subtract(sessions)
                case Publish(row):
                    for other, inbox in enumerate(self._inboxes):
                        if other != replica:
                            inbox.append(row)
                case CatchUp():
                    self._wants_rows.add(replica)
                case End(_, error) if error is not None:
                    self.ended.append(error)
                case Fail(error):
                    raise error
                case _:
                    pass
