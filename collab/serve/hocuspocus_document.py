"""One document on a socket of a Hocuspocus provider: let in by its token, heard in order, and left in any moment.

It stands between the socket's conversation (``hocuspocus``), which gives it what is said for its document, and the
document's host. A denial is said in-band. A token that is about to end is asked for again; one that has ended is a
denial like any other, and what its client says meanwhile waits for the next good token, as at the beginning.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import assert_never

from collab.access.tokens import Principal
from collab.errors import (
    CollabError,
    KeysUnavailable,
    MissingDependencies,
    Overloaded,
    PeerError,
    PermissionDenied,
    TokenExpired,
    TokenMissing,
)
from collab.ids import DocumentName, document_name
from collab.limits import ServerLimits
from collab.observe.logs import get_logger
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import (
    Authenticate,
    Authenticated,
    AwarenessUpdate,
    Closed,
    Denied,
    FromClient,
    FromServer,
    Leave,
    Pong,
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    TokenWanted,
    Unknown,
    Update,
)
from collab.room.events import Dismissed, Left, RoleChanged, Said
from collab.room.session import Session
from collab.serve.connection import Connection
from collab.serve.host import Host
from collab.serve.jwks import COOLDOWN_S
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.token_lease import TokenLease

log = get_logger("channel")

TOKEN_LEAD_S = 60.0
"""Seconds before its token expires at which a client is asked for a fresh one."""

SESSION_SEPARATOR = "\0"
"""Between the document's name and a session id, in an address of a provider with session awareness."""


class PreAuthBuffer:
    """What was said on one socket before its documents were authenticated: bounded over all of them."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._frames = 0
        self._bytes = 0

    def take(self, size: int) -> None:
        """One more frame waits. Raises Overloaded at the bound."""
        self._frames += 1
        self._bytes += size
        if self._frames > self._limits.preauth_frames_max or self._bytes > self._limits.preauth_bytes_max:
            raise Overloaded("Too much was sent before the token; reconnect.")

    def give_back(self, size: int) -> None:
        """One frame waits no longer."""
        self._frames -= 1
        self._bytes -= size


class DismissedSession:
    """The outlet of a session that was ended with the socket kept: only the answers to its own frames pass."""

    dialect = Hocuspocus.name

    def __init__(self, connection: Connection, address: str) -> None:
        self._connection = connection
        self._address = address

    def send(self, message: EncodedMessage) -> None:
        """From the host."""
        if isinstance(message.message, Saved | Refused):
            self._connection.deliver(message, self._address)

    def end(self, error: CollabError) -> None:
        """From the host. When its room is gone there will be no more answers, and the client must start over.

        That something never completed is no reason: the next session is asked for all its client has.
        """
        if error.retryable and not isinstance(error, MissingDependencies):
            self._connection.end(error)


class HocuspocusDocument:
    """One document on one socket. Is the outlet of its session.

    ``run`` is the channel's task: it lets the client in and hears what waited. From then on, what comes is heard
    by the socket's reader itself (``take``) unless the task is still at it: the order is always that of arrival.
    """

    dialect = Hocuspocus.name

    def __init__(
        self,
        address: str,
        *,
        parts: ServerParts,
        connection: Connection,
        early: PreAuthBuffer,
        principal: Principal | None,
    ) -> None:
        self.address = address
        self._connection = connection
        self._early = early
        self._principal = principal
        self._parts = parts
        self._authenticator = parts.authenticator
        self._waiting: deque[tuple[FromClient, int]] = deque()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._host: Host | None = None
        self._session: Session | None = None
        self._lease = TokenLease(
            parts.timers,
            lead_s=TOKEN_LEAD_S,
            on_wanted=lambda: self._say(TokenWanted()),
            on_over=self._expire,
        )
        self._earlier: Session | None = None
        """The last session on this socket, if its client had sent its SyncStep1: it does not send another."""
        self._was_denied = False
        self._left = False
        self.has_token = principal is not None
        """A token came that is good, or was not looked at yet. Without one a document only costs."""
        self._client_version: str | None = None

    @property
    def is_joined(self) -> bool:
        """Whether the client is in the document's room."""
        return self._host is not None

    @property
    def has_more(self) -> bool:
        """Whether something waits to be heard."""
        return bool(self._waiting)

    def continue_after(self, other: "HocuspocusDocument") -> None:
        """Begin with what was said on the same address after the client had left."""
        self._waiting = other._waiting
        self.has_token |= any(isinstance(message, Authenticate) for message, _ in self._waiting)

    async def take(self, message: FromClient, size: int) -> None:
        """From the socket's reader. Once in the room, returns when it has been heard: no frame is read before."""
        if self._host is not None and self._idle.is_set() and not isinstance(message, Authenticate | Leave):
            await self._hear(message, size)
            return
        self._early.take(size)
        if isinstance(message, Authenticate):
            self.has_token = True
        self._waiting.append((message, size))
        self._idle.clear()
        self._changed.set()
        if self._host is not None:
            await self._idle.wait()

    async def run(self) -> None:
        """Until the client leaves the document. Raises what the whole socket must end for."""
        try:
            if self._principal is not None and not any(isinstance(m, Authenticate) for m, _ in self._waiting):
                await self._try_admit("")
            while not self._left:
                await self._enter()
                await self._stay()
        finally:
            self.leave()  # first: only a client that said so has left on purpose
            self._left = True
            self._idle.set()

    def leave(self) -> None:
        """The session is over, if there is one: the client has left, or its socket has."""
        host, session = self._part()
        if host is not None and session is not None:
            host.tell(Left(session.id, clean=self._left or self._connection.clean))

    def _dismiss(self, *, clean: bool = False) -> None:
        """The session is over, if there is one, and the client is still there. ``clean``: for somebody else."""
        host, session = self._part()
        if host is not None and session is not None:
            host.tell(Dismissed(session.id, clean), DismissedSession(self._connection, self.address))
        self._changed.set()

    def _part(self) -> tuple[Host | None, Session | None]:
        host, session, self._host, self._session = self._host, self._session, None, None
        if session is not None and session.is_synced:
            self._earlier = session
        self._lease.drop()
        self._idle.set()  # the socket's reader may wait for this channel, and the next token must be read
        return host, session

    def _expire(self) -> None:
        """The token has ended, and no fresh one came in time."""
        self._deny(TokenExpired())
        self._dismiss()

    # --- before the room ----------------------------------------------------------------------------

    async def _enter(self) -> None:
        """Wait for a token that is good enough; what else is said meanwhile waits, in order."""
        while self._host is None and not self._left:
            message = await self._next_token()
            if message is None:
                self._depart()
            else:
                self._client_version = message.client_version
                try:
                    await self._try_admit(message.token)
                except KeysUnavailable:
                    await self._wait_for_keys(message)

    async def _next_token(self) -> Authenticate | None:
        """The next Authenticate, taken out of what waits. None when the client leaves instead."""
        patience_s = None if self._was_denied else self._connection.limits.preauth_s
        while True:
            for index, (message, size) in enumerate(self._waiting):
                if isinstance(message, Authenticate):
                    del self._waiting[index]
                    self._early.give_back(size)
                    return message
                if isinstance(message, Leave):
                    self._forget(index + 1)
                    return None
            self._changed.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._changed.wait()
            except TimeoutError:
                self._deny(TokenMissing())
                patience_s = None  # said once; the client may still send one

    async def _wait_for_keys(self, unchecked: Authenticate) -> None:
        """Try the same token again in a while, unless the client sends another, or leaves.

        To end the socket would end its other documents as well, once a second for as long as the issuer is away.
        """
        if not self._has_decision:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(COOLDOWN_S):
                    await self._changed.wait()
        if not self._has_decision:
            size = len(unchecked.token)
            self._early.take(size)
            self._waiting.appendleft((unchecked, size))

    @property
    def _has_decision(self) -> bool:
        """Whether a token or a farewell is among what waits."""
        return any(isinstance(message, Authenticate | Leave) for message, _ in self._waiting)

    def _forget(self, number: int) -> None:
        """So many of the messages that wait will not be heard: the client has left without being let in."""
        for _ in range(number):
            _, size = self._waiting.popleft()
            self._early.give_back(size)

    async def _try_admit(self, token: str) -> bool:
        """Let the token's owner in, or deny them in-band.

        Raises TransientError when the document, or the keys, cannot be had.

        While nobody can tell whether the token is good, a session goes on by the one before it, and is asked again.
        """
        try:
            await self._admit(await self._identify(token))
        except KeysUnavailable:
            if self._session is None:
                raise
            log.info("token_not_checked", address=self.address)
        except PeerError as error:
            if isinstance(error, PermissionDenied) and self._host is not None and self._session is not None:
                # Nor may what it has sent already and what waits for others.
                self._host.tell(RoleChanged(self._session.id, can_write=False, name=self._session.name))
            self._deny(error)
            return False
        return True

    def _deny(self, error: CollabError) -> None:
        log.info("denied", address=self.address, reason=error.slug)
        self._was_denied = True
        self.has_token = False
        self._say(Denied(error.reason))

    async def _identify(self, token: str) -> Principal:
        """An empty token stands for the one of the handshake, if that had one."""
        if not token and self._principal is not None:
            return self._principal
        return await self._authenticator.principal(token)

    async def _admit(self, principal: Principal) -> None:
        name = document_name(self.address.split(SESSION_SEPARATOR, 1)[0])
        can_write = self._authenticator.may_write(principal, name)
        self._say(Authenticated(can_write))
        if self._host is not None and self._session is not None and self._session.user == principal.user:
            self._host.tell(RoleChanged(self._session.id, can_write=can_write, name=principal.name))
        else:
            self._dismiss(clean=True)  # what is said from now on must not stand under another's name
            await self._join(name, principal, can_write=can_write)
        self._lease.rest_on(principal)

    async def _join(self, name: DocumentName, principal: Principal, *, can_write: bool) -> None:
        session = Session(self._parts.next_session(), principal.user, principal.name, can_write)
        if self._earlier is not None:
            session.acks_next_step2 = self._earlier.acks_next_step2
        host = await self._parts.rooms.join(
            name,
            session,
            self,
            resumes=self._earlier is not None,
            # Opening the document may take longer than the token lasts.
            check=lambda: self._authenticator.may_write(principal, name),
        )
        self._session, self._host = session, host
        self._connection.account.names(name, session.user)
        self._idle.clear()  # what waits comes before what is read from now on

    # --- in the room --------------------------------------------------------------------------------

    async def _stay(self) -> None:
        """Hear what waits, then wait for what only this task may do: tokens and leaving."""
        while self._host is not None:
            if not self._waiting:
                self._idle.set()
                self._changed.clear()
                await self._changed.wait()
                continue
            message, size = self._waiting.popleft()
            self._early.give_back(size)
            match message:
                case Leave():
                    self._depart()
                    return
                case Authenticate(token):
                    if not await self._try_admit(token):
                        self._dismiss()
                case _:
                    await self._hear(message, size)

    async def _hear(self, message: FromClient, size: int) -> None:
        """Hand a message to the room, if the session is still there when its turn has come; else it waits, first."""
        match message:
            case SyncStep1() | SyncStep2() | Update() | AwarenessUpdate() | QueryAwareness() | Stateless():
                await self._parts.log_writer.writable()
                await self._connection.wait_writable()
                if self._lease.is_over:
                    self._lease.end()
                if self._host is not None and self._session is not None:
                    self._host.tell(Said(self._session.id, message))
                else:
                    self._early.take(size)
                    self._waiting.appendleft((message, size))
            case Authenticate() | Leave() | Pong() | Unknown():
                pass
            case _:
                assert_never(message)

    def _depart(self) -> None:
        """The client has left. Only providers that know the answer get one: version 2 throws on it."""
        self._left = True
        if self._client_version is not None:
            self._say(Closed("provider_initiated"))

    # --- outlet -------------------------------------------------------------------------------------

    def send(self, message: EncodedMessage) -> None:
        """From the host: a message for this client."""
        self._connection.deliver(message, self.address)

    def end(self, error: CollabError) -> None:
        """From the host: the session is over. For what passes, the socket is closed and the client comes back."""
        if error.retryable:
            self._connection.end(error)
            return
        self._part()
        self._deny(error)
        self._changed.set()

    def _say(self, message: FromServer) -> None:
        self._connection.say(message, self.address)
