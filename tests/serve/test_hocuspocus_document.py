"""The sink of a session that was ended while its socket stays."""

import pytest

from collab.errors import CollabError, MissingDependencies, RoomClosed, UpdateRefused
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import FromServer, Refused, Saved, SyncStep2, Update
from collab.serve.connection import Connection
from collab.serve.hocuspocus import HocuspocusConversation
from collab.serve.hocuspocus_document import DismissedSession
from collab.serve.sink import EncodedMessage
from collab.store.memory import MemoryStore
from tests.serve.parts import ScriptedSocket, make_server


def make(socket: ScriptedSocket) -> Connection:
    """Return the connection of a provider that has said nothing yet."""
    HocuspocusConversation(socket, make_server(MemoryStore()).parts, principal=None)
    assert isinstance(socket.receiver, Connection)
    return socket.receiver


@pytest.mark.parametrize(
    ("message", "passes"), [(Saved(), True), (Refused(), True), (Update(b"edit"), False), (SyncStep2(b"all"), False)]
)
async def test_only_answers_reach_a_dismissed_session(message: FromServer, passes: bool) -> None:
    socket = ScriptedSocket()
    DismissedSession(make(socket), "notes").send(EncodedMessage(message))
    assert socket.sent == ([Hocuspocus().encode(message, "notes")] if passes else [])


@pytest.mark.parametrize(
    ("error", "ends"), [(RoomClosed(), True), (UpdateRefused(), False), (MissingDependencies(), False)]
)
async def test_only_a_room_that_is_gone_ends_the_socket(error: CollabError, ends: bool) -> None:
    socket = ScriptedSocket()
    DismissedSession(make(socket), "notes").end(error)
    socket.hang_up()
    await socket.run()
    assert (socket.closed_for is error) == ends
