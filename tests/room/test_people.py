"""Whatever honest clients do in real Yjs, no edit is refused, and all of them, the rooms and the log converge.

``tests/interop/people.py`` makes the stories. Faults of the schedule (a forgotten append, a row skipped at a gap) are
found by ``test_schedules.py`` with plain text; these tests look for faults that depend on the content.
"""

import os
from collections import Counter
from typing import Any

import pytest

from collab.crdt.assessment import Assessment, News
from collab.crdt.comparison import is_known_in_part
from collab.crdt.document import Document
from collab.crdt.update import Id, InspectedUpdate
from collab.ids import UserId
from collab.protocol.rows import Row, decode_entries
from collab.room import updates
from collab.room.ownership import Owner, is_of_another
from collab.room.room import Room
from tests.interop.oracle import Oracle
from tests.interop.people import first_that_fails, run_story, shortest
from tests.network import Violation

pytestmark = [pytest.mark.node, pytest.mark.schedules]

STORIES = 400
LONG_STORIES = 2_000
PARTS = 4
SEEDS_PER_FAULT = 400


def assert_all_end_well(oracle: Oracle, seeds: range) -> None:
    for seed in seeds:
        try:
            run_story(oracle, seed)
        except Violation as error:
            raise AssertionError(shortest(oracle, seed) or str(error)) from error


@pytest.mark.parametrize("part", range(PARTS))
def test_honest_clients_are_never_refused_and_converge_with_the_log(oracle: Oracle, part: int) -> None:
    assert_all_end_well(oracle, range(part, STORIES, PARTS))


@pytest.mark.long
@pytest.mark.skipif("COLLAB_LONG" not in os.environ, reason="runs in `make test-long` only")
@pytest.mark.parametrize("part", range(PARTS))
def test_honest_clients_converge_in_thousands_of_stories(oracle: Oracle, part: int) -> None:
    assert_all_end_well(oracle, range(STORIES + part, STORIES + LONG_STORIES, PARTS))


def test_stories_cover_every_intended_case(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    met: Counter[str] = Counter()

    def counting(client: int, user: UserId, owner: Owner) -> bool:
        is_withheld = is_of_another(client, user, owner)
        met["waits for its owner"] += is_withheld
        return is_withheld

    monkeypatch.setattr(updates, "is_of_another", counting)

    class Counting(Document):
        def apply(self, news: News) -> None:
            met["a character is split"] += news.before is not None
            super().apply(news)

        def assess(self, update: InspectedUpdate, **how: Any) -> Assessment:
            met["known in part"] += is_known_in_part(update, self.state)
            return super().assess(update, **how)

    class Watched(Room):
        def next_row(self) -> Row | None:
            row = super().next_row()
            if row is not None:
                met["carried"] += any(entry.carried for entry in decode_entries(row.payload))
            return row

    for seed in range(90):
        people = run_story(oracle, seed, document_class=Counting, make_room=Watched)
        met.update(people.met)
    for case in (
        "a character is split",
        "known in part",
        "waits for its owner",
        "carried",
        "crash",
        "reload",
        "compact",
    ):
        assert met[case], met


class SplitsCharacters(Document):
    def _pairs_split_by(self, update: InspectedUpdate) -> list[Id]:
        return []


class IgnoresSplitsInTheLog(Document):
    def _pairs_split_by_log(self, update: InspectedUpdate) -> list[Id]:
        return []


class TakesDeletionsAsKnown(Document):
    def _covers(self, update: InspectedUpdate) -> bool:
        return True


FAULTS: dict[str, dict[str, Any]] = {
    "characters are split": {"document_class": SplitsCharacters},
    "characters are split by the log": {"document_class": IgnoresSplitsInTheLog},
    "deletions are taken as known": {"document_class": TakesDeletionsAsKnown},
}
"""Faults in ownership or in the separation of known from new structs are not here: honest clients never meet them."""


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(oracle: Oracle, fault: str) -> None:
    assert first_that_fails(oracle, range(SEEDS_PER_FAULT), **FAULTS[fault]) is not None
