"""The life of one document on a Hocuspocus socket, as a state machine without I/O.

A client may send a token, edits and a farewell in one breath, while the server still checks the token or loads the
document. ``DocumentSession`` decides what happens in which order: ``step`` takes an event and returns actions, and
``HocuspocusDocument`` performs them. At most one action at a time is work that takes a while (``Work``) or hands over a
message; its result comes back as an event. Messages that cannot go to the room yet wait here, in order of arrival.
"""

from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from typing import assert_never

from collab.errors import CollabError, PeerError, PermissionDenied, TokenExpired, TokenMissing
from collab.ids import UserId
from collab.protocol.messages import Authenticate, Authenticated, Closed, Leave
from collab.room.events import RoomMessage
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
from collab.serve.preauth_buffer import PreAuthBuffer


class DocumentState(Enum):
    """Where a document on a socket stands."""

    AWAITING_TOKEN = auto()
    """No token was sent yet."""
    JOINING = auto()
    """A token is being checked, or the document is being opened."""
    JOINED = auto()
    """The client has a session in the document's room."""
    DENIED = auto()
    """The client was told that its token is missing, bad or expired; it may send another."""
    LEFT = auto()
    """The client has left the document, or its socket is closed."""


class DocumentSession:
    """One document on one socket. ``has_principal``: the handshake came with a good token."""

    __slots__ = (
        "_buffer",
        "_client_version",
        "_delivery_size",
        "_has_principal",
        "_user",
        "_waiting",
        "_work",
        "state",
    )

    def __init__(self, buffer: PreAuthBuffer, *, has_principal: bool) -> None:
        self.state = DocumentState.AWAITING_TOKEN
        self._buffer = buffer
        self._has_principal = has_principal
        self._waiting: deque[tuple[DocumentMessage, int]] = deque()
        self._work: Work | Deliver | None = None
        self._delivery_size = 0
        self._user: UserId | None = None
        self._client_version: str | None = None

    @property
    def has_left(self) -> bool:
        """True if the client has left the document, or its socket is closed."""
        return self.state is DocumentState.LEFT

    @property
    def has_token(self) -> bool:
        """True if the client's token is good, or is not checked yet. Without one a document only costs."""
        return self.state in (DocumentState.JOINING, DocumentState.JOINED)

    @property
    def is_admitted(self) -> bool:
        """True if the client's token is good."""
        return self.state is DocumentState.JOINED or isinstance(self._work, JoinRoom)

    @property
    def may_read(self) -> bool:
        """True if the next frame may be read: in a room, nothing is read while a fresh token is being checked."""
        return self.state is not DocumentState.JOINED or self._work is None

    def take_waiting(self) -> list[Received]:
        """Take what the client has sent since it left: it may have opened the document again."""
        rest = [Received(message, size) for message, size in self._waiting]
        self._drop_waiting(len(rest))
        return rest

    def step(self, event: Event) -> tuple[Action, ...]:
        """Return what is to be done about the event, in order. Raises Overloaded when too much waits."""
        return tuple(self._react(event))

    def _react(self, event: Event) -> Iterator[Action]:
        match event:
            case Received(message, size):
                yield from self._receive(message, size)
            case Disconnected(clean):
                yield from self._disconnect(clean)
            case LeaseExpired():
                yield from self._lose_session(TokenExpired())
            case AccessRevoked(error):
                yield from self._lose_session(error)
            case RoomEnded(error):
                yield from self._end(error)
            case TimedOut():
                yield from self._time_out()
            case TokenAccepted() | TokenRejected() | KeysAway() | RoomJoined() | Delivered():
                yield from self._finish(event)
            case _:
                assert_never(event)

    # --- what happens by itself -------------------------------------------------------------------------

    def _receive(self, message: DocumentMessage, size: int) -> Iterator[Action]:
        if self._is_free and not isinstance(message, Authenticate | Leave):
            yield self._start_delivery(message, size)
            return
        self._buffer.add(size)
        self._waiting.append((message, size))
        match self.state:
            case DocumentState.AWAITING_TOKEN:
                yield from self._receive_first(message)
            case DocumentState.JOINING if isinstance(self._work, WaitForKeys):
                self._work = None
                if isinstance(message, Authenticate | Leave):
                    self._drop_waiting(1)  # the token that could not be checked: the client has moved on
                yield from self._go_on()
            case DocumentState.JOINING | DocumentState.JOINED | DocumentState.DENIED:
                yield from self._go_on()
            case DocumentState.LEFT:
                pass

    @property
    def _is_free(self) -> bool:
        """True if the next message for the room need not wait."""
        return self.state is DocumentState.JOINED and self._work is None and not self._waiting

    def _receive_first(self, message: DocumentMessage) -> Iterator[Action]:
        if isinstance(message, Authenticate | Leave):
            yield from self._go_on()
        elif self._has_principal:
            yield self._start(CheckToken(""), DocumentState.JOINING)
        elif len(self._waiting) == 1:
            yield WaitForToken()

    def _disconnect(self, clean: bool) -> Iterator[Action]:
        if self.state is DocumentState.JOINED:
            yield LeaveRoom(clean)
        self.state = DocumentState.LEFT

    def _lose_session(self, error: PeerError) -> Iterator[Action]:
        if self.state is DocumentState.JOINED:
            yield from self._deny(error)
            yield Dismiss(clean=False)
            yield from self._go_on()

    def _end(self, error: CollabError) -> Iterator[Action]:
        if self.state is DocumentState.JOINED:
            yield from self._deny(error)
            yield from self._go_on()

    def _time_out(self) -> Iterator[Action]:
        if self.state is DocumentState.AWAITING_TOKEN:
            yield from self._deny(TokenMissing())
        elif self.state is DocumentState.JOINING and isinstance(self._work, WaitForKeys):
            self._work = None
            yield from self._go_on()

    # --- results of work --------------------------------------------------------------------------------

    def _finish(self, result: TokenAccepted | TokenRejected | KeysAway | RoomJoined | Delivered) -> Iterator[Action]:
        if self.state is DocumentState.LEFT:
            return
        work, self._work = self._work, None
        match work, result:
            case CheckToken(), TokenAccepted():
                yield from self._accept(result)
            case CheckToken() | JoinRoom(), TokenRejected(error):
                yield from self._reject(error)
            case CheckToken(token), KeysAway():
                yield from self._put_off(token)
            case JoinRoom(grant), RoomJoined():
                self.state = DocumentState.JOINED
                self._user = grant.permit.principal.user
                yield Renew(grant.permit)
            case Deliver(message), Delivered(heard):
                if not heard:
                    self._requeue(message, self._delivery_size)
            case _:
                raise AssertionError(f"{result} is no result of {work}")
        yield from self._go_on()

    def _accept(self, grant: TokenAccepted) -> Iterator[Action]:
        permit, principal = grant.permit, grant.permit.principal
        yield Reply(Authenticated(permit.can_write))
        if self.state is DocumentState.JOINED and principal.user == self._user:
            yield Renew(permit)
            yield ChangeRole(permit.can_write, principal.name)
            return
        if self.state is DocumentState.JOINED:
            yield Dismiss(clean=True)  # what comes from now on must not stand under the other user's name
        yield self._start(JoinRoom(grant), DocumentState.JOINING)

    def _reject(self, error: PeerError) -> Iterator[Action]:
        was_joined = self.state is DocumentState.JOINED
        if was_joined and isinstance(error, PermissionDenied):
            yield ChangeRole(can_write=False)  # updates that are still pending may not be written either
        yield from self._deny(error)
        if was_joined:
            yield Dismiss(clean=False)

    def _put_off(self, token: str) -> Iterator[Action]:
        """Check the token again in a while. A session goes on by the token before it, and is asked again in time.

        To close the socket instead would end its other documents too, once a second while the issuer is away.
        """
        if self.state is DocumentState.JOINED or self._decision() is not None:
            return
        self._requeue(Authenticate(token, self._client_version), len(token))
        yield self._start(WaitForKeys(), DocumentState.JOINING)

    # --- what waits -------------------------------------------------------------------------------------

    def _go_on(self) -> Iterator[Action]:
        """Begin with what waits, unless work is under way."""
        if self._work is not None:
            return
        if self.state is DocumentState.JOINED:
            if self._waiting:
                yield from self._take(0)
        elif self.state is not DocumentState.LEFT and (index := self._decision()) is not None:
            yield from self._take(index)

    def _take(self, index: int) -> Iterator[Action]:
        """Act on a message that waits. In a room it is the first; before, the first token or farewell."""
        message, size = self._waiting[index]
        match message:
            case Leave():
                was_joined = self.state is DocumentState.JOINED
                self._drop_waiting(index + 1)
                self.state = DocumentState.LEFT
                if self._client_version is not None:  # version 2 of the provider does not know the answer
                    yield Reply(Closed("provider_initiated"))
                if was_joined:
                    yield LeaveRoom(clean=True)
            case Authenticate(token, version):
                del self._waiting[index]
                self._buffer.remove(size)
                if self.state is DocumentState.JOINED:
                    yield self._start(CheckToken(token), DocumentState.JOINED)
                else:
                    self._client_version = version
                    yield self._start(CheckToken(token), DocumentState.JOINING)
            case _:
                self._drop_waiting(1)
                yield self._start_delivery(message, size)

    def _decision(self) -> int | None:
        """Return the index of the first token or farewell that waits."""
        return next((n for n, (each, _) in enumerate(self._waiting) if isinstance(each, Authenticate | Leave)), None)

    def _requeue(self, message: DocumentMessage, size: int) -> None:
        self._buffer.add(size)
        self._waiting.appendleft((message, size))

    def _drop_waiting(self, number: int) -> None:
        for _ in range(number):
            _, size = self._waiting.popleft()
            self._buffer.remove(size)

    # --- changes of state -------------------------------------------------------------------------------

    def _start(self, work: Work, state: DocumentState) -> Work:
        self._work, self.state = work, state
        return work

    def _start_delivery(self, message: RoomMessage, size: int) -> Deliver:
        self._work, self._delivery_size = Deliver(message), size
        return self._work

    def _deny(self, error: CollabError) -> Iterator[Action]:
        self.state = DocumentState.DENIED
        yield Deny(error)
