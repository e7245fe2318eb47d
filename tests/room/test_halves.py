"""A text whose halves were written offline in two browsers, an hour apart, is complete in the end."""

import gzip
import json
from pathlib import Path
from typing import Any

from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.ranges import IdRanges
from collab.crdt.splits import splits_at_most
from collab.crdt.statevector import encode_state_vector
from collab.crdt.stored import compact, load_document
from collab.ids import DocumentName, Epoch, Sequence, SessionId, WriterId
from collab.protocol.limits import SPLITS_MAX
from collab.protocol.messages import SyncStep1, SyncStep2
from collab.protocol.rows import CommittedRow
from tests.crdt.asking import take
from tests.room.build import SteppedRoom, YjsClient, a_session, told

TRACE = Path(__file__).parent.parent / "traces" / "json-crdt-patch.json.gz"
HOUR_S = 3600.0


def write(author: YjsClient, text: str, patches: list[Any]) -> str:
    """Make these edits, and return the text. A trace counts code points, pycrdt bytes."""
    for at, removed, inserted in patches:
        begin = len(text[:at].encode())
        if removed:
            author.delete(begin, len(text[at : at + removed].encode()))
        if inserted:
            author.type(begin, inserted)
        text = text[:at] + inserted + text[at + removed :]
    return text


def a_later_room(snapshot: bytes | None, rows: list[CommittedRow], origin: int) -> SteppedRoom:
    """Return a room that opens the document after all its clients have left."""
    document = load_document(snapshot, rows)
    return SteppedRoom(
        DocumentName("halves"), document, epoch=Epoch(0), cursor=Sequence(origin - 1), writer=WriterId(origin)
    )


def bring(room: SteppedRoom, author: YjsClient, now_s: float) -> CommittedRow:
    """Connect the author's browser, send its edits, and disconnect. Return the committed row."""
    session = a_session(1)
    room.join(session)
    effects = room.receive(session.id, SyncStep1(author.doc.get_state()), now_s)
    asked, answer = told(effects, 1)
    assert isinstance(asked, SyncStep1)
    assert isinstance(answer, SyncStep2)
    author.hear(answer.update)
    room.receive(SessionId(1), SyncStep2(author.doc.get_update(asked.state_vector)), now_s)
    row = room.next_row()
    assert row is not None
    seq = Sequence(room.cursor + 1)
    room.appended(seq)
    room.leave(session.id, now_s, clean=True)
    return CommittedRow(seq, row.writer, row.n, row.payload)


def test_halves_written_offline_in_two_browsers_make_one_text() -> None:
    with gzip.open(TRACE) as file:
        trace = json.load(file)
    patches = [patch for transaction in trace["txns"] for patch in transaction["patches"]]
    half = len(patches) // 2

    first = YjsClient(7)
    text = write(first, "", patches[:half])
    row = bring(a_later_room(None, [], 1), first, 0.0)

    other = YjsClient(8, first.everything)  # the user continues in another browser, with a copy of the document
    text = write(other, text, patches[half:])
    room = a_later_room(compact(None, [row]), [], 2)
    room.tick(HOUR_S)
    bring(room, other, HOUR_S)
    assert room.document.text() == text == trace["endContent"]


def test_a_day_of_offline_work_is_far_below_the_limit_of_splits() -> None:
    with gzip.open(TRACE) as file:
        patches = [patch for transaction in json.load(file)["txns"] for patch in transaction["patches"]]
    half = len(patches) // 2
    author = YjsClient(1)
    text = write(author, "", patches[:half])
    document = Document.load(author.everything, [])
    write(author, text, patches[half:])
    day = inspect_update(author.doc.get_update(encode_state_vector(document.state)))
    assert splits_at_most(day, document.state, IdRanges(), enough=0) < SPLITS_MAX // 20
    take(document, day)
    assert document.text() == author.text
