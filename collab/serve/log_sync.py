"""Reads from the store what the relay may have missed, so that a lost frame costs time and nothing else.

One query a second asks for every open document whose log goes on past its room's cursor, or which is shared otherwise
than its sessions know (``live_roles``); four a second while the
relay is down, so that people on different replicas go on seeing each other's edits. A room that knows of a gap has it
filled at once.
"""

import asyncio

from collab.errors import RoomClosed, StoreUnavailable
from collab.observe.logs import get_logger
from collab.room.events import HeadRead, RowsRead
from collab.serve.host import Host
from collab.serve.live_roles import LiveRoles
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms

log = get_logger("log_sync")

GAP_CHECK_S = 0.05
"""Seconds until a gap is read from the store. Frames of two replicas overtake each other for a few milliseconds."""

ROWS_PER_READ = 1000


class LogSync:
    """The anti-entropy task of a server: ``run``."""

    def __init__(self, replica: Replica, rooms: Rooms, roles: LiveRoles) -> None:
        self._store = replica.store
        self._relay = replica.relay
        self._rooms = rooms
        self._roles = roles
        self._limits = replica.limits
        self._metrics = replica.metrics
        self._look_now = asyncio.Event()

    def look_now(self) -> None:
        """Ask the store at the next chance: frames may have been lost, or a document was deleted or shared."""
        self._look_now.set()

    async def run(self) -> None:
        """Compare the rooms with the store for ever, and try again later while the store is away."""
        loop = asyncio.get_running_loop()
        next_poll_s = loop.time()
        while True:
            try:
                if loop.time() >= next_poll_s or self._look_now.is_set():
                    self._look_now.clear()
                    await self.poll()
                    next_poll_s = loop.time() + self._poll_s
                for host in self._rooms.hosts:
                    if host.needs_catch_up:
                        await self.catch_up(host)
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error))
                next_poll_s = loop.time() + self._limits.heads_poll_s
            await asyncio.sleep(GAP_CHECK_S)

    @property
    def _poll_s(self) -> float:
        return self._limits.heads_poll_s if self._relay.up else self._limits.heads_poll_relay_down_s

    async def poll(self) -> None:
        """Ask in one query for the heads of all open documents, and if they are shared otherwise than they were."""
        # The answer is about these cursors: a room may have moved on by the time it comes.
        asked = {host.name: (host, host.cursor) for host in self._rooms.hosts}
        if not asked:
            return
        known = self._roles.versions()
        with self._metrics.heads_poll_s.time():
            heads = await self._store.heads({name: cursor for name, (_, cursor) in asked.items()}, known)
        for name, head in heads.items():
            host, cursor = asked[name]
            host.tell(HeadRead(head.seq, head.epoch, head.deleted, cursor))
        for name, head in heads.items():
            if head.access_version != known.get(name, head.access_version):
                await self._roles.refresh(name)

    async def catch_up(self, host: Host) -> None:
        """Read everything that is missing in one room."""
        while True:
            after = host.cursor
            try:
                rows = await self._store.rows_after(host.name, after, ROWS_PER_READ)
            except RoomClosed as error:  # damaged in the store: that ends this room and no other
                host.fail(error)
                return
            host.tell(RowsRead(rows, after))
            if len(rows) < ROWS_PER_READ or host.failed:
                return
