"""Resent content never contradicts the document, however the document was stored in between."""

from collections.abc import Callable

import pytest

from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.stored import compact, load_document
from collab.crdt.update import EMBED, FORMAT, STRING, TYPE
from collab.ids import Sequence, UserId, WriterId
from collab.protocol.rows import CommittedRow, Entry, encode_entries
from tests.crdt.asking import contradicted_at, take
from tests.interop.oracle import Oracle
from tests.room.build import document_of, inspected


def rows(updates: list[bytes]) -> list[CommittedRow]:
    return [
        CommittedRow(Sequence(seq), WriterId(1), seq, encode_entries([Entry(UserId("ann"), update)]))
        for seq, update in enumerate(updates, 1)
    ]


def live(updates: list[bytes]) -> Document:
    document = Document()
    for each in inspected(*updates):
        take(document, each)
    return document


def reloaded(updates: list[bytes]) -> Document:
    return load_document(None, rows(updates))


def compacted(updates: list[bytes]) -> Document:
    half = len(updates) // 2
    snapshot = compact(compact(None, rows(updates[:half])), rows(updates)[half:])
    return load_document(snapshot, [])


def written_anew(updates: list[bytes]) -> Document:
    """Return the document that the engine encodes after it got all updates as one."""
    return Document.load(document_of(document_of(*updates).encode()).encode(), [])


@pytest.mark.node
@pytest.mark.parametrize("through", [live, reloaded, compacted, written_anew])
def test_content_of_every_kind_may_be_resent(oracle: Oracle, through: Callable[[list[bytes]], Document]) -> None:
    updates = oracle.values()
    document = through(updates)
    theirs = oracle.resend(*updates)
    ours = oracle.resend(document.encode())  # by a client that has the document from the server
    kinds = {struct.kind for struct in inspect_update(theirs).structs}
    assert {STRING, EMBED, FORMAT, TYPE, 8, 3, 1} <= kinds
    for again in inspected(*updates, oracle.merge(*updates), theirs, ours):
        assert contradicted_at(document, again) is None


@pytest.mark.node
@pytest.mark.parametrize("seed", range(12))
def test_random_histories_may_be_resent(oracle: Oracle, seed: int) -> None:
    updates = [update.bytes for update in oracle.history(seed, writers=3, edits=40)]
    for through in (live, reloaded, compacted):
        document = through(updates)
        for again in inspected(
            *updates, oracle.merge(*updates), oracle.resend(*updates), oracle.resend(document.encode())
        ):
            assert contradicted_at(document, again) is None
