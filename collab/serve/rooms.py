"""The documents that are open on this replica: each is loaded once, and forgotten when it stays empty.

Two races are decided here. A document is loaded by one task, however many sessions ask for it at once; and a session
that asks for a room while it is being forgotten waits and then joins a new one. A room is subscribed to the relay
*before* it is loaded, and frames that come meanwhile are kept for it, so that no row falls between the two.
"""

import asyncio
from collections.abc import Callable

from collab.crdt.stored import load_in_steps
from collab.errors import CollabError, DocumentDeleted, Draining
from collab.ids import DocumentName, WriterId
from collab.observe.logs import get_logger
from collab.relay.base import RelayFrame, RoomFrame, SharingFrame
from collab.room.events import Joined, ReplicaLost, Ticked
from collab.room.room import Room
from collab.room.session import Session
from collab.room.work import WorkTimes
from collab.serve import tasks
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.loop_turns import LoopTurns
from collab.serve.replica import Replica, draw_writer_id
from collab.serve.room_entry import RoomEntry, RoomState
from collab.serve.sink import Sink
from collab.serve.stepwise import take_steps

log = get_logger("rooms")


class Rooms:
    """Every room of one replica, and the relay's listener."""

    def __init__(
        self,
        replica: Replica,
        log_writer: LogWriter,
        *,
        clock: Callable[[], float],
        on_left: Callable[[DocumentName], None],
        on_interrupted: Callable[[], None],
        on_title: Callable[[DocumentName, str], None] = lambda _name, _title: None,
    ) -> None:
        """``on_left``: a room was forgotten. ``on_interrupted``: the store must be asked.

        ``on_title``: a document has this title now.
        """
        self.is_draining = False
        """True if no session may join any more."""
        self._replica = replica
        self._store = replica.store
        self._relay = replica.relay
        self._log_writer = log_writer
        self._clock = clock
        self._on_left = on_left
        self._on_interrupted = on_interrupted
        self._on_title = on_title
        self._turns = LoopTurns(clock)
        self._work_times = WorkTimes(replica.limits.work)
        self._rooms: dict[DocumentName, RoomEntry] = {}
        self._open_hosts: dict[DocumentName, Host] = {}
        """The hosts of the rooms that are ``OPEN``: they are walked many times a second."""

    def __len__(self) -> int:
        return len(self._open_hosts)

    @property
    def hosts(self) -> list[Host]:
        """Every open room."""
        return list(self._open_hosts.values())

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

        Raises DocumentDeleted, Draining, StoreUnavailable, and RoomClosed when the stored document cannot be read.
        """
        while True:
            host = await self._open(name)
            if host.failed is None and self._is_open(host):
                check()
                host.tell(Joined(session, resumes), sink)
                return host

    async def open(self, name: DocumentName) -> None:
        """Open the document without a session. It is forgotten like one that everybody has left.

        Raises the same errors as ``join``.
        """
        await self._open(name)

    # --- opening ------------------------------------------------------------------------------------

    async def _open(self, name: DocumentName) -> Host:
        while (room := self._rooms.get(name)) is not None and room.state is RoomState.FORGETTING:
            await room.forgotten.wait()
        if self.is_draining:
            raise Draining
        if room is None:
            room = self._rooms[name] = RoomEntry(name)
            room.loading = asyncio.create_task(self._load(room), name=f"load {name}")
        elif room.state is RoomState.FAILED:
            room.load_again()
            room.loading = asyncio.create_task(self._load(room), name=f"load {name}")
        return room.host if room.loading is None else await self._loaded(room.loading)

    async def _loaded(self, loading: "asyncio.Task[Host]") -> Host:
        try:
            # Shielded, because the task belongs to every session that waits for it, not to the first that asked.
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            if loading.cancelled():
                raise Draining from None
            raise

    async def _load(self, room: RoomEntry) -> Host:
        try:
            await self._relay.subscribe(room.name)
            host = await self._make_host(room.name)
        except BaseException:
            # Before the room is gone: a session that asks for it now must not subscribe while we unsubscribe.
            try:
                await self._relay.unsubscribe(room.name)
            finally:
                del self._rooms[room.name]
            raise
        frames = room.open(host)
        self._open_hosts[room.name] = host
        host.request_presence()
        for frame in frames:
            self._tell(host, frame)
        log.info("room_opened", document=room.name, seq=host.cursor)
        return host

    async def _make_host(self, name: DocumentName) -> Host:
        stored = await self._store.load(name)
        if stored.deleted:
            raise DocumentDeleted
        snapshot = None if stored.snapshot is None else stored.snapshot.state
        document = await take_steps(load_in_steps(snapshot, stored.tail))
        room = Room(
            name,
            document,
            epoch=stored.epoch,
            cursor=stored.head,
            writer=draw_writer_id(),
            limits=self._replica.limits.room,
            times=self._work_times,
        )
        return Host(
            room,
            replica=self._replica,
            log_writer=self._log_writer,
            clock=self._clock,
            call_later=asyncio.get_running_loop().call_later,
            on_fail=self._note_failure,
            ask_turn=self._turns.ask,
            on_title=self._on_title,
        )

    def _note_failure(self, host: Host) -> None:
        if self._is_open(host):
            del self._open_hosts[host.name]
            self._rooms[host.name].fail()

    def _is_open(self, host: Host) -> bool:
        return self._open_hosts.get(host.name) is host

    # --- the relay's listener -----------------------------------------------------------------------

    def relayed(self, frame: RelayFrame) -> None:
        """Take in a frame of another replica for a document that is open here, or is being loaded."""
        room = self._rooms.get(frame.document)
        if room is None:
            return
        if isinstance(frame, SharingFrame):
            self._on_interrupted()
        elif room.state is RoomState.OPEN:
            self._tell(room.host, frame)
        elif room.state is RoomState.LOADING:
            room.keep(frame)

    def interrupted(self) -> None:
        """Note that frames may have been lost."""
        self._on_interrupted()

    def replica_lost(self, writer: WriterId) -> None:
        """Tell every room that another replica is gone."""
        for host in self.hosts:
            host.tell(ReplicaLost(writer))

    @staticmethod
    def _tell(host: Host, frame: RoomFrame) -> None:
        try:
            host.relayed(frame)
        except CollabError as error:
            # Another replica sent bad bytes. They are not to be trusted, nor a reason to stop: the store has the truth.
            log.warning("relay_frame_refused", document=host.name, reason=error.slug)
            host.needs_catch_up = True

    # --- time and the end ---------------------------------------------------------------------------

    def publish_presence(self) -> None:
        """Tell the other replicas whose presence has changed: called ten times a second."""
        for host in self.hosts:
            host.publish_presence()

    async def tick(self) -> None:
        """Let a second pass in every room, and forget the rooms that were empty for a while or have failed."""
        for host in self.hosts:
            host.tell(Ticked())
            if self._is_idle(host):
                await self._forget(self._rooms[host.name])
                log.info("room_forgotten", document=host.name, seq=host.cursor)
                self._on_left(host.name)
        for room in list(self._rooms.values()):
            if room.state is RoomState.FAILED:  # while others were unsubscribed, a session may have opened it again
                await self._forget(room)

    def _is_idle(self, host: Host) -> bool:
        """True if the room was empty for a while, and everything accepted is committed."""
        since_s = host.empty_since_s
        linger_s = self._replica.limits.room_linger_s
        return (
            self._is_open(host)
            and since_s is not None
            and self._clock() - since_s >= linger_s
            and host.is_all_committed
            and not host.has_work
            and host.is_title_told
        )

    async def _forget(self, room: RoomEntry) -> None:
        """Unsubscribe a room. A session that asks for it from now on waits for the next one."""
        room.forget()
        self._open_hosts.pop(room.name, None)
        try:
            await self._relay.unsubscribe(room.name)
        finally:
            del self._rooms[room.name]
            room.forgotten.set()

    async def drain(self) -> None:
        """Let no session join, accept no message, commit what was accepted, then end every session.

        In this order, since sessions that are heard go on adding to what must be committed. The caller bounds the
        time: while the database is away, this waits for it.
        """
        self.is_draining = True
        await tasks.end([room.loading for room in self._rooms.values() if room.loading is not None])
        for host in self.hosts:
            host.stop_hearing()
        await self._log_writer.flush()
        self.abandon()

    def abandon(self) -> None:
        """End every session. What is not committed is dropped, unacknowledged."""
        for host in self.hosts:
            host.fail(Draining())
