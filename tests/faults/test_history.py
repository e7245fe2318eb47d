"""The oracle itself: it reports each kind of broken promise, and no kept one."""

from collections import Counter

import pytest

from tests.faults.history import History, StoredTexts, violations

HISTORY = History(written={"<a>", "<b>", "<c>"}, acknowledged=Counter(["<a>", "<b>"]))


def stored(text: str, *, replayed: str | None = None, sequences: tuple[int, ...] = (1, 2)) -> StoredTexts:
    return StoredTexts(text, text if replayed is None else replayed, list(sequences))


@pytest.mark.parametrize("text", ["<a><b>", "<b><a><c>"])
def test_kept_promises_are_not_reported(text: str) -> None:
    assert violations(HISTORY, stored(text)) == []


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (stored("<a><c>"), "1 acknowledged and not in the store, the first: <b>"),
        (stored("<a><b><a>"), "1 in the store more than once, the first: <a>"),
        (stored("<a><b><d>"), "1 in the store and never written, the first: <d>"),
        (stored("<a><b>c>"), "1 damaged, the first: c>"),
        (stored("<a><b>", sequences=(1, 3)), "2 missing from the sequence of rows, the first: 2"),
        (stored("<a><b>", replayed="<a>"), "1 different text in the log and in the snapshot, the first: all"),
    ],
)
def test_broken_promise_is_reported(found: StoredTexts, complaint: str) -> None:
    assert violations(HISTORY, found) == [complaint]


def test_edit_acknowledged_twice_is_reported() -> None:
    history = History(HISTORY.written, Counter(["<a>", "<a>"]))
    assert violations(history, stored("<a>")) == ["1 acknowledged more than once, the first: <a>"]
