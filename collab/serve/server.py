"""The running server: owns every part, starts them in order, stops them in stages.

Start: open the store, open the relay, start the background tasks. Stop: let nobody in → commit what was
accepted → end the sessions, who will come back to another replica → stop the tasks → close relay and store.
A background task that dies of a bug is logged and started again: a server without its writer would accept
edits and never save them.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Self

from collab.access.tokens import Principal, TokenVerifier
from collab.errors import CollabError
from collab.ids import DocumentName, Origin, SessionId
from collab.observe.logs import get_logger
from collab.protocol.limits import Limits
from collab.relay.base import Relay
from collab.room.gate import GateLimits
from collab.room.session import Session
from collab.serve.admission import Admission
from collab.serve.compactor import Compactor
from collab.serve.connection import ConnectionLimits, Socket
from collab.serve.healer import Healer
from collab.serve.hocuspocus import HocuspocusConversation
from collab.serve.persister import Persister
from collab.serve.rooms import Rooms
from collab.serve.ywebsocket import YWebsocketConversation
from collab.store.base import Store

log = get_logger("server")

RESTART_S = 1.0
"""How long a background task that died stays down."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Every bound and interval of the running server."""

    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    update: Limits = field(default_factory=Limits)
    gate: GateLimits = field(default_factory=GateLimits)
    flush_window_s: float = 0.010
    queue_bytes_max: int = 32 << 20
    linger_s: float = 5.0
    poll_s: float = 1.0
    poll_down_s: float = 0.25
    presence_s: float = 0.1
    compact_s: float = 10.0
    drain_s_max: float = 10.0


def draw_origin() -> Origin:
    """A random 63-bit id that no other life of any process or room has."""
    return Origin(secrets.randbits(63))


class Server:
    """``async with Server(…)``: everything between a socket and the database."""

    def __init__(
        self, *, store: Store, relay: Relay, verifier: TokenVerifier, origin: Origin, limits: ServerLimits
    ) -> None:
        clock = time.monotonic
        self.store = store
        self.relay = relay
        self.admission = Admission(verifier, wall_clock=time.time)
        self.limits = limits
        self._sessions = count(1)
        self.persister = Persister(
            store, window_s=limits.flush_window_s, queue_bytes_max=limits.queue_bytes_max, clock=clock
        )
        self.compactor = Compactor(store, interval_s=limits.compact_s)
        self.rooms = Rooms(
            store=store,
            relay=relay,
            persister=self.persister,
            origin=origin,
            draw_origin=draw_origin,
            clock=clock,
            linger_s=limits.linger_s,
            on_left=self.compactor.left,
            update_limits=limits.update,
            gate_limits=limits.gate,
        )
        self._healer = Healer(
            store=store,
            relay=relay,
            rooms=self.rooms,
            poll_s=limits.poll_s,
            poll_down_s=limits.poll_down_s,
        )
        self._stack = AsyncExitStack()
        self.is_running = False
        """Whether sessions are accepted."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.relay.open(self.rooms)
            stack.push_async_callback(self.relay.close)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [
                tasks.create_task(self._keep_running(work), name=name)
                for name, work in (
                    ("persister", self.persister.run),
                    ("healer", self._healer.run),
                    ("compactor", self.compactor.run),
                    ("presence", self._publish_presence),
                    ("ticker", self._tick),
                )
            ]
            stack.callback(lambda: [task.cancel() for task in running])
            stack.push_async_callback(self._drain)
            self._stack = stack.pop_all()
        self.is_running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_running = False
        await self._stack.aclose()

    def next_session(self) -> SessionId:
        """A fresh session id."""
        return SessionId(next(self._sessions))

    async def serve_ywebsocket(self, socket: Socket, name: DocumentName, principal: Principal) -> int:
        """One y-websocket connection, until it ends. Its close code."""
        conversation = self._ywebsocket(socket)
        try:
            can_write = self.admission.may_write(principal, name)
        except CollabError as error:
            return await conversation.refuse(error)
        session = Session(self.next_session(), principal.user, principal.name, can_write)
        return await conversation.run(name, session)

    async def refuse_ywebsocket(self, socket: Socket, error: CollabError) -> int:
        """Tell a y-websocket client why it may not come in. The close code."""
        return await self._ywebsocket(socket).refuse(error)

    async def serve_hocuspocus(self, socket: Socket, principal: Principal | None) -> int:
        """One Hocuspocus connection, until it ends. Its close code."""
        conversation = HocuspocusConversation(
            socket,
            principal=principal,
            admission=self.admission,
            rooms=self.rooms,
            persister=self.persister,
            limits=self.limits.connection,
            draw_session=self.next_session,
        )
        return await conversation.run()

    def _ywebsocket(self, socket: Socket) -> YWebsocketConversation:
        return YWebsocketConversation(socket, rooms=self.rooms, persister=self.persister, limits=self.limits.connection)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self.limits.drain_s_max):
                await self.rooms.drain()
        except TimeoutError:
            # The database is away: what is not committed was never acknowledged, and its clients still have it.
            log.warning("drain_timed_out", unsaved_bytes=self.persister.queued_bytes)
            self.rooms.abandon()

    async def _keep_running(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("task_died", restart_s=RESTART_S)
                await asyncio.sleep(RESTART_S)

    async def _publish_presence(self) -> None:
        while True:
            await asyncio.sleep(self.limits.presence_s)
            self.rooms.publish_presence()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.rooms.tick()
