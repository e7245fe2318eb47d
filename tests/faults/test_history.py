"""The judge itself: each kind of broken promise is seen, and a kept one is not complained about."""

from collections import Counter

import pytest

from tests.faults.history import History, StoredTexts, violations

HISTORY = History(written={"<a>", "<b>", "<c>"}, acknowledged=Counter(["<a>", "<b>"]))


def stored(text: str, *, replayed: str | None = None, sequences: tuple[int, ...] = (1, 2)) -> StoredTexts:
    return StoredTexts(text, text if replayed is None else replayed, list(sequences))


@pytest.mark.parametrize("text", ["<a><b>", "<b><a><c>"])
def test_what_is_kept_is_not_complained_about(text: str) -> None:
    assert violations(HISTORY, stored(text)) == []


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (stored("<a><c>"), "1 acknowledged and not in the store, the first: <b>"),
        (stored("<a><b><a>"), "1 in the store more than once, the first: <a>"),
        (stored("<a><b><d>"), "1 in the store and written by nobody, the first: <d>"),
        (stored("<a><b>c>"), "1 torn, the first: c>"),
        (stored("<a><b>", sequences=(1, 3)), "2 missing from the numbers of the rows, the first: 2"),
        (stored("<a><b>", replayed="<a>"), "1 another text in the log than in the snapshot, the first: the whole"),
    ],
)
def test_a_broken_promise_is_named(found: StoredTexts, complaint: str) -> None:
    assert violations(HISTORY, found) == [complaint]


def test_an_edit_that_is_acknowledged_twice_is_named() -> None:
    history = History(HISTORY.written, Counter(["<a>", "<a>"]))
    assert violations(history, stored("<a>")) == ["1 acknowledged more than once, the first: <a>"]
