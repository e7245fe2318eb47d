"""Two thousand schedules of the simulated deployment keep every promise, and every planted fault breaks one."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from collab.crdt.document import Document
from collab.crdt.update import Id, InspectedUpdate
from collab.ids import Epoch, SessionId, UserId
from collab.protocol.messages import Saved
from collab.protocol.rows import CommittedRow
from collab.room.compaction import fold
from collab.room.effects import Effect, Send
from collab.room.room import Room
from collab.room.session import Session
from tests.network import Replica, Violation, random_story

SCHEDULES = 2_000
CHUNK = 250
SEEDS_PER_FAULT = 400


@pytest.mark.schedules
@pytest.mark.parametrize("first", range(0, SCHEDULES, CHUNK))
def test_every_schedule_keeps_every_promise(first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            random_story(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


class AcknowledgesBeforeTheCommit(Room):
    def _accept(
        self, session: SessionId | None, user: UserId, update: InspectedUpdate, *, counted: bool
    ) -> list[Effect]:
        effects = super()._accept(session, user, update, counted=False)
        if counted and session is not None:
            effects.append(Send((session,), Saved(update.payload)))
        return effects


class HasNoGate(Document):
    def missing(self, update: InspectedUpdate) -> Id | None:
        return None


class LetsReadersWrite(Room):
    def join(self, session: Session) -> list[Effect]:
        session.can_write = True
        return super().join(session)


class ForgetsToAppend(Room):
    def _accept(
        self, session: SessionId | None, user: UserId, update: InspectedUpdate, *, counted: bool
    ) -> list[Effect]:
        effects = super()._accept(session, user, update, counted=counted)
        if self._ledger.applied % 5 == 0 and len(self._ledger.waiting) > 1:
            self._ledger.waiting.pop()
        return effects


class ForgetsToSend(Room):
    def _show(self, update: InspectedUpdate, *, besides: SessionId | None = None) -> list[Effect]:
        return super()._show(update, besides=besides) if self._ledger.applied % 5 else []


class SkipsRowsOnAGap(Room):
    def receive_row(self, row: CommittedRow, epoch: Epoch) -> list[Effect]:
        if row.seq > self.cursor + 1:
            self._arrivals.cursor = type(row.seq)(row.seq - 1)
        return super().receive_row(row, epoch)


class UnloadsWithoutFlushing(Replica):
    def may_unload(self) -> bool:
        return self.room is not None and not self.clients


def leaves_a_row_out(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> bytes:
    return fold(snapshot, list(rows)[:-1])


FAULTS: dict[str, dict[str, Any]] = {
    "acknowledgement before the commit": {"room_class": AcknowledgesBeforeTheCommit},
    "missing gate": {"document_class": HasNoGate},
    "reader may write": {"room_class": LetsReadersWrite},
    "forgotten append": {"room_class": ForgetsToAppend},
    "forgotten send": {"room_class": ForgetsToSend},
    "row skipped on a gap": {"room_class": SkipsRowsOnAGap},
    "snapshot that leaves rows out": {"fold": leaves_a_row_out},
    "unload without flush": {"replica_class": UnloadsWithoutFlushing},
}


def first_seed_that_fails(story: Callable[[int], object]) -> int | None:
    for seed in range(SEEDS_PER_FAULT):
        try:
            story(seed)
        except Violation:
            return seed
        except Exception:
            return seed  # it broke an assertion of its own: found as well
    return None


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault: str) -> None:
    assert first_seed_that_fails(lambda seed: random_story(seed, **FAULTS[fault])) is not None
