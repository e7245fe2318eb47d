"""A client's session in a room, and the one gate that its messages pass on their way there.

A message is handed to the room only while the session's token is good. Both wire dialects and REST write through this
gate. That the log has space for more is seen to before a message is read (``connection``).
"""

from collections.abc import Callable

from collab.ids import DocumentName
from collab.room.events import Congested, Dismissed, Drained, Event, FellBehind, Left, RoleChanged, RoomMessage
from collab.room.session import Session
from collab.serve.host import Host
from collab.serve.parts import ServerParts
from collab.serve.sink import Sink
from collab.serve.token_lease import TokenLease


class LiveSession:
    """A session from the moment it joins a room until it leaves, is dismissed, or is ended by the room."""

    __slots__ = ("_host", "_is_over", "_lease", "session")

    def __init__(self, host: Host, session: Session, lease: TokenLease) -> None:
        self.session = session
        self._host = host
        self._lease = lease
        self._is_over = False

    @classmethod
    async def join(
        cls,
        parts: ServerParts,
        name: DocumentName,
        session: Session,
        sink: Sink,
        lease: TokenLease,
        *,
        resumes: bool = False,
        check: Callable[[], object] = lambda: None,
    ) -> "LiveSession":
        """Open the document and begin the session in it. Raises what ``Rooms.join`` and ``check`` raise."""
        host = await parts.rooms.join(name, session, sink, resumes=resumes, check=check)
        return cls(host, session, lease)

    def say(self, message: RoomMessage) -> bool:
        """Hand a message to the room. False if the session was over by then.

        Raises ProtocolError when the content of the message is malformed.
        """
        if self._lease.has_expired:
            self._lease.expire()
            return False
        if self._is_over:
            return False
        self._host.hear(self.session.id, message)
        return True

    def congested(self) -> None:
        """Tell the room that the client does not take what it is sent."""
        self._tell(Congested(self.session.id))

    def fell_behind(self, waiting_bytes: int) -> None:
        """Tell the room that more of it waits than may."""
        self._tell(FellBehind(self.session.id, waiting_bytes))

    def drained(self) -> None:
        """Tell the room that the client has taken it."""
        self._tell(Drained(self.session.id))

    def _tell(self, event: Event) -> None:
        if not self._is_over:
            self._host.tell(event)

    def change_role(self, *, can_write: bool, name: str | None) -> None:
        """Let the session go on with another role. ``name``: the user's new name, or None to keep it."""
        self._host.tell(RoleChanged(self.session.id, can_write, self.session.name if name is None else name))

    def dismiss(self, sink: Sink, *, clean: bool) -> None:
        """End the session while its connection stays. Answers to its frames still go to ``sink``."""
        if self._finish():
            self._host.tell(Dismissed(self.session.id, clean), sink)

    def leave(self, *, clean: bool) -> None:
        """End the session. ``clean``: the client meant to leave, so its presence ends at once."""
        if self._finish():
            self._host.tell(Left(self.session.id, clean))

    def ended(self) -> None:
        """Note that the room has ended the session."""
        self._finish()

    def _finish(self) -> bool:
        was_live, self._is_over = not self._is_over, True
        self._lease.cancel()
        return was_live
