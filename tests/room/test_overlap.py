"""Of a partly known update only the new part is logged and sent, behind the known front as it was."""

import random

import pycrdt
import pytest

from collab.crdt.stored import load_document
from collab.crdt.update import DELETED, GC, STRING
from collab.protocol.messages import SyncStep2, Update
from tests.interop.content import content_of
from tests.interop.oracle import Oracle
from tests.protocol.build import ROOT, gc, item, string, text, uint, update
from tests.room.build import YjsClient
from tests.room.deployment import RoomDeployment

ANN, BOB = 1, 2
LISTENER = 100
FRONT, NEW = "front", "new"
LIES = 200


def a_deployment(*said: bytes) -> RoomDeployment:
    """Return a replica to which Ann has sent these updates, with Bob and a listener."""
    deployment = RoomDeployment(1)
    for session in (ANN, BOB, LISTENER):
        deployment.join(session, 0)
    for each in said:
        deployment.say(Update(each), ANN, 0)
    deployment.settle()
    return deployment


def test_only_the_new_part_of_a_late_step2_is_logged_and_sent() -> None:
    ann = YjsClient(ANN)
    first, deletion, second = ann.type(0, "one two "), ann.delete(0, 4), ann.type(4, "three")
    deployment = a_deployment(first, deletion)
    deployment.say(SyncStep2(ann.everything), ANN, 0)
    deployment.say(Update(second), ANN, 0)
    deployment.settle()
    assert ann.text == deployment.rooms[0].document.text() == "two three"
    new = update((ANN, 8, [text("three", left=(ANN, 7))]))
    assert deployment.logged == deployment.heard[LISTENER][1:] == [first, deletion, new]
    assert not +deployment.unanswered


def a_document() -> tuple[bytes, list[tuple[int, int]]]:
    """Return a document of many shared types by Ann with a word by Bob in its text, and every id in it."""
    ann, bob = YjsClient(ANN), YjsClient(BOB)
    blocks = ann.doc.get("default", type=pycrdt.XmlFragment).children
    ann.type(0, "plain")
    for _ in range(2):
        blocks.append(pycrdt.XmlElement("p", {"align": "left"})).children.append(pycrdt.XmlText("words"))
    del blocks[0]  # so that it has GC structs too
    ann.doc.get("meta", type=pycrdt.Map)["title"] = "A"
    ann.doc.get("list", type=pycrdt.Array).extend([1, pycrdt.Map({"in": "side"}), 2])
    bob.hear(ann.everything)
    bob.type(5, FRONT)
    ids = [(client, clock) for client, end in bob.state.items() for clock in range(end)]
    return bob.everything, ids


def rewritten(dice: random.Random, ids: list[tuple[int, int]], kind: int) -> bytes:
    """Return an update with a known front, which claims another place for it."""
    known = dice.randint(1, len(FRONT))
    elsewhere = [id_ for id_ in ids if id_ < (BOB, len(FRONT) - known)]
    left, parent = (dice.choice([None, dice.choice(elsewhere)]) for _ in range(2))
    right = dice.choice([None, (ANN, dice.randrange(len("plain")))])
    key = dice.choice([None, "title"])
    root = b"\1" + string(dice.choice(["content", "default", "meta", "list", "t"]))
    length = known + len(NEW)
    content = string(FRONT[-known:] + NEW) if kind == STRING else uint(length)
    lie = item(kind, content, left=left, right=right, parent=parent, key=key).replace(ROOT, root)
    return update((BOB, len(FRONT) - known, [gc(length) if kind == GC else lie]))


@pytest.mark.node
@pytest.mark.parametrize(("kind", "reads"), [(STRING, NEW), (DELETED, ""), (GC, "")], ids=["text", "deleted", "gone"])
def test_rewritten_front_of_a_known_struct_is_never_sent(oracle: Oracle, kind: int, reads: str) -> None:
    document, ids = a_document()
    shown = oracle.show(document)
    shown["content"] = {"text": [["plain" + FRONT + reads, {}]]}
    for seed in range(LIES):
        deployment = a_deployment(document)
        deployment.say(Update(rewritten(random.Random(seed), ids, kind)), BOB, 0)
        deployment.settle()
        assert oracle.show(*deployment.heard[LISTENER]) == shown, seed
        assert oracle.show(*deployment.logged) == shown, seed
        assert content_of(deployment.rooms[0].document._doc) == shown, seed
        assert content_of(load_document(None, deployment.log)._doc) == shown, seed
