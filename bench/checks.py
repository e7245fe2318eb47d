"""Did every update reach everybody, and when: from what the clients of a run received.

Frames are not counted, because servers merge updates. What each client received is applied to a document as a client
would, and the state vector says after each frame which updates have arrived. Clients with the same bytes are
examined once. Clients that were not recorded must have received the same bytes as a recorded reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pycrdt

from bench.load import Load, Received
from bench.plan import Participant, Plan, Stage
from bench.traffic import ROOT
from collab.protocol.varint import read_var_uint
from tests.frames import AWARENESS, STEP1

SYNC_TYPES = (0, 4)
"""A sync message, and Hocuspocus' reply that needs no answer."""


@dataclass
class Delivery:
    """What arrived. Latencies are in seconds, of what was sent after the warm-up."""

    latencies_s: list[float] = field(default_factory=list)
    """Of each update at each recorded client but its author."""
    echoes_s: list[float] = field(default_factory=list)
    """Of each update until it came back to its author: on collab that is after the commit."""
    missing: int = 0
    """Updates that a recorded client never got."""
    different: int = 0
    """Clients that were not recorded, and got other bytes than those that were."""
    incomplete: int = 0
    """Recorded clients that joined during the traffic, and end with a text of another length."""

    @property
    def exact(self) -> bool:
        """True if everybody got everything."""
        return not (self.missing or self.different or self.incomplete)


@dataclass(frozen=True, slots=True)
class Arrival:
    """With the frame at ``frame``, a client has the updates ``begin`` to ``stop`` of a writer."""

    frame: int
    writer: int
    begin: int
    stop: int


def useful_deliveries(plan: Plan, load: Load) -> int:
    """Return the number of updates sent after the warm-up, each times the others who read its document."""
    total = 0
    for document, numbers in plan.numbers.items():
        readers = sum(not each.stops_reading for each in plan.of(document))
        for number in numbers:
            others = readers - (not plan.participants[number].stops_reading)
            total += others * sum(sent_s >= _warm_s(load) for sent_s in load.sent_s[number])
    return total


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a client has, once it has applied everything it received."""

    arrivals: tuple[Arrival, ...]
    length: int


def check_delivery(plan: Plan, load: Load) -> Delivery:
    """Compare what arrived with what was sent."""
    delivery = Delivery()
    writers = {each.client_id: number for number, each in enumerate(plan.participants) if each.updates}
    replayed: dict[tuple[bytes, ...], Replayed] = {}
    for number, participant in enumerate(plan.participants):
        if participant.recorded and not participant.stops_reading:
            frames = [each for each in load.received.get(number, []) if _is_update(each.body)]
            key = tuple(each.body for each in frames)
            if key not in replayed:
                replayed[key] = replay(key, writers, plan)
            _settle(delivery, plan, load, number, frames, replayed[key])
    delivery.different = _count_different(plan, load)
    return delivery


def replay(bodies: Sequence[bytes], writers: dict[int | None, int], plan: Plan) -> Replayed:
    """Apply what a client received, in turn, and note which updates it has after each message."""
    doc: Any = pycrdt.Doc()
    have: dict[int, int] = {}
    found = []
    for frame, body in enumerate(bodies):
        doc.apply_update(_content(body))
        for client_id, clock in state_vector(doc.get_state()).items():
            writer = writers.get(client_id)
            if writer is None:
                continue
            count = clock // plan.participants[writer].characters
            before = have.get(writer, 0)
            if count > before:
                have[writer] = count
                found.append(Arrival(frame, writer, before, count))
    return Replayed(tuple(found), len(doc.get(ROOT, type=pycrdt.Text)))


def _settle(
    delivery: Delivery, plan: Plan, load: Load, reader: int, frames: list[Received], replayed: Replayed
) -> None:
    participant = plan.participants[reader]
    is_late = participant.stage is Stage.LATE
    arrived: dict[int, int] = {}
    for arrival in replayed.arrivals:
        arrived[arrival.writer] = arrival.stop
        into = delivery.echoes_s if arrival.writer == reader else delivery.latencies_s
        for sent_s in load.sent_s[arrival.writer][arrival.begin : arrival.stop]:
            if sent_s >= _warm_s(load) and not is_late:  # what was typed before it came arrives when it does
                into.append(frames[arrival.frame].at_s - sent_s)
    for number in plan.numbers[participant.document]:
        if number != reader:
            delivery.missing += len(plan.participants[number].updates) - arrived.get(number, 0)
    if is_late and replayed.length != plan.expected_length(participant.document):
        delivery.incomplete += 1


def check_presence(plan: Plan, load: Load) -> Delivery:
    """Compare the presence that the recorded clients saw with what was sent: a later state replaces an earlier one."""
    delivery = Delivery()
    sent_s = _sent_states(plan, load)
    last: dict[int, int] = {}
    for client_id, clock in sent_s:
        last[client_id] = max(clock, last.get(client_id, 0))
    for number, participant in enumerate(plan.participants):
        if participant.recorded:
            seen = _seen_states(delivery, load.received.get(number, []), sent_s, _warm_s(load))
            own = participant.client_id
            delivery.missing += sum(seen.get(each, 0) < clock for each, clock in last.items() if each != own)
    return delivery


def _sent_states(plan: Plan, load: Load) -> dict[tuple[int, int], float]:
    """Return when each state was sent, by client id and clock."""
    found = {}
    for participant, times in zip(plan.participants, load.sent_s, strict=True):
        for send, sent_s in zip(participant.sends, times, strict=True):
            if send.kind == "presence":
                (state,) = states(send.payload).items()
                found[state] = sent_s
    return found


def _seen_states(
    delivery: Delivery, received: list[Received], sent_s: dict[tuple[int, int], float], warm_s: float
) -> dict[int, int]:
    """Return the last clock that one client saw of each other; note how old each state was."""
    seen: dict[int, int] = {}
    for message in received:
        for client_id, clock in presence_clocks(message.body).items():
            if clock <= seen.get(client_id, 0):
                continue
            seen[client_id] = clock
            began_s = sent_s.get((client_id, clock), 0.0)
            if began_s >= warm_s:
                delivery.latencies_s.append(message.at_s - began_s)
    return seen


def _count_different(plan: Plan, load: Load) -> int:
    """Count the clients that were not recorded and differ from the recorded readers of their document."""
    known: dict[str, set[int]] = {}
    for participant, outcome in zip(plan.participants, load.outcomes, strict=True):
        if _only_reads(participant) and participant.recorded:
            known.setdefault(participant.document, set()).add(outcome.update_hash)
    return sum(
        outcome.update_hash not in known.get(participant.document, set())
        for participant, outcome in zip(plan.participants, load.outcomes, strict=True)
        if _only_reads(participant) and not participant.recorded and participant.stage is not Stage.LATE
    )


def _only_reads(participant: Participant) -> bool:
    return not participant.updates and not participant.stops_reading


def _warm_s(load: Load) -> float:
    return load.marks["warm"].at_s


def _is_update(body: bytes) -> bool:
    return body[0] in SYNC_TYPES and body[1] != STEP1


def _content(body: bytes, at: int = 2) -> bytes:
    size, at = read_var_uint(body, at)
    return body[at : at + size]


def state_vector(encoded: bytes) -> dict[int, int]:
    """Return the clock of each client id."""
    count, at = read_var_uint(encoded, 0)
    clocks = {}
    for _ in range(count):
        client_id, at = read_var_uint(encoded, at)
        clocks[client_id], at = read_var_uint(encoded, at)
    return clocks


def presence_clocks(body: bytes) -> dict[int, int]:
    """Return the clock of each client id in a message, if it is about presence."""
    return states(_content(body, 1)) if body[0] == AWARENESS else {}


def states(update: bytes) -> dict[int, int]:
    """Return the clock of each client id in an awareness update."""
    count, at = read_var_uint(update, 0)
    clocks = {}
    for _ in range(count):
        client_id, at = read_var_uint(update, at)
        clocks[client_id], at = read_var_uint(update, at)
        size, at = read_var_uint(update, at)
        at += size
    return clocks
