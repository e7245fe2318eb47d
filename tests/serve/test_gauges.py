"""Gauges show what there is in the moment in which they are read."""

from collab.ids import DocumentName
from collab.protocol.messages import Update
from collab.room.events import Left
from collab.store.memory import MemoryStore
from tests.metering import sample
from tests.room.build import YjsClient
from tests.serve.parts import RecordingSink, make_server, writer

NOTES = DocumentName("notes")


async def test_gauges_follow_rooms_sessions_and_updates() -> None:
    server = make_server(MemoryStore())  # its tasks do not run, so nothing is committed

    def read() -> tuple[float, ...]:
        sessions = sample(server.metrics, "sessions", dialect="rest")
        return (sample(server.metrics, "rooms"), sessions, sample(server.metrics, "updates_held"))

    assert read() == (0, 0, 0)
    host = await server.rooms.join(NOTES, writer(1), RecordingSink())
    assert read() == (1, 1, 0)
    author = YjsClient(7)
    first, second = author.type(0, "a"), author.type(1, "b")
    host.hear(writer(1).id, Update(second))
    assert read() == (1, 1, 1)
    host.hear(writer(1).id, Update(first))
    assert read() == (1, 1, 0)
    assert sample(server.metrics, "unsaved_bytes") == server.log_writer.queued_bytes > 0
    host.tell(Left(writer(1).id, clean=True))
    assert read() == (1, 0, 0)


async def test_the_relay_gauge_says_if_frames_can_arrive() -> None:
    server = make_server(MemoryStore())
    assert sample(server.metrics, "relay_up") == 0
    async with server:
        assert sample(server.metrics, "relay_up") == 1
