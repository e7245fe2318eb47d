"""The running server: it builds the parts, starts them in order, and stops them in stages.

Start: open the store and the relay, then start the background tasks. Stop: admit and read no more, commit what was
accepted and acknowledge it, end the connections (`drain` is these three), end the background tasks, and close the relay
and the store.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from collab.access.tokens import Principal, TokenVerifier
from collab.errors import CollabError, Draining
from collab.ids import DocumentName
from collab.observe.logs import get_logger
from collab.relay.base import SharingFrame
from collab.serve import tasks
from collab.serve.authenticator import Authenticator
from collab.serve.background import BackgroundTasks
from collab.serve.compactor import Compactor
from collab.serve.gauges import connect_gauges
from collab.serve.heartbeat import Heartbeat
from collab.serve.hocuspocus import HocuspocusConversation
from collab.serve.jwks import JwksClient
from collab.serve.live_roles import LiveRoles
from collab.serve.log_sync import LogSync
from collab.serve.log_writer import LogWriter
from collab.serve.open_connections import OpenConnections
from collab.serve.parts import ServerParts
from collab.serve.purger import Purger
from collab.serve.readiness import Readiness
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms
from collab.serve.socket import Socket
from collab.serve.timer_queue import TimerQueue
from collab.serve.title_writer import TitleWriter
from collab.serve.ywebsocket import YWebsocketConversation

log = get_logger("server")

CLOSE_S_MAX = 3.0
"""How long the connections may take to end; they send their last frames side by side."""

COMPACT_S = 10.0
"""How often the store is searched for documents to compact."""

PRESENCE_S = 0.1
"""How often changes of presence are sent to the other replicas."""

TICK_S = 1.0
"""How often rooms are told that time has passed."""

LAG_CHECK_S = 0.25
"""How often the lag of the event loop is measured."""


class Server:
    """Everything between a socket and the database. It runs inside `async with Server(…)`."""

    def __init__(
        self,
        replica: Replica,
        verifier: TokenVerifier,
        *,
        published: JwksClient | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`published` fetches an issuer's key set. `wall_clock` returns seconds since 1970, as tokens count them."""
        clock = time.monotonic
        self.store = replica.store
        self.relay = replica.relay
        self.limits = replica.limits
        self.metrics = replica.metrics
        self.timers = TimerQueue(wall_clock)
        self.authenticator = Authenticator(verifier, store=self.store, wall_clock=wall_clock, published=published)
        self.live_roles = LiveRoles(self.store)
        self.log_writer = LogWriter(self.store, self.limits, clock=clock, metrics=self.metrics)
        self.readiness = Readiness(self.store, clock=clock)
        self.compactor = Compactor(self.store, interval_s=COMPACT_S, metrics=self.metrics)
        self.purger = Purger(self.store, bin_days=self.limits.bin_days, metrics=self.metrics)
        self.titles = TitleWriter(self.store, self.metrics)
        self.rooms = Rooms(
            replica,
            self.log_writer,
            clock=clock,
            on_left=self.compactor.left,
            on_interrupted=self._look_now,
            on_title=self.titles.note,
        )
        self.log_sync = LogSync(replica, self.rooms, self.live_roles)
        self.parts = ServerParts(
            self.rooms,
            self.log_writer,
            self.timers,
            self.authenticator,
            self.live_roles,
            self.limits,
            self.metrics,
            OpenConnections(),
            Heartbeat(self.limits.heartbeat_s),
        )
        self.is_running = False
        """True inside `async with`: sessions are accepted, or told that the server drains."""
        self._published = published
        self._background = BackgroundTasks()
        self._draining: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()
        connect_gauges(self.metrics, rooms=self.rooms, log_writer=self.log_writer, relay=self.relay)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.relay.open(self.rooms)
            stack.push_async_callback(self.relay.close)
            stack.push_async_callback(self._background.end)
            self._start_background_tasks()
            stack.push_async_callback(self._drain_last)
            self._stack = stack.pop_all()
        self.is_running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_running = False
        await self._stack.aclose()

    def _look_now(self) -> None:
        self.log_sync.look_now()

    # --- connections --------------------------------------------------------------------------------

    async def serve_ywebsocket(self, socket: Socket, name: DocumentName, principal: Principal) -> None:
        """Open the document for a y-websocket client. From then on the connection goes on by itself."""
        conversation = YWebsocketConversation(socket, self.parts, document=name, user=principal.user)
        if self.is_draining:
            conversation.refuse(Draining())
        else:
            await conversation.join(self.parts, name, principal)

    def refuse_ywebsocket(self, socket: Socket, error: CollabError, name: DocumentName | None) -> None:
        """Tell a y-websocket client why it is refused, and close."""
        YWebsocketConversation(socket, self.parts, document=name, user=None).refuse(error)

    def serve_hocuspocus(self, socket: Socket, principal: Principal | None) -> None:
        """Serve a Hocuspocus connection until it ends."""
        conversation = HocuspocusConversation(socket, self.parts, principal=principal)
        if self.is_draining:
            conversation.end(Draining())

    # --- sharing ------------------------------------------------------------------------------------

    def sharing_changed(self, name: DocumentName) -> None:
        """Let the change act at once on the document's sessions, on every replica. A poll would find it too."""
        self.log_sync.look_now()
        self.relay.publish(SharingFrame(name))

    # --- draining -----------------------------------------------------------------------------------

    @property
    def is_draining(self) -> bool:
        """True once the server has begun to stop; new sessions are then refused."""
        return self.rooms.is_draining

    async def drain(self) -> None:
        """Stop reading from clients, commit and acknowledge what was accepted, and end every connection.

        Takes as long as the commit does, at most `shutdown_s`, and then at most `CLOSE_S_MAX`. Later calls wait for the
        first one's end.
        """
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")
        await asyncio.shield(self._draining)  # cancelling one caller must not stop it for the others

    async def _drain_last(self) -> None:
        """Drain as part of stopping: here cancelling the caller does stop it."""
        try:
            await self.drain()
        finally:
            await tasks.end([self._draining] if self._draining is not None else [])

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self.limits.shutdown_s):
                await self.rooms.drain()
        except TimeoutError:
            # The database is away. What is not committed was never acknowledged, and its clients still have it.
            log.warning("drain_timed_out", unsaved_bytes=self.log_writer.queued_bytes)
            self.rooms.abandon()
        for connection in self.parts.connections:
            connection.end(Draining())  # also those that are in no room: not admitted yet, or denied
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.parts.connections.all_ended()

    # --- background tasks ---------------------------------------------------------------------------

    def _start_background_tasks(self) -> None:
        if self._published is not None:
            self._background.start("issuer keys", self._published.run)
        self._background.start("log writer", self.log_writer.run)
        self._background.start("timers", self.timers.run)
        self._background.start("heartbeat", self.parts.heartbeat.run)
        self._background.start("log sync", self.log_sync.run)
        self._background.start("compactor", self.compactor.run)
        self._background.start("purger", self.purger.run)
        self._background.start("titles", self._write_titles)
        self._background.start("presence", self._publish_presence)
        self._background.start("ticks", self._tick)
        self._background.start("loop lag", self._measure_lag)

    async def _write_titles(self) -> None:
        await self.titles.look_back(self.rooms)
        await self.titles.run()

    async def _publish_presence(self) -> None:
        while True:
            await asyncio.sleep(PRESENCE_S)
            self.rooms.publish_presence()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.rooms.tick()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            expected_s = loop.time() + LAG_CHECK_S
            await asyncio.sleep(LAG_CHECK_S)
            self.metrics.loop_lag_s.observe(loop.time() - expected_s)
