"""The running server: owns every part, starts them in order, stops them in stages.

Start: open the store, open the relay, start the background tasks. Stop: let nobody in and hear nobody any more →
commit what was accepted, and say so → end the connections, who will come back to another replica (all this is
``drain``) → stop the tasks → close relay and store.
A background task that dies of a bug is logged and started again: a server without its writer would accept
edits and never save them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from types import TracebackType
from typing import Protocol, Self

from collab.access.tokens import Principal, TokenVerifier
from collab.errors import CollabError, Draining
from collab.ids import DocumentName, UserId
from collab.observe.logs import get_logger
from collab.room.session import Session
from collab.serve import tasks
from collab.serve.authenticator import Authenticator
from collab.serve.compactor import Compactor
from collab.serve.connection import FLUSH_S_MAX, Socket
from collab.serve.gauges import connect_gauges
from collab.serve.hocuspocus import HocuspocusConversation
from collab.serve.jwks import JwksClient
from collab.serve.log_sync import LogSync
from collab.serve.log_writer import LogWriter
from collab.serve.parts import ServerParts
from collab.serve.readiness import Readiness
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms
from collab.serve.timer_queue import TimerQueue
from collab.serve.ywebsocket import YWebsocketConversation

log = get_logger("server")

GOODBYE_S_MAX = FLUSH_S_MAX + 1.0
"""How long the connections may take to end: each flushes its last frames, side by side."""

COMPACT_S = 10.0
"""How often the log is searched for documents to compact."""

PRESENCE_S = 0.1
"""How often changes of presence are sent to the other replicas."""

LAG_CHECK_S = 0.25
"""How often it is looked how late the event loop is."""

RESTART_S = 1.0
"""How long a background task that died stays down."""


class Conversation(Protocol):
    """One connection, as far as its end is concerned."""

    def end(self, error: CollabError) -> None:
        """End it for this reason, once what it was told before has gone out."""


class Server:
    """``async with Server(…)``: everything between a socket and the database."""

    def __init__(
        self,
        replica: Replica,
        verifier: TokenVerifier,
        *,
        published: JwksClient | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        clock = time.monotonic
        self.store = replica.store
        self.relay = replica.relay
        self.limits = replica.limits
        self.metrics = replica.metrics
        self.timers = TimerQueue(wall_clock)
        self.authenticator = Authenticator(verifier, wall_clock=wall_clock, published=published)
        self._published = published
        self.log_writer = LogWriter(self.store, self.limits, clock=clock, metrics=self.metrics)
        self.readiness = Readiness(self.store, clock=clock)
        self.compactor = Compactor(self.store, interval_s=COMPACT_S, metrics=self.metrics)
        self.rooms = Rooms(replica, self.log_writer, clock=clock, on_left=self.compactor.left)
        connect_gauges(self.metrics, rooms=self.rooms, log_writer=self.log_writer, relay=self.relay)
        self._log_sync = LogSync(replica, self.rooms)
        self.parts = ServerParts(
            self.rooms, self.log_writer, self.timers, self.authenticator, self.limits, self.metrics
        )
        self._stack = AsyncExitStack()
        self._conversations: set[Conversation] = set()
        self._deserted = asyncio.Event()
        self._deserted.set()
        self._draining: asyncio.Task[None] | None = None
        self.is_running = False
        """Whether sessions are accepted."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.relay.open(self.rooms)
            stack.push_async_callback(self.relay.close)
            running = [
                asyncio.create_task(self._keep_running(work), name=name)
                for name, work in (
                    *((("issuer", self._published.run),) if self._published is not None else ()),
                    ("persister", self.log_writer.run),
                    ("deadlines", self.timers.run),
                    ("healer", self._log_sync.run),
                    ("compactor", self.compactor.run),
                    ("presence", self._publish_presence),
                    ("ticker", self._tick),
                    ("lag", self._measure_lag),
                )
            ]
            stack.push_async_callback(tasks.end, running)
            stack.push_async_callback(self._drain_last)
            self._stack = stack.pop_all()
        self.is_running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_running = False
        await self._stack.aclose()

    async def serve_ywebsocket(self, socket: Socket, name: DocumentName, principal: Principal) -> int:
        """One y-websocket connection, until it ends. Its close code."""
        conversation = self._ywebsocket(socket, name, principal.user)
        with self._under_way(conversation):
            try:
                can_write = self.authenticator.may_write(principal, name)
            except CollabError as error:
                return await conversation.refuse(error)
            session = Session(self.parts.next_session(), principal.user, principal.name, can_write)
            return await conversation.run(name, session, principal)

    async def refuse_ywebsocket(self, socket: Socket, error: CollabError, name: DocumentName | None) -> int:
        """Tell a y-websocket client why it may not come in. The close code."""
        conversation = self._ywebsocket(socket, name, None)
        with self._under_way(conversation):
            return await conversation.refuse(error)

    async def serve_hocuspocus(self, socket: Socket, principal: Principal | None) -> int:
        """One Hocuspocus connection, until it ends. Its close code."""
        conversation = HocuspocusConversation(socket, self.parts, principal=principal)
        with self._under_way(conversation):
            return await conversation.run()

    def _ywebsocket(self, socket: Socket, name: DocumentName | None, user: UserId | None) -> YWebsocketConversation:
        return YWebsocketConversation(socket, self.parts, document=name, user=user)

    @contextmanager
    def _under_way(self, conversation: Conversation) -> Iterator[None]:
        """Draining ends the conversation, and waits until it has ended."""
        self._conversations.add(conversation)
        self._deserted.clear()
        if self.is_draining:
            conversation.end(Draining())
        try:
            yield
        finally:
            self._conversations.discard(conversation)
            if not self._conversations:
                self._deserted.set()

    @property
    def is_draining(self) -> bool:
        """The end has begun: nobody is let in any more."""
        return self.rooms.is_draining

    async def drain(self) -> None:
        """Hear nobody any more, commit what was accepted and say so, and end every connection.

        Takes as long as the database does, ``shutdown_s`` at most, and then as long as the last frames do. Whoever
        calls again waits for the same end.
        """
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")
        await asyncio.shield(self._draining)  # it is everybody's who waits for it, not the first one's

    async def _drain_last(self) -> None:
        """As the server's end: whoever cancels it ends the drain too."""
        try:
            await self.drain()
        finally:
            await tasks.end([self._draining] if self._draining is not None else [])

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self.limits.shutdown_s):
                await self.rooms.drain()
        except TimeoutError:
            # The database is away: what is not committed was never acknowledged, and its clients still have it.
            log.warning("drain_timed_out", unsaved_bytes=self.log_writer.queued_bytes)
            self.rooms.abandon()
        for conversation in list(self._conversations):
            conversation.end(Draining())  # those who are in no room: not let in yet, or denied
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S_MAX):
                await self._deserted.wait()

    async def _keep_running(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a panic of a native library is no Exception
                log.exception("task_died", restart_s=RESTART_S)
                await asyncio.sleep(RESTART_S)

    async def _publish_presence(self) -> None:
        while True:
            await asyncio.sleep(PRESENCE_S)
            self.rooms.publish_presence()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wanted_s = loop.time() + LAG_CHECK_S
            await asyncio.sleep(LAG_CHECK_S)
            self.metrics.loop_lag_s.observe(loop.time() - wanted_s)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.rooms.tick()
