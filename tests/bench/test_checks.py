"""What counts as delivered, and how late it was."""

import random
from dataclasses import replace

import pycrdt

from bench.checks import check_delivery, check_presence, presence_clocks, useful_deliveries
from bench.plan import Participant, Plan, Send
from bench.traffic import presence, typing
from tests.bench.loads import load_of, update_body

TYPED = typing(4, random.Random(1))
WRITER = Participant(
    "d",
    "writer",
    client_id=TYPED.client_id,
    sends=tuple(Send(float(number), "update", update) for number, update in enumerate(TYPED.updates)),
)
READER = Participant("d", "reader")
PLAN = Plan((WRITER, READER), warm_s=0.0)
BODIES = [update_body(update) for update in TYPED.updates]


def test_delivery_is_exact_when_every_update_arrives() -> None:
    load = load_of(PLAN, {1: [(number + 0.25, body) for number, body in enumerate(BODIES)]})
    delivery = check_delivery(PLAN, load)
    assert delivery.exact
    assert delivery.latencies_s == [0.25] * 4


def test_merged_updates_count_one_by_one() -> None:
    merged = update_body(pycrdt.merge_updates(*TYPED.updates[1:]))
    delivery = check_delivery(PLAN, load_of(PLAN, {1: [(0.5, BODIES[0]), (4.0, merged)]}))
    assert delivery.exact
    assert delivery.latencies_s == [0.5, 3.0, 2.0, 1.0]


def test_update_that_never_arrives_is_missing() -> None:
    delivery = check_delivery(PLAN, load_of(PLAN, {1: [(1.0, body) for body in BODIES[:3]]}))
    assert delivery.missing == 1
    assert not delivery.exact


def test_update_behind_a_gap_is_missing() -> None:
    delivery = check_delivery(PLAN, load_of(PLAN, {1: [(1.0, BODIES[0]), (1.0, BODIES[2]), (1.0, BODIES[3])]}))
    assert delivery.missing == 3


def test_echo_is_no_delivery() -> None:
    everything = [(9.0, body) for body in BODIES]
    delivery = check_delivery(PLAN, load_of(PLAN, {0: everything, 1: everything}))
    assert delivery.echoes_s == [9.0, 8.0, 7.0, 6.0]
    assert len(delivery.latencies_s) == 4


def test_what_is_sent_during_the_warm_up_has_no_latency() -> None:
    plan = replace(PLAN, warm_s=2.0)
    load = load_of(plan, {1: [(9.0, body) for body in BODIES]})
    assert check_delivery(plan, load).latencies_s == [7.0, 6.0]
    assert useful_deliveries(plan, load) == 2


def test_reader_that_is_not_recorded_must_get_the_same_bytes() -> None:
    plan = Plan((WRITER, READER, replace(READER, recorded=False), replace(READER, recorded=False)), warm_s=0.0)
    load = load_of(plan, {1: [(9.0, body) for body in BODIES]}, hashes={1: 5, 2: 5, 3: 6})
    assert check_delivery(plan, load).different == 1


def test_reader_that_stops_reading_is_not_owed_anything() -> None:
    plan = Plan((WRITER, READER, replace(READER, stops_reading=True)), warm_s=0.0)
    load = load_of(plan, {1: [(9.0, body) for body in BODIES]})
    assert check_delivery(plan, load).exact
    assert useful_deliveries(plan, load) == 4


def test_presence_needs_the_last_state_only() -> None:
    states = [presence(7, clock, "Ada") for clock in (2, 3)]
    sends = tuple(Send(float(number), "presence", state) for number, state in enumerate(states))
    plan = Plan((Participant("d", "ada", client_id=7, sends=sends, recorded=False), READER), warm_s=0.0)
    first, last = (b"\1" + update_body(state)[2:] for state in states)
    assert presence_clocks(last) == {7: 3}
    assert check_presence(plan, load_of(plan, {1: [(1.5, last)]})).latencies_s == [0.5]
    assert check_presence(plan, load_of(plan, {1: [(1.5, last)]})).missing == 0
    assert check_presence(plan, load_of(plan, {1: [(1.5, first)]})).missing == 1
