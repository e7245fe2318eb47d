"""A client that joins while others write is told the document in two parts, and ends equal to real Yjs."""

import random

import pytest

from collab.crdt import shared_diffs
from collab.crdt.shared_diffs import SMALL_BYTES
from collab.crdt.statevector import encode_state_vector
from collab.protocol.messages import SyncStep1, SyncStep2, Update
from collab.room.session import SessionState
from tests.interop.content import hash_of
from tests.interop.oracle import Oracle
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.room.build import YjsClient, a_room, a_row, a_session, told
from tests.room.deployment import RoomDeployment

WRITER = 1


def test_later_part_follows_the_document_at_once_and_then_every_update() -> None:
    ann = YjsClient(1)
    room = a_room(
        ann.type(0, "x" * SMALL_BYTES), sessions=[a_session(1), *(a_session(n, synced=False) for n in (2, 3))]
    )
    hello = SyncStep1(EMPTY_STATE_VECTOR)
    _, first = told(room.receive(a_session(2).id, hello, 0.0), 2)
    later = Update(ann.type(0, "later"))
    room.receive(a_session(1).id, later, 0.0)
    effects = room.receive(a_session(3).id, hello, 0.0)
    asked, again, rest = told(effects, 3)
    assert isinstance(asked, SyncStep1)
    assert isinstance(first, SyncStep2)
    assert isinstance(again, SyncStep2)
    assert again.update is first.update
    assert rest == later
    now = Update(ann.type(0, "now"))
    assert told(room.receive(a_session(1).id, now, 0.0), 3) == [now]


def test_committed_row_of_another_replica_is_in_the_later_part() -> None:
    ann = YjsClient(1)
    room = a_room(ann.type(0, "x" * SMALL_BYTES), sessions=[a_session(1, synced=False)])
    hello = SyncStep1(EMPTY_STATE_VECTOR)
    room.receive(a_session(1).id, hello, 0.0)
    theirs = YjsClient(2).type(0, "theirs")
    room.receive_row(a_row(1, theirs), room.epoch)
    assert told(room.receive(a_session(1).id, hello, 0.0), 1)[-1] == Update(theirs)


def test_answers_to_clients_that_had_something_are_forgotten_with_time() -> None:
    ann = YjsClient(1)
    room = a_room(ann.type(0, "a"), ann.type(0, "x" * SMALL_BYTES), sessions=[a_session(1)])
    had = SyncStep1(b"\x01\x01\x01")
    first, again = (told(room.receive(a_session(1).id, had, 0.0), 1)[-1] for _ in range(2))
    room.tick(1.0)
    (anew,) = told(room.receive(a_session(1).id, had, 1.0), 1)
    assert isinstance(first, SyncStep2)
    assert isinstance(again, SyncStep2)
    assert isinstance(anew, SyncStep2)
    assert again.update is first.update is not anew.update


def test_client_that_comes_back_is_not_sent_its_own_edit_before_the_commit() -> None:
    """Newer clients of y-websocket take it for saved, so it must not be in an answer that was kept from before."""
    room = a_room(YjsClient(1).type(0, "x" * SMALL_BYTES), sessions=[a_session(n, synced=False) for n in (1, 2)])
    ann = YjsClient(2)
    offline = ann.type(0, "offline")
    hello = SyncStep1(encode_state_vector(ann.state))
    room.receive(a_session(1).id, hello, 0.0)
    room.receive(a_session(1).id, SyncStep2(offline), 0.0)
    room.leave(a_session(1).id, 0.0, clean=False)
    answers = told(room.receive(a_session(2).id, hello, 0.0), 2)
    assert not any(offline in each.update for each in answers if isinstance(each, SyncStep2 | Update))


@pytest.mark.node
def test_client_that_joins_after_any_update_ends_equal_to_yjs(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real Yjs writes, and reads what each session was sent. Some sessions begin with what an earlier one had."""
    monkeypatch.setattr(shared_diffs, "later_bytes_max", lambda _: 1 << 20)
    for seed in range(40):
        dice = random.Random(seed)
        history = oracle.history(seed, writers=3, edits=14)
        deployment = RoomDeployment(2)
        deployment.join(WRITER, 0)
        sessions = [WRITER]
        for written in history:
            deployment.say(Update(written.bytes), WRITER, 0)
            if dice.random() < 0.5:
                deployment.settle()
            for replica in (0, 1):
                before = dice.choice(sessions) if dice.random() < 0.3 else None
                session = len(sessions) + 100
                if before is not None:
                    has, heard = YjsClient(9, *deployment.heard[before]), list(deployment.heard[before])
                    deployment.heard[session] = heard
                    deployment.join(session, replica, has=has.doc.get_state())
                else:
                    deployment.join(session, replica)
                sessions.append(session)
        deployment.settle()
        assert not deployment.ended
        readings = oracle.read([deployment.heard[session] for session in sessions])
        document = deployment.rooms[0].document
        assert {reading.content for reading in readings} == {hash_of(document._doc)}, seed
        assert all(reading.state == document.state and reading.waited is None for reading in readings), seed
        synced = [each.state for room in deployment.rooms for each in room._sessions]
        assert set(synced) == {SessionState.SYNCED}
