"""Clients that join are told the same bytes for a while, and each of them has the whole document."""

import random
from collections.abc import Callable

import pycrdt
import pytest

from collab.crdt import shared_diffs
from collab.crdt.document import Document
from collab.crdt.guard import inspect_update
from collab.crdt.shared_diffs import LATER_BYTES_MAX, LATER_PARTS_MAX, LATER_SHARE, SMALL_BYTES, VECTORS_MAX
from collab.errors import DocumentPoisoned
from tests.crdt.asking import take
from tests.protocol.build import text, update
from tests.room.build import YjsClient, document_of

ANN, BOB, CAT = 1, 2, 3
LONG = "x" * (2 * SMALL_BYTES)


class Typing:
    """A document in which somebody types."""

    def __init__(self, first: str = LONG) -> None:
        self.ann = YjsClient(ANN)
        self.document = document_of(self.ann.type(0, first))

    def type(self, at: int = 0, inserted: str = "a") -> bytes:
        """Type, and return the update."""
        update = self.ann.type(at, inserted)
        take(self.document, inspect_update(update))
        return update

    def delete(self, at: int, length: int) -> None:
        take(self.document, inspect_update(self.ann.delete(at, length)))


def joined(document: Document, *before: bytes) -> str:
    """Return the text that a client sees once it has caught up; it had ``before``."""
    client = YjsClient(CAT, *before)
    first, later = document.catch_up(client.state)
    client.hear(first)
    if later is not None:
        client.hear(later)
    assert client.state == document.state
    return client.text


def test_quiet_document_is_the_same_object_for_everybody() -> None:
    document = Typing().document
    first, later = document.catch_up({})
    assert document.catch_up({})[0] is first
    assert document.encode() is first
    assert later is None


def test_what_was_typed_since_follows_in_one_update() -> None:
    typing = Typing()
    first, _ = typing.document.catch_up({})
    one = typing.type()
    assert typing.document.catch_up({}) == (first, one)
    typing.type()
    typing.delete(3, 2)
    again, later = typing.document.catch_up({})
    assert again is first
    assert later is not None
    assert typing.document.catch_up({})[1] is later
    assert joined(typing.document) == typing.ann.text


def test_whole_document_is_exact_while_others_get_it_in_two_parts() -> None:
    typing = Typing()
    first, _ = typing.document.catch_up({})
    typing.type()
    assert YjsClient(CAT, typing.document.encode()).text == typing.ann.text
    renewed, later = typing.document.catch_up({})
    assert renewed is typing.document.encode() is not first
    assert later is None


def test_clients_with_the_same_state_are_told_the_same() -> None:
    typing = Typing("before")
    early = typing.document.encode()
    had = dict(typing.document.state)
    typing.type(0, LONG)
    first, later = typing.document.catch_up(had)
    assert later is None
    assert typing.document.catch_up(dict(had))[0] is first
    typing.type()
    assert typing.document.catch_up(had)[0] is first
    assert joined(typing.document, early) == joined(typing.document) == typing.ann.text


def test_small_document_is_encoded_anew_after_each_change() -> None:
    typing = Typing("x" * (SMALL_BYTES // 2))
    typing.document.catch_up({})
    typing.type()
    assert typing.document.catch_up({}) == (typing.document.encode(), None)


@pytest.mark.parametrize(
    ("size", "later"),
    [
        (SMALL_BYTES - 1, 0),
        (SMALL_BYTES, SMALL_BYTES // LATER_SHARE),
        (1 << 19, LATER_BYTES_MAX),
        (1 << 24, LATER_BYTES_MAX),
    ],
)
def test_part_that_follows_is_bounded_in_bytes(size: int, later: int) -> None:
    assert shared_diffs.later_bytes_max(size) == later


def test_document_is_encoded_anew_when_too_many_bytes_follow() -> None:
    typing = Typing()
    first, _ = typing.document.catch_up({})
    typing.type(0, "y" * (len(first) // LATER_SHARE - 30))
    assert typing.document.catch_up({})[0] is first
    typing.type(0, "y" * 30)
    assert typing.document.catch_up({}) == (typing.document.encode(), None)


def test_document_is_encoded_anew_when_too_many_parts_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_diffs, "later_bytes_max", lambda _: 1 << 20)
    typing = Typing()
    first, _ = typing.document.catch_up({})
    for _ in range(LATER_PARTS_MAX - 1):
        typing.type()
    typing.delete(0, 1)
    assert typing.document.catch_up({})[0] is first
    typing.delete(0, 1)
    assert typing.document.catch_up({}) == (typing.document.encode(), None)


def test_answers_are_kept_for_few_states_and_always_for_none() -> None:
    typing = Typing()
    answers = [typing.document.catch_up({ANN: n})[0] for n in range(1, VECTORS_MAX + 1)]
    whole, _ = typing.document.catch_up({})
    assert [typing.document.catch_up({ANN: n})[0] is answers[n - 1] for n in range(1, VECTORS_MAX + 1)] == [True] * 4
    typing.document.catch_up({ANN: 100})
    assert typing.document.catch_up({ANN: 2})[0] is answers[1]
    assert typing.document.catch_up({ANN: 1})[0] is not answers[0]
    assert typing.document.catch_up({})[0] is whole


def test_answer_to_a_long_state_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_diffs, "VECTOR_BYTES_MAX", 4)
    document = Typing().document
    assert document.catch_up({ANN: 1})[0] is document.catch_up({ANN: 1})[0]
    assert document.catch_up({ANN: 1, 1 << 40: 1})[0] is not document.catch_up({ANN: 1, 1 << 40: 1})[0]


def test_only_the_whole_document_is_kept_for_long() -> None:
    document = Typing().document
    whole, _ = document.catch_up({})
    part, _ = document.catch_up({ANN: 1})
    document.forget_shared()
    assert document.catch_up({})[0] is whole
    assert document.catch_up({ANN: 1})[0] is not part


def test_character_deleted_before_its_split_starts_anew() -> None:
    document = document_of(update((ANN, 0, [text(f"😀{LONG}", root="content")])))
    first, _ = document.catch_up({})
    take(document, inspect_update(update((BOB, 0, [text("b", left=(ANN, 0), right=(ANN, 1))]))))
    again, later = document.catch_up({})
    assert again is not first
    assert later is None
    assert joined(document) == f"b{LONG}"


def test_poisoned_document_gives_no_answer_it_has_kept() -> None:
    document = Typing().document
    document.catch_up({})
    document.is_poisoned = True
    with pytest.raises(DocumentPoisoned):
        document.catch_up({})


@pytest.mark.parametrize("seed", range(20))
def test_client_that_joins_at_any_moment_has_everything(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several people write, delete, set the same keys of a map and nest types, and somebody joins after each change."""
    monkeypatch.setattr(shared_diffs, "later_bytes_max", lambda _: 1 << 20)
    dice = random.Random(seed)
    document = Document()
    people = [YjsClient(10 + number) for number in range(3)]
    returning = document.encode()
    for _ in range(60):
        person = dice.choice(people)
        take(document, inspect_update(person.change(a_change(person, dice))))
        for each in people:
            if dice.random() < 0.5:
                each.hear(document.encode() if dice.random() < 0.1 else document.diff(each.state))
        if dice.random() < 0.1:
            returning = document.diff({})
        for had in ([], [returning]):
            joined(document, *had)
            client = YjsClient(CAT, *had, *[part for part in document.catch_up(YjsClient(CAT, *had).state) if part])
            assert Document.load(client.everything, ()).equals(document)


def a_change(person: YjsClient, dice: random.Random) -> Callable[[], object]:
    words = person.doc.get("content", type=pycrdt.Text)
    keys = person.doc.get("keys", type=pycrdt.Map)
    items = person.doc.get("list", type=pycrdt.Array)
    match dice.randrange(6):
        case 0 if len(words):
            at = dice.randrange(len(words))
            return lambda: words.__delitem__(slice(at, min(at + dice.randint(1, 5), len(words))))
        case 1:
            return lambda: keys.update({dice.choice("ab"): dice.random()})
        case 2:
            return lambda: keys.update({"nested": pycrdt.Text(dice.choice(["one", "two"]))})
        case 3:
            return lambda: items.append(pycrdt.Map({"n": dice.random()}))
        case 4 if len(items):
            return lambda: items.__delitem__(dice.randrange(len(items)))
        case _:
            return lambda: words.insert(dice.randint(0, len(words)), dice.choice(["a", "bc", "def"]))
