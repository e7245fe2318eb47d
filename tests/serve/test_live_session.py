"""Admission: a message reaches the room while the token is good, and not after."""

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName, UserId
from collab.protocol.messages import SyncStep1, SyncStep2
from collab.serve.live_session import LiveSession
from collab.serve.server import Server
from collab.serve.token_lease import TokenLease
from collab.store.memory import MemoryStore
from tests.serve.parts import RecordingSink, WallClock, make_server, writer

NOTES = DocumentName("notes")
STEP1 = SyncStep1(b"\0")


class Bench:
    """A session in a room of a server whose tasks do not run."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.server: Server = make_server(MemoryStore(), wall_clock=self.clock)
        self.sink = RecordingSink()
        self.expired = 0
        self.lease = TokenLease(self.server.timers, on_expired=self._expire)

    def _expire(self) -> None:
        self.expired += 1

    async def join(self) -> LiveSession:
        """Begin the session, with a token for ten seconds."""
        live = await LiveSession.join(self.server.parts, NOTES, writer(1), self.sink, self.lease)
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
    assert live.say(STEP1)
    assert bench.answers == 1


async def test_a_message_after_the_token_expired_is_not_heard(bench: Bench) -> None:
    live = await bench.join()
    bench.clock.now_s += 10
    assert not live.say(STEP1)
    assert not live.say(STEP1)
    assert bench.answers == 0
    assert bench.expired == 1


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
    assert not live.say(STEP1)
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
