"""Two thousand schedules of the simulated deployment keep every promise, and each planted fault breaks one."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from collab.crdt import shared_diffs
from collab.crdt.assessment import Assessment, Lacks, News
from collab.crdt.document import Document
from collab.crdt.statevector import encode_state_vector
from collab.crdt.stored import compact
from collab.crdt.update import InspectedUpdate
from collab.ids import Sequence, SessionId
from collab.protocol.messages import Saved, Update
from collab.protocol.rows import CommittedRow, Row, decode_entries, encode_entries
from collab.room.effects import Effect, Queued, Send
from collab.room.events import Event, Joined, RowRelayed, Said
from collab.room.room import Room
from collab.room.session import Session
from collab.room.slow_readers import SlowReaders
from collab.room.window import Window
from tests.network import Replica, Violation, random_story

SCHEDULES = 2_000
CHUNK = 250
SEEDS_PER_FAULT = 400


@pytest.mark.schedules
@pytest.mark.parametrize("first", range(0, SCHEDULES, CHUNK))
def test_every_schedule_keeps_every_promise(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if first % (2 * CHUNK):  # the documents here are small: answer those who join as in a large one
        monkeypatch.setattr(shared_diffs, "later_bytes_max", lambda _: 1 << 20)
    for seed in range(first, first + CHUNK):
        try:
            random_story(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


# --- planted faults: altered events and effects of a room ----------------------------------------------


def acknowledge_before_the_commit(event: Event, effects: list[Effect]) -> list[Effect]:
    if isinstance(event, Said) and isinstance(event.message, Update) and any(isinstance(e, Queued) for e in effects):
        return [*effects, Send((event.session,), Saved(event.message.update))]
    return [each for each in effects if not (isinstance(each, Send) and isinstance(each.message, Saved))]


def forget_to_send_updates_with_a(_event: Event, effects: list[Effect]) -> list[Effect]:
    return [each for each in effects if not (isinstance(each, Send) and _is_update_with_a(each.message))]


def _is_update_with_a(message: object) -> bool:
    return isinstance(message, Update) and b"a" in message.update


def let_readers_write(event: Event) -> Event:
    return Joined(replace(event.session, can_write=True)) if isinstance(event, Joined) else event


class TakesTheNextRowForTheMissingOne:
    def __call__(self, event: Event) -> Event:
        if isinstance(event, RowRelayed) and event.row.seq > 2:
            return RowRelayed(replace(event.row, seq=Sequence(event.row.seq - 1)), event.epoch)
        return event


@dataclass
class Fault:
    """A planted fault, and a pattern of the violations that may reveal it."""

    found: str
    effects: Callable[[Event, list[Effect]], list[Effect]] = field(default=lambda _, effects: effects)
    event: Callable[[Event], Event] = field(default=lambda event: event)
    window: type[Window] = Window
    slow_readers: type[SlowReaders] = SlowReaders
    parts: dict[str, Any] = field(default_factory=dict)

    def make_room(self, *args: Any, **parts: Any) -> Room:
        return FaultyRoom(self, *args, **parts)


class FaultyRoom(Room):
    """A room whose events or effects are altered."""

    def __init__(self, fault: Fault, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self._fault = fault
        self._sessions.window.__class__ = fault.window
        self._slow_readers.__class__ = fault.slow_readers

    def step(self, now_s: float, event: Event) -> list[Effect]:
        return self._fault.effects(event, super().step(now_s, self._fault.event(event)))


class AppliesUpdatesThatAreNotReady(Document):
    def assess(self, update: InspectedUpdate, **how: Any) -> Assessment:
        assessment = super().assess(update, **how)
        return News(update) if isinstance(assessment, Lacks) and not how.get("committed") else assessment


class LosesWhatWaits(Window):
    def note_end(self) -> None:
        super().note_end()
        self.take(0.0, 0)


class SendsAuthorsTheirOwn(Window):
    def add(self, update: InspectedUpdate, author: SessionId | None) -> None:
        super().add(update, None)


class AsksForItsEndAgain(Window):
    def end_to_await(self, now_s: float, sessions: int) -> float | None:
        self.note_end()
        return super().end_to_await(now_s, sessions)


class TakesWhatWaitsForSent(Window):
    def first_clocks(self, reader: SessionId) -> dict[int, int]:
        return {}


class ForgetsWhatWasMissed(SlowReaders):
    def _catch_up(self, session: Session) -> None:
        assert session.lag is not None
        session.lag.has = encode_state_vector(self._document.state)
        super()._catch_up(session)


class SendsBackWhatALaggingSessionWrote(SlowReaders):
    def _catch_up(self, session: Session) -> None:
        assert session.lag is not None
        session.lag.wrote.clear()
        super()._catch_up(session)


class ForgetsTheLastEntryOfARow(Room):
    def next_row(self) -> Row | None:
        row = super().next_row()
        entries = () if row is None else decode_entries(row.payload)
        return row if row is None or len(entries) < 2 else replace(row, payload=encode_entries(entries[:-1]))


class HoldsBackWhatOthersNeed(Room):
    """A room that logs a large update only once it is complete, whatever others build on it meanwhile."""

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self._updates.turns.release_mentioned = lambda *_, **__: None  # type: ignore[method-assign]
        self._updates.turns.release_all = lambda: None  # type: ignore[method-assign]


class AnswersBeforeWhatIsRepeated(Room):
    """A room that acknowledges a frame while what it repeats is held back."""

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self._updates.turns.release_repeated = lambda *_, **__: iter(())  # type: ignore[method-assign, assignment]


class UnloadsWithoutFlushing(Replica):
    def may_unload(self) -> bool:
        return self.host is not None and not self.clients


def leave_a_row_out(snapshot: bytes | None, rows: Iterable[CommittedRow]) -> bytes:
    return compact(snapshot, list(rows)[:-1])


NOT_COMMITTED = "got an acknowledgement of an update that is not committed"
ITS_OWN = "was sent its own edit before it was saved"
DIFFERS = "reads '.*', the log reads|differs from the log|has other clocks than the log"

FAULTS = {
    "acknowledgement before the commit": Fault(NOT_COMMITTED, effects=acknowledge_before_the_commit),
    "update applied before its dependencies": Fault(
        "the log is not in causal order", parts={"document_class": AppliesUpdatesThatAreNotReady}
    ),
    "reader may write": Fault("is a reader, but changed the document", event=let_readers_write),
    "entry left out of a row": Fault(f"{NOT_COMMITTED}|causal order", parts={"make_room": ForgetsTheLastEntryOfARow}),
    "update not sent": Fault(DIFFERS, effects=forget_to_send_updates_with_a),
    "row applied in the place of another": Fault(
        f"{DIFFERS}|the room cannot continue|causal order", event=TakesTheNextRowForTheMissingOne()
    ),
    "snapshot that leaves a row out": Fault(
        "the log reads back differently|the stored snapshot and rows make no document", parts={"merge": leave_a_row_out}
    ),
    "window lost": Fault(DIFFERS, window=LosesWhatWaits),
    "author sent its own edit": Fault(ITS_OWN, window=SendsAuthorsTheirOwn),
    "timer for every edit": Fault("a room has two timers", window=AsksForItsEndAgain),
    "large update held back too long": Fault(
        f"{NOT_COMMITTED}|causal order|the room cannot continue", parts={"make_room": HoldsBackWhatOthersNeed}
    ),
    "frame acknowledged while what it repeats is held back": Fault(
        NOT_COMMITTED, parts={"make_room": AnswersBeforeWhatIsRepeated}
    ),
    "lagging session misses what waited": Fault(DIFFERS, window=TakesWhatWaitsForSent),
    "lagging session misses all": Fault(DIFFERS, slow_readers=ForgetsWhatWasMissed),
    "lagging session sent its own edit": Fault(ITS_OWN, slow_readers=SendsBackWhatALaggingSessionWrote),
    "unload without flush": Fault("a room was unloaded with", parts={"replica_class": UnloadsWithoutFlushing}),
}


def first_seed_that_finds(fault: Fault) -> int | None:
    for seed in range(SEEDS_PER_FAULT):
        try:
            random_story(seed, **{"make_room": fault.make_room, **fault.parts})
        except Violation as violation:
            if re.search(fault.found, str(violation)):
                return seed
    return None


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found_with_its_own_message(fault: str) -> None:
    assert first_seed_that_finds(FAULTS[fault]) is not None
