"""Admission: a message reaches the room when log and peer have room and the token is good, and not before."""

import asyncio

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName, UserId
from collab.limits import ServerLimits
from collab.protocol.messages import SyncStep1, SyncStep2, Update
from collab.protocol.ywebsocket import YWebsocket
from collab.serve.connection import Connection
from collab.serve.live_session import LiveSession
from collab.serve.server import Server
from collab.serve.token_lease import TokenLease
from collab.store.memory import MemoryStore
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, ScriptedSocket, WallClock, make_server, ticks, writer

NOTES = DocumentName("notes")
STEP1 = SyncStep1(b"\0")


class Bench:
    """A session in a room of a server whose tasks do not run."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.server: Server = make_server(
            MemoryStore(),
            wall_clock=self.clock,
            limits=ServerLimits(outbox_bytes_max=1024, persister_queue_bytes_max=1024),
        )
        self.sink = RecordingSink()
        self.peer = Connection(ScriptedSocket(), YWebsocket(), self.server.limits, self.server.metrics)
        self.expired = 0
        self.lease = TokenLease(self.server.timers, on_expired=self._expire)

    def _expire(self) -> None:
        self.expired += 1

    async def join(self) -> LiveSession:
        """Begin the session, with a token for ten seconds."""
        live = await LiveSession.join(self.server.parts, NOTES, writer(1), self.sink, self.lease, peer=self.peer)
        self.lease.renew(Principal(UserId("ada"), "Ada", None, {"**": Role.EDITOR}, self.clock.now_s + 10))
        return live

    @property
    def answers(self) -> int:
        """Number of answers to SyncStep1."""
        return sum(isinstance(message, SyncStep2) for message in self.sink.sent)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_a_message_reaches_the_room(bench: Bench) -> None:
    live = await bench.join()
    assert await live.say(STEP1)
    assert bench.answers == 1


async def test_a_message_waits_while_the_log_is_full(bench: Bench) -> None:
    live = await bench.join()
    await live.say(Update(YjsClient(7).type(0, "x" * 2000)))
    saying = asyncio.create_task(live.say(STEP1))
    await ticks(5)
    assert bench.answers == 0
    bench.server.log_writer.release(bench.server.log_writer.queued_bytes)
    assert await saying
    assert bench.answers == 1


async def test_a_message_waits_while_its_peer_does_not_read(bench: Bench) -> None:
    live = await bench.join()
    bench.peer.send(SyncStep2(bytes(2000)))
    saying = asyncio.create_task(live.say(STEP1))
    await ticks(5)
    assert bench.answers == 0
    saying.cancel()


async def test_a_message_after_the_token_expired_is_not_heard(bench: Bench) -> None:
    live = await bench.join()
    bench.clock.now_s += 10
    assert not await live.say(STEP1)
    assert not await live.say(STEP1)
    assert bench.answers == 0
    assert bench.expired == 1


async def test_a_token_that_expires_while_a_message_waits_keeps_it_out(bench: Bench) -> None:
    live = await bench.join()
    await live.say(Update(YjsClient(7).type(0, "x" * 2000)))
    saying = asyncio.create_task(live.say(STEP1))
    await ticks(5)
    bench.clock.now_s += 10
    bench.server.log_writer.release(bench.server.log_writer.queued_bytes)
    assert not await saying
    assert bench.answers == 0


@pytest.mark.parametrize("end", ["leave", "dismiss", "ended"])
async def test_a_session_that_is_over_says_nothing_more(bench: Bench, end: str) -> None:
    live = await bench.join()
    match end:
        case "leave":
            live.leave(clean=True)
        case "dismiss":
            live.dismiss(RecordingSink(), clean=True)
        case _:
            live.ended()
    assert not await live.say(STEP1)
    assert len(bench.server.timers) == 0


async def test_a_session_leaves_once(bench: Bench) -> None:
    live = await bench.join()
    live.leave(clean=True)
    live.leave(clean=False)
    live.dismiss(RecordingSink(), clean=True)
    assert [host.sessions for host in bench.server.rooms.hosts] == [0]


async def test_a_session_that_resumes_is_sent_the_document_at_once(bench: Bench) -> None:
    await LiveSession.join(bench.server.parts, NOTES, writer(1), bench.sink, bench.lease, resumes=True)
    assert any(isinstance(message, SyncStep1) for message in bench.sink.sent)


async def test_a_check_that_fails_begins_no_session(bench: Bench) -> None:
    def refuse() -> None:
        raise PermissionDenied

    with pytest.raises(PermissionDenied):
        await LiveSession.join(bench.server.parts, NOTES, writer(1), bench.sink, bench.lease, check=refuse)
    assert [host.sessions for host in bench.server.rooms.hosts] == [0]
