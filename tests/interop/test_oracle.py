"""The oracle distinguishes different documents, finds equal ones equal, and never blocks a test."""

import signal
from collections.abc import Callable

import pycrdt
import pytest

from tests.interop.content import content_of, hash_of
from tests.interop.oracle import NoAnswer, Oracle, YjsThrew
from tests.room.build import YjsClient

pytestmark = pytest.mark.node

ANN, BOB = 1, 2


def test_updates_read_the_same_in_any_order_and_waiting_is_reported(oracle: Oracle) -> None:
    ann = YjsClient(ANN)
    first, second = ann.type(0, "a"), ann.type(1, "b")
    orders = [[first, second], [second, first], [second], [second, first]]
    straight, crossed, lacking, again = oracle.read(orders)
    assert (straight.waited, straight.waits, straight.state) == (None, False, {ANN: 2})
    assert (crossed.waited, crossed.waits, crossed.state) == (0, False, {ANN: 2})
    assert (lacking.waited, lacking.waits) == (0, True)
    assert straight.content == crossed.content != lacking.content
    assert again == crossed
    assert oracle.show(first, second)["content"] == {"text": [["ab", {}]]}


def test_yjs_error_is_reported_and_affects_no_other_document(oracle: Oracle) -> None:
    good = YjsClient(ANN).type(0, "a")
    thrown, fine = oracle.read([[good, b"\x07"], [good]])
    assert thrown.error
    assert fine.error is None
    with pytest.raises(YjsThrew):
        oracle.show(b"\x07")
    assert oracle.show(good)["content"] == {"text": [["a", {}]]}


def a_rich_document() -> YjsClient:
    ann = YjsClient(ANN)
    element = ann.doc.get("default", type=pycrdt.XmlFragment).children.append(pycrdt.XmlElement("p", {"align": "left"}))
    element.children.append(pycrdt.XmlText("hello")).format(0, 2, {"bold": True})
    ann.doc.get("meta", type=pycrdt.Map)["title"] = {"b": 1.5, "a": [2, None]}
    ann.doc.get("list", type=pycrdt.Array).append(pycrdt.Map({"in": True}))
    ann.type(0, "plain 😀")
    return ann


@pytest.mark.parametrize(
    "change",
    [
        lambda ann: ann.type(0, "x"),
        lambda ann: ann.doc.get("content", type=pycrdt.Text).format(0, 1, {"bold": True}),
        lambda ann: ann.doc.get("content", type=pycrdt.Text).insert_embed(0, {"image": "x"}),
        lambda ann: (
            ann.doc.get("default", type=pycrdt.XmlFragment).children[0].children[0].format(0, 1, {"bold": None})
        ),
        lambda ann: (
            ann.doc.get("default", type=pycrdt.XmlFragment).children[0].attributes.__setitem__("align", "right")
        ),
        lambda ann: ann.doc.get("list", type=pycrdt.Array)[0].__setitem__("in", 1),
        lambda ann: ann.doc.get("meta", type=pycrdt.Map).__delitem__("title"),
    ],
)
def test_documents_that_differ_in_anything_differ_in_their_hash(
    oracle: Oracle, change: Callable[[YjsClient], object]
) -> None:
    ann = a_rich_document()
    before = ann.everything
    change(ann)
    one, other = oracle.read([[before], [ann.everything]])
    assert one.content != other.content
    assert hash_of(ann.doc) == other.content


def test_engine_and_yjs_content_have_the_same_form(oracle: Oracle) -> None:
    for seed in range(30):
        history = [written.bytes for written in oracle.history(seed, writers=3, edits=20)]
        doc = YjsClient(BOB, *history).doc
        assert content_of(doc) == oracle.show(*history), seed
        assert hash_of(doc) == oracle.read([history])[0].content, seed


def test_history_is_the_same_for_the_same_seed_and_in_causal_order(oracle: Oracle) -> None:
    history = oracle.history(7, writers=3, edits=30, resyncs=4)
    assert oracle.history(7, writers=3, edits=30, resyncs=4) == history
    assert oracle.history(8, writers=3, edits=30, resyncs=4) != history
    assert oracle.read([[written.bytes for written in history]])[0].waited is None
    assert {written.writer for written in history} == {0, 1, 2}
    assert sum(written.resync for written in history) == 4


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "dies"])
def test_oracle_that_gives_no_answer_fails_the_test(fault: signal.Signals) -> None:
    with Oracle(within_s=0.3) as oracle:
        oracle.process.send_signal(fault)
        with pytest.raises(NoAnswer):
            oracle.show(b"\0\0" * 500_000)  # more than fits into a pipe
        with pytest.raises(NoAnswer):
            oracle.show(b"\0\0")
