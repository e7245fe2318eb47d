"""One document on a Hocuspocus socket: performs what its state machine decides.

``DocumentSession`` says what to do about each message, token and timer. Here it is done: tokens are checked, the room
is joined, messages pass the gate of the live session. A denial is said in-band and the socket stays.
"""

import asyncio
from typing import Protocol, assert_never

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import (
    CollabError,
    KeysUnavailable,
    MissingDependencies,
    PeerError,
    PermissionDenied,
    RoomClosed,
    StoreUnavailable,
    TooLarge,
)
from collab.ids import document_name
from collab.observe.logs import get_logger
from collab.protocol.hocuspocus import SESSION_SEPARATOR, Hocuspocus
from collab.protocol.messages import Authenticated, Denied, Refused, Saved, TokenWanted
from collab.room.session import Session
from collab.serve.connection import Connection
from collab.serve.document_events import (
    AccessRevoked,
    Action,
    ChangeRole,
    CheckToken,
    Deliver,
    Delivered,
    Deny,
    Disconnected,
    Dismiss,
    DocumentMessage,
    Event,
    JoinRoom,
    KeysAway,
    LeaseExpired,
    LeaveRoom,
    Received,
    Renew,
    Reply,
    RoomEnded,
    RoomJoined,
    TimedOut,
    TokenAccepted,
    TokenRejected,
    WaitForKeys,
    WaitForToken,
    Work,
)
from collab.serve.document_session import DocumentSession, DocumentState
from collab.serve.jwks import COOLDOWN_S
from collab.serve.live_session import LiveSession
from collab.serve.parts import ServerParts
from collab.serve.preauth_buffer import PreAuthBuffer
from collab.serve.sink import EncodedMessage
from collab.serve.token_lease import TokenLease

log = get_logger("hocuspocus_document")

TOKEN_LEAD_S = 60.0
"""Seconds before its token expires at which a client is asked for a fresh one."""


class DismissedSession:
    """The sink of a session that was ended while its socket stays: only the answers to its own frames pass."""

    dialect = Hocuspocus.name

    def __init__(self, connection: Connection, address: str) -> None:
        self._connection = connection
        self._address = address

    def send(self, message: EncodedMessage) -> None:
        """Queue an answer for the client, and drop everything else."""
        if isinstance(message.message, Saved | Refused):
            self._connection.send_encoded(message, self._address)

    def end(self, error: CollabError) -> None:
        """Close the socket if the room is gone: there will be no more answers, and the client must start over.

        An update that never completed is no reason: the next session is asked for all that its client has.
        """
        if error.retryable and not isinstance(error, MissingDependencies):
            self._connection.end(error)


class Owner(Protocol):
    """The conversation that a document belongs to."""

    def changed(self, document: "HocuspocusDocument") -> None:
        """Take note of another state of the document. Raises CollabError when the whole socket must end."""


class HocuspocusDocument:
    """One document on one socket, and the sink of its session.

    A message in a room is handed over at once. What takes longer is done by a task that ends with it, so that one
    document holds up no other, and one on which nothing happens costs no task.
    """

    __slots__ = (
        "_connection",
        "_lease",
        "_live",
        "_machine",
        "_owner",
        "_parts",
        "_principal",
        "_synced",
        "_task",
        "_timer",
        "address",
    )

    dialect = Hocuspocus.name

    def __init__(
        self,
        address: str,
        parts: ServerParts,
        connection: Connection,
        buffer: PreAuthBuffer,
        principal: Principal | None,
        owner: Owner,
    ) -> None:
        """``principal``: from the token of the handshake, if there was one."""
        self.address = address
        self._parts = parts
        self._connection = connection
        self._principal = principal
        self._owner = owner
        self._machine = DocumentSession(buffer, has_principal=principal is not None)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._live: LiveSession | None = None
        self._synced: Session | None = None
        """The last session here, if its client had sent its SyncStep1: it does not send another."""
        self._lease = TokenLease(
            parts.timers, lead_s=TOKEN_LEAD_S, on_expired=self._expire, on_renewal_due=self._ask_for_token
        )

    @property
    def is_joined(self) -> bool:
        """True if the client is in the document's room."""
        return self._machine.state is DocumentState.JOINED

    @property
    def has_token(self) -> bool:
        """True if the client's token is good, or is not checked yet."""
        return self._machine.has_token

    @property
    def is_admitted(self) -> bool:
        """True if the client's token is good."""
        return self._machine.is_admitted

    @property
    def may_read(self) -> bool:
        """True if the next frame of the socket may be read."""
        return self._machine.may_read

    @property
    def has_left(self) -> bool:
        """True if the client has left the document."""
        return self._machine.has_left

    def receive(self, message: DocumentMessage, size: int) -> None:
        """Take a message. Raises CollabError when the whole socket must end."""
        self._tell(Received(message, size))

    def refuse_oversized(self) -> None:
        """Refuse an update that is too large: it ends the session, and the socket stays."""
        if (live := self._part()) is not None:
            self._connection.send(Refused(), self.address)
            live.leave(clean=False)
            self._tell(RoomEnded(TooLarge()))

    def take_waiting(self) -> list[Received]:
        """Take what the client has sent since it left."""
        return self._machine.take_waiting()

    def requeue(self, received: Received) -> None:
        """Take a message that an earlier document on the same address was sent after its client had left."""
        self._tell(received)

    @property
    def live(self) -> LiveSession | None:
        """The session in the room, while there is one."""
        return self._live

    def disconnect(self, *, clean: bool) -> None:
        """End the session, if there is one: the socket is closed."""
        self._step(Disconnected(clean))
        self._stop_timer()
        self._lease.cancel()
        if self._task is not None:
            self._task.cancel()

    # --- the sink of the session ------------------------------------------------------------------------

    def send(self, message: EncodedMessage) -> None:
        """Send the client a message."""
        self._connection.send_encoded(message, self.address)

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session. If trying again helps, the socket is closed for that."""
        if (live := self._part()) is not None:
            live.ended()
        if error.retryable:
            self._connection.end(error)
        else:
            self._happen(RoomEnded(error))

    # --- the state machine ------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        """Step, and begin the work that the machine asks for. Raises CollabError when the whole socket must end."""
        if (work := self._step(event)) is not None:
            self._task = asyncio.create_task(self._run(work), name=f"document {self.address!r}")
        self._owner.changed(self)

    def _happen(self, event: Event) -> None:
        """Step for an event that no frame of the client brought."""
        try:
            self._tell(event)
        except CollabError as error:
            self._connection.end(error)

    def _step(self, event: Event) -> Work | None:
        """Perform what the machine decides, and return the work that it asks for."""
        while True:
            work: Work | Deliver | None = None
            for action in self._machine.step(event):
                if isinstance(action, CheckToken | JoinRoom | WaitForKeys | Deliver):
                    work = action
                self._perform(action)
            if not isinstance(work, Deliver):
                return work
            event = Delivered(self._live is not None and self._live.say(work.message))

    def _perform(self, action: Action) -> None:
        match action:
            case CheckToken() | JoinRoom() | Deliver():
                pass
            case WaitForKeys():
                self._set_timer(COOLDOWN_S)
            case WaitForToken():
                self._set_timer(self._parts.limits.preauth_s)
            case Reply(message):
                self._connection.send(message, self.address)
            case Deny(error):
                log.info("denied", address=self.address, reason=error.slug)
                self._connection.send(Denied(error.reason), self.address)
            case Renew() | ChangeRole() | Dismiss() | LeaveRoom():
                if self._live is not None:  # the room may have ended the session a moment ago
                    self._change(self._live, action)
            case _:
                assert_never(action)

    def _change(self, live: LiveSession, action: Renew | ChangeRole | Dismiss | LeaveRoom) -> None:
        match action:
            case Renew(permit):
                self._lease.renew(permit.principal)
                live.follow(permit)
            case ChangeRole(can_write, name):
                live.change_role(can_write=can_write, name=name)
            case Dismiss(clean):
                self._part()
                live.dismiss(DismissedSession(self._connection, self.address), clean=clean)
            case LeaveRoom(clean):
                self._part()
                live.leave(clean=clean)
            case _:
                assert_never(action)

    def _part(self) -> LiveSession | None:
        live, self._live = self._live, None
        if live is not None and live.session.is_synced:
            self._synced = live.session
        return live

    # --- work -------------------------------------------------------------------------------------------

    async def _run(self, work: Work | None) -> None:
        """Do one piece of work after another, until there is none. What goes wrong ends the socket."""
        try:
            while work is not None:
                work = await self._do(work)
                self._owner.changed(self)
        except CollabError as error:
            self._connection.end(error)
        except Exception:
            log.exception("document_crashed", address=self.address)
            self._connection.end(RoomClosed())

    async def _do(self, work: Work) -> Work | None:
        """Do the work, and return what comes next. Raises TransientError when the document cannot be had."""
        match work:
            case CheckToken(token):
                return self._step(await self._check(token))
            case JoinRoom(grant):
                try:
                    await self._join(grant)
                except PeerError as error:
                    return self._step(TokenRejected(error))
                return self._step(RoomJoined())
            case WaitForKeys():
                return None  # its timer is running
            case _:
                assert_never(work)

    async def _check(self, token: str) -> TokenAccepted | TokenRejected | KeysAway:
        try:
            principal = await self._identify(token)
            name = document_name(self.address.split(SESSION_SEPARATOR, 1)[0])
            return TokenAccepted(await self._parts.authenticator.permit(principal, name))
        except (KeysUnavailable, StoreUnavailable) as error:
            if self._live is not None:
                log.info("token_not_checked", address=self.address)
            elif isinstance(error, StoreUnavailable):
                raise  # the document cannot be opened either
            return KeysAway()
        except PeerError as error:
            return TokenRejected(error)

    async def _identify(self, token: str) -> Principal:
        """Return the principal of the token. An empty one stands for the token of the handshake."""
        if not token and self._principal is not None:
            return self._principal
        return await self._parts.authenticator.principal(token)

    async def _join(self, grant: TokenAccepted) -> None:
        permit, principal = grant.permit, grant.permit.principal
        session = Session(self._parts.next_session(), principal.user, principal.name, permit.can_write)
        if self._synced is not None:
            session.acks_next_step2 = self._synced.acks_next_step2
        self._live = await LiveSession.join(
            self._parts,
            permit.document,
            session,
            self,
            self._lease,
            resumes=self._synced is not None,
            # Opening the document may have taken longer than the token lasts.
            check=lambda: self._parts.authenticator.require_current(principal),
            on_role=self._change_role,
        )
        self._connection.stats.set_context(permit.document, session.user)

    def _change_role(self, role: Role | None) -> None:
        """Tell the client what it may do from now on."""
        if role is None:
            self._happen(AccessRevoked(PermissionDenied("You have no access to this document any more.")))
        else:
            self._connection.send(Authenticated(role.can_write), self.address)

    # --- time -------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        self._happen(LeaseExpired())

    def _ask_for_token(self) -> None:
        self._connection.send(TokenWanted(), self.address)

    def _set_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._happen, TimedOut())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
