"""Which documents are open on this replica: name → host, each loaded once and forgotten when idle.

It stands between sessions, which come and go by name, and hosts. Two races are decided here: a document is
loaded by one task however many sessions ask for it at once, and a session that comes while a room is being
forgotten waits for the new one. A room is subscribed to the relay *before* it is loaded, and frames that come
meanwhile are kept for it, so that no row falls between the two.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from collab.crdt.stored import load_document
from collab.errors import CollabError, DocumentDeleted, Draining
from collab.ids import DocumentName, WriterId
from collab.observe.logs import get_logger
from collab.relay.base import RelayFrame
from collab.room.events import Joined, ReplicaLost, Ticked
from collab.room.room import Room
from collab.room.session import Session
from collab.serve import tasks
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica, draw_writer_id
from collab.serve.sink import Sink

log = get_logger("rooms")

EARLY_FRAMES_MAX = 1000
"""Frames kept for a room that is still loading; beyond it the store is asked instead."""


@dataclass
class _Opening:
    """A room that is being loaded, and what the relay said meanwhile."""

    task: "asyncio.Task[Host]"
    frames: list[RelayFrame] = field(default_factory=list)
    overflowed: bool = False


class Rooms:
    """Every open room of one replica. Is the relay's listener."""

    def __init__(
        self,
        replica: Replica,
        log_writer: LogWriter,
        *,
        clock: Callable[[], float],
        on_left: Callable[[DocumentName], None],
    ) -> None:
        self._replica = replica
        self._store = replica.store
        self._relay = replica.relay
        self._log_writer = log_writer
        self._clock = clock
        self._linger_s = replica.limits.room_linger_s
        self._on_left = on_left
        self._hosts: dict[DocumentName, Host] = {}
        self._openings: dict[DocumentName, _Opening] = {}
        self._forgetting: set[DocumentName] = set()
        self._forgotten = asyncio.Condition()
        self.is_draining = False
        """Nobody is let in any more."""
        self._orphans: set[DocumentName] = set()
        """Subscribed names whose room has failed; unsubscribed soon if nobody opens them."""
        self.interruption = asyncio.Event()
        """Set when relay frames may have been lost: the healer then asks the store at once."""

    def __len__(self) -> int:
        return len(self._hosts)

    @property
    def hosts(self) -> Iterable[Host]:
        """Every open room."""
        return list(self._hosts.values())

    async def join(
        self,
        name: DocumentName,
        session: Session,
        sink: Sink,
        *,
        resumes: bool = False,
        check: Callable[[], object] = lambda: None,
    ) -> Host:
        """Open the document if need be, and begin a session in it. ``check`` is called just before, and may raise.

        Raises DocumentDeleted, Draining, StoreUnavailable, and RoomClosed when the stored document cannot be
        read.
        """
        while True:
            host = await self._open(name)
            if host.failed is None and self._hosts.get(name) is host:
                check()
                host.tell(Joined(session, resumes), sink)
                return host

    async def _open(self, name: DocumentName) -> Host:
        async with self._forgotten:
            await self._forgotten.wait_for(lambda: name not in self._forgetting)
        if self.is_draining:
            raise Draining
        if (host := self._hosts.get(name)) is not None:
            return host
        opening = self._openings.get(name)
        if opening is None:
            opening = self._openings[name] = _Opening(asyncio.create_task(self._load(name), name=f"load {name}"))
        try:
            # Shielded: the loading belongs to everybody who waits for it, not to the first who asked.
            return await asyncio.shield(opening.task)
        except asyncio.CancelledError:
            if opening.task.cancelled():
                raise Draining from None
            raise

    async def _load(self, name: DocumentName) -> Host:
        opening = self._openings[name]
        try:
            await self._relay.subscribe(name)
            host = await self._make_host(name)
        except BaseException:
            # Before the entry goes: whoever opens next must not subscribe while we unsubscribe.
            try:
                await self._relay.unsubscribe(name)
            finally:
                del self._openings[name]
            raise
        del self._openings[name]
        self._hosts[name] = host
        host.needs_catch_up = opening.overflowed
        host.request_presence()
        for frame in opening.frames:
            self._tell(host, frame)
        log.info("room_opened", document=name, seq=host.cursor)
        return host

    async def _make_host(self, name: DocumentName) -> Host:
        stored = await self._store.load(name)
        if stored.deleted:
            raise DocumentDeleted
        document = load_document(None if stored.snapshot is None else stored.snapshot.state, stored.tail)
        room = Room(
            name,
            document,
            epoch=stored.epoch,
            cursor=stored.head,
            writer=draw_writer_id(),
            update_limits=self._replica.limits.update,
            pending_limits=self._replica.limits.pending,
        )
        return Host(
            room,
            replica=self._replica.writer,
            log_writer=self._log_writer,
            relay=self._relay,
            clock=self._clock,
            on_fail=self._drop,
            metrics=self._replica.metrics,
        )

    def _drop(self, host: Host) -> None:
        """A room has failed: whoever comes next loads it anew, on the subscription that is there."""
        if self._hosts.get(host.name) is host:
            del self._hosts[host.name]
            self._orphans.add(host.name)

    # --- the relay's listener -----------------------------------------------------------------------

    def relayed(self, frame: RelayFrame) -> None:
        """A frame of another replica for a document that is open here, or is being loaded."""
        if (host := self._hosts.get(frame.document)) is not None:
            self._tell(host, frame)
        elif (opening := self._openings.get(frame.document)) is not None:
            if len(opening.frames) < EARLY_FRAMES_MAX:
                opening.frames.append(frame)
            else:
                opening.overflowed = True

    def interrupted(self) -> None:
        """Frames may have been lost."""
        self.interruption.set()

    def replica_lost(self, writer: WriterId) -> None:
        """Its people are gone, as far as anybody here can know."""
        for host in self.hosts:
            host.tell(ReplicaLost(writer))

    @staticmethod
    def _tell(host: Host, frame: RelayFrame) -> None:
        try:
            host.relayed(frame)
        except CollabError as error:
            # Another replica's bytes: not a reason to trust them, nor to stop. The store has the truth.
            log.warning("relay_frame_refused", document=host.name, reason=error.slug)
            host.needs_catch_up = True

    # --- time and the end ---------------------------------------------------------------------------

    def publish_presence(self) -> None:
        """Ten times a second: tell the other replicas whose people moved."""
        for host in self._hosts.values():
            host.publish_presence()

    async def tick(self) -> None:
        """Once a second: let time pass in every room, and forget those nobody has needed for a while."""
        now_s = self._clock()
        for host in self.hosts:
            host.tell(Ticked())
            empty_since_s = host.empty_since_s
            if empty_since_s is not None and now_s - empty_since_s >= self._linger_s and host.is_settled:
                await self._forget(host)
        while self._orphans:
            name = self._orphans.pop()
            if name not in self._hosts and name not in self._openings:  # asked anew each time: somebody may open it
                await self._unsubscribe(name)

    async def _forget(self, host: Host) -> None:
        """Nobody is here and all is committed. Who comes from now on waits for the next room."""
        name = host.name
        if host.failed or host.sessions or not host.is_settled:
            return
        del self._hosts[name]
        await self._unsubscribe(name)
        log.info("room_forgotten", document=name, seq=host.cursor)
        self._on_left(name)

    async def _unsubscribe(self, name: DocumentName) -> None:
        """Meanwhile nobody may open the document: their subscription would be undone."""
        self._forgetting.add(name)
        try:
            await self._relay.unsubscribe(name)
        finally:
            async with self._forgotten:
                self._forgetting.discard(name)
                self._forgotten.notify_all()

    async def drain(self) -> None:
        """Let nobody in any more, hear nobody any more, commit what was accepted, then end every session.

        In this order: while clients are heard, those who type go on adding to what must be committed. Bounded by
        the caller: while the database is away this waits for it.
        """
        self.is_draining = True
        await tasks.end([opening.task for opening in self._openings.values()])
        for host in self.hosts:
            host.stop_hearing()
        await self._log_writer.flush()
        self.abandon()

    def abandon(self) -> None:
        """End every session; what is not committed is dropped, unacknowledged."""
        for host in self.hosts:
            host.fail(Draining())
