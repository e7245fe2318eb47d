"""Asks the store what the relay may have missed: the reason why losing a frame costs time and nothing else.

One query a second asks for every open document whose log goes on past its room's cursor; four a second while
the relay is down, so that people on different replicas go on seeing each other's edits. Rooms that know of
a gap have it filled at once.
"""

import asyncio

from collab.errors import RoomClosed, StoreUnavailable
from collab.observe.logs import get_logger
from collab.room.events import HeadRead, RowsRead
from collab.serve.host import Host
from collab.serve.replica import Replica
from collab.serve.rooms import Rooms

log = get_logger("healer")

GAP_CHECK_S = 0.05
"""How soon a gap is read from the store. Frames of two replicas overtake each other for a few milliseconds."""

ROWS_PER_READ = 1000


class LogSync:
    """``run`` is one task of the server."""

    def __init__(self, replica: Replica, rooms: Rooms) -> None:
        self._store = replica.store
        self._relay = replica.relay
        self._rooms = rooms
        self._limits = replica.limits
        self._metrics = replica.metrics

    async def run(self) -> None:
        """Heal for ever. While the store is away there is nothing to heal from."""
        loop = asyncio.get_running_loop()
        next_poll_s = loop.time()
        while True:
            try:
                if loop.time() >= next_poll_s or self._rooms.interruption.is_set():
                    self._rooms.interruption.clear()
                    await self.poll()
                    limits = self._limits
                    poll_s = limits.heads_poll_s if self._relay.up else limits.heads_poll_relay_down_s
                    next_poll_s = loop.time() + poll_s
                for host in self._rooms.hosts:
                    if host.needs_catch_up:
                        await self.catch_up(host)
            except StoreUnavailable as error:
                self._metrics.store_unavailable.inc()
                log.warning("store_unavailable", error=str(error))
                next_poll_s = loop.time() + self._limits.heads_poll_s
            await asyncio.sleep(GAP_CHECK_S)

    async def poll(self) -> None:
        """Ask for the heads of all open documents in one query."""
        # The answer is about these cursors: a room may have moved on by the time it comes.
        asked = {host.name: (host, host.cursor) for host in self._rooms.hosts}
        if not asked:
            return
        with self._metrics.heads_poll_s.time():
            heads = await self._store.heads({name: cursor for name, (_, cursor) in asked.items()})
        for name, head in heads.items():
            host, cursor = asked[name]
            host.tell(HeadRead(head.seq, head.epoch, head.deleted, cursor))

    async def catch_up(self, host: Host) -> None:
        """Read what is missing in one room, to the end."""
        while True:
            after = host.cursor
            try:
                rows = await self._store.rows_after(host.name, after, ROWS_PER_READ)
            except RoomClosed as error:  # damaged in the store: its own misfortune, and nobody else's
                host.fail(error)
                return
            host.tell(RowsRead(rows, after))
            if len(rows) < ROWS_PER_READ or host.failed:
                return
