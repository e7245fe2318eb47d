"""Updates with gaps, and updates that wait for parts of each other: the room applies them as early as real Yjs.

Real Yjs gets the same bytes in the same order and is read after each of them. Sometimes it does not look at its
pending structs again and shows less than it could; if it gets the same updates merged into one, it shows all. In the
end the log, every listener and another replica must have the same content, every frame must be acknowledged, and no
room may have failed.
"""

import random
from itertools import permutations

import pytest

from collab.crdt.document import Document
from collab.crdt.stored import load_document
from collab.protocol.messages import SyncStep2, Update
from tests.interop.content import hash_of
from tests.interop.oracle import Oracle, Reading
from tests.network import WINDOWS_S
from tests.protocol.build import has_gap
from tests.room.deployment import RoomDeployment

pytestmark = pytest.mark.node

SHUFFLES = 3_000
SHUFFLES_PER_HISTORY = 5
PARTS = 4
HALVES = 60

LISTENER, FAR_LISTENER = 100, 101

FILLED_IN_STEPS = [
    "01050500040107636f6e74656e7401610a0184050101630a01840503016500",
    "01010501840500016200",
    "01010503840502016400",
]
"""The texts a, c and e with gaps in between, then b, then d."""
ACROSS = ["010209008405000162840501016400", "01020500040107636f6e74656e740161840900016300"]
"""b and d of one client, and a and c of another: each update needs a part of the other."""


@pytest.mark.parametrize("frames", [FILLED_IN_STEPS, ACROSS], ids=["filled in steps", "across"])
def test_updates_that_wait_for_parts_of_each_other_show_at_once(oracle: Oracle, frames: list[str]) -> None:
    history = [bytes.fromhex(frame) for frame in frames]
    for order in permutations(history):
        for resync in (False, True):
            assert_as_in_yjs(oracle, list(order), resync=resync)
    if frames is FILLED_IN_STEPS:
        deployment = deliver(history[:2])
        assert deployment.rooms[0].document.text() == "abc"
        assert deliver(history).rooms[0].document.text() == "abcde"


@pytest.mark.parametrize("part", range(PARTS))
def test_updates_merged_by_author_with_gaps_show_at_once(oracle: Oracle, part: int) -> None:
    for seed in range(part, SHUFFLES // SHUFFLES_PER_HISTORY, PARTS):
        dice = random.Random(seed)
        updates = updates_by_author(oracle, dice, seed)
        for _ in range(SHUFFLES_PER_HISTORY):
            order = dice.sample(updates, len(updates))
            assert_as_in_yjs(oracle, order, resync=dice.random() < 0.3, name=f"history {seed}")


@pytest.mark.parametrize("seed", range(HALVES))
def test_clients_with_complementary_halves_complete_each_other(oracle: Oracle, seed: int) -> None:
    dice = random.Random(seed)
    history = [written.bytes for written in oracle.history(seed, writers=2, edits=40)]
    one = [update for update in history if dice.random() < 0.5]
    other = [update for update in history if update not in one]
    halves = [oracle.resend(*one), oracle.resend(*other)]
    assert any(has_gap(half) for half in halves)
    assert_as_in_yjs(oracle, halves, resync=True, name=f"history {seed}")
    assert_as_in_yjs(oracle, halves[::-1], resync=True, name=f"history {seed}, reversed")


def updates_by_author(oracle: Oracle, dice: random.Random, seed: int) -> list[bytes]:
    """Return a history as a few updates. Each merges some edits of one author, with gaps in between."""
    history = oracle.history(seed, writers=dice.randint(2, 3), edits=14)
    updates = []
    for writer in {written.writer for written in history}:
        edits = [written.bytes for written in history if written.writer == writer]
        portions: list[list[bytes]] = [[] for _ in range(dice.randint(1, 3))]
        for edit in edits:
            dice.choice(portions).append(edit)
        updates += [oracle.merge(*portion) for portion in portions if portion]
    return updates


def deliver(order: list[bytes], *, resync: bool = False, shown: list[str] | None = None) -> RoomDeployment:
    """Deliver updates to one of two replicas, each in a session of its own. Add its hash after each to ``shown``."""
    deployment = RoomDeployment(2, window_s=WINDOWS_S[len(order) % len(WINDOWS_S)])
    deployment.join(LISTENER, 0)
    deployment.join(FAR_LISTENER, 1)
    for session in range(1, len(order) + 1):
        deployment.join(session, 0)
    for session, update in enumerate(order, 1):
        deployment.say(SyncStep2(update) if resync else Update(update), session, 0)
        if shown is not None:
            shown.append(hash_of(deployment.rooms[0].document._doc))
    deployment.settle()
    return deployment


def merged(oracle: Oracle, updates: list[bytes]) -> Reading:
    """Return what real Yjs reads in the merge of these updates."""
    return oracle.read([[oracle.merge(*updates)]])[0]


def assert_as_in_yjs(oracle: Oracle, order: list[bytes], *, resync: bool, name: str = "") -> None:
    shown: list[str] = []
    deployment = deliver(order, resync=resync, shown=shown)
    *prefixes, logged, heard, far = oracle.read(
        [
            *(order[:end] for end in range(1, len(order) + 1)),
            deployment.logged,
            deployment.heard[LISTENER],
            deployment.heard[FAR_LISTENER],
        ]
    )
    for end, (ours, theirs) in enumerate(zip(shown, prefixes, strict=True), 1):
        assert ours == theirs.content or ours == merged(oracle, order[:end]).content, name
    whole = merged(oracle, order)
    assert not whole.waits, name
    assert not deployment.ended, name
    assert not +deployment.unanswered, name
    assert {logged.content, heard.content, far.content} == {whole.content}, name
    assert logged.waited is heard.waited is far.waited is None, name
    documents: list[Document] = [room.document for room in deployment.rooms]
    documents.append(load_document(None, deployment.log))
    assert {hash_of(document._doc) for document in documents} == {whole.content}, name
    assert [room.pending for room in deployment.rooms] == [0, 0], name
