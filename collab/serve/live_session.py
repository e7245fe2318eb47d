"""A client's session in a room, and the one gate that its messages pass on their way there.

A message is handed to the room only while the session's token is good. Both wire dialects and REST write through this
gate. That the log has space for more is seen to before a message is read (``connection``).
"""

from collections.abc import Callable

from collab.access.roles import Role
from collab.ids import DocumentName
from collab.room.events import Congested, Dismissed, Drained, Event, FellBehind, Left, RoleChanged, RoomMessage
from collab.room.session import Session
from collab.serve.host import Host
from collab.serve.live_roles import LiveRoles
from collab.serve.parts import ServerParts
from collab.serve.permit import Permit
from collab.serve.sink import Sink
from collab.serve.token_lease import TokenLease


class LiveSession:
    """A session from the moment it joins a room until it leaves, is dismissed, or is ended by the room."""

    __slots__ = ("_host", "_is_over", "_lease", "_on_role", "_roles", "session")

    def __init__(
        self,
        host: Host,
        session: Session,
        lease: TokenLease,
        roles: LiveRoles,
        on_role: Callable[[Role | None], None] | None = None,
    ) -> None:
        """``on_role``: take note that the user may write now, or no longer; None: that the user has no role left."""
        self.session = session
        self._host = host
        self._lease = lease
        self._roles = roles
        self._on_role = on_role
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
        on_role: Callable[[Role | None], None] | None = None,
    ) -> "LiveSession":
        """Open the document and begin the session in it. Raises what ``Rooms.join`` and ``check`` raise."""
        host = await parts.rooms.join(name, session, sink, resumes=resumes, check=check)
        return cls(host, session, lease, parts.live_roles, on_role)

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

    def follow(self, permit: Permit) -> None:
        """Have the session change its role when the document is shared otherwise than for this permit."""
        if not self._is_over:
            self._roles.follow(self, permit)

    def role_changed(self, role: Role | None) -> None:
        """Go on with this role; None: with none, so the conversation must end the session."""
        can_write = role is not None and role.can_write
        if role is not None and can_write == self.session.can_write:
            return
        self.change_role(can_write=can_write, name=None)  # also for updates that are still pending
        if self._on_role is not None:
            self._on_role(role)

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
        self._roles.forget(self, self._host.name)
        return was_live
