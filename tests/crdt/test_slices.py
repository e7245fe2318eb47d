"""Large updates as small ones: the same structs, each behind what it refers to, and no slice larger than allowed."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.crdt.causality import split_update
from collab.crdt.guard import inspect_in_steps, inspect_update
from collab.crdt.scan import JSON_PARTS_MAX
from collab.crdt.slices import CausalOrder, SliceSize, deletion_slices, jumps, slices
from collab.crdt.steps import BYTES_PER_STEP, Steps
from collab.crdt.update import InspectedUpdate, Struct
from collab.errors import UpdateRefused
from tests.protocol.build import item, skip, text, uint, update
from tests.room.build import YjsClient, document_of

ANN, BOB, COY = 1, 2, 3


def ordered(whole: InspectedUpdate, state: dict[int, int], **how: object) -> tuple[list[Struct], CausalOrder]:
    order = CausalOrder(whole, state, **how)  # type: ignore[arg-type]
    return [struct for struct in order if struct is not None], order


def shuffled_history(seed: int) -> list[bytes]:
    dice = random.Random(seed)
    authors = [YjsClient(client) for client in (ANN, BOB, COY)]
    history: list[bytes] = []
    for _ in range(16):
        author = dice.choice(authors)
        history.append(author.type(dice.randint(0, len(author.text)), dice.choice(("a", "bc", "def"))))
        for other in authors:
            if dice.random() < 0.3:
                other.hear(author.everything)
    dice.shuffle(history)
    return history


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_order_yields_exactly_the_ready_part(seed: int) -> None:
    history = shuffled_history(seed)
    known = document_of()
    for each in history[:4]:
        split = split_update(inspect_update(each), known.state)
        if split.ready is not None:
            known = document_of(*([known.encode()] if known.state else []), split.ready.payload)
    author = YjsClient(9)
    for each in history:
        author.hear(each)
    for whole in (inspect_update(author.everything), *map(inspect_update, history)):
        split = split_update(whole, known.state)
        taken, order = ordered(whole, known.state)
        ready = split.ready.structs if split.ready else ()
        assert {(s.client, s.clock) for s in taken} == {(s.client, s.clock) for s in ready}
        have = dict(known.state)
        for struct in taken:
            assert struct.clock <= have.get(struct.client, 0)
            assert all(clock < have.get(client, 0) for client, clock in struct.needs)
            have[struct.client] = struct.clock + struct.length
        rest = split.rest.structs if split.rest else ()
        assert {(s.client, s.clock) for s in order.rest} == {(s.client, s.clock) for s in rest}


def test_structs_that_wait_for_each_other_cannot_come() -> None:
    cycle = inspect_update(update((ANN, 0, [text("a", left=(BOB, 0))]), (BOB, 0, [text("b", left=(ANN, 0))])))
    taken, order = ordered(cycle, {})
    assert taken == []
    assert len(list(order.rest)) == 2
    assert order.waits_for == {ANN: 0, BOB: 0}


def test_structs_behind_a_gap_wait_for_what_is_missing_in_it() -> None:
    gap = inspect_update(update((ANN, 0, [text("a", root="t"), skip(3), text("b", left=(ANN, 3))])))
    taken, order = ordered(gap, {})
    assert [struct.clock for struct in taken] == [0]
    assert order.waits_for == {ANN: 3}


def test_withheld_client_waits_until_all_of_it_is_here() -> None:
    both = inspect_update(update((ANN, 0, [text("a", root="t")] * 3), (BOB, 0, [text("b", left=(ANN, 1))])))
    taken, order = ordered(both, {}, is_withheld=lambda client: client == ANN)
    assert taken == []
    assert order.waits_for == {ANN: 1}


def test_order_may_be_asked_again_while_the_document_grows() -> None:
    state: dict[int, int] = {}
    order = iter(CausalOrder(inspect_update(update((ANN, 0, [text("a", root="t")] * 3))), state))
    first = next(order)
    state[ANN] = 2
    assert first is not None
    assert [struct.clock for struct in order if struct is not None] == [2]


# --- slices --------------------------------------------------------------------------------------------


def parts_of(whole: InspectedUpdate, size: SliceSize) -> Iterator[InspectedUpdate]:
    parts = slices(whole, CausalOrder(whole, {}), lambda: size)
    return (part for part in parts if part is not None)


def test_typing_fills_a_slice_and_jumps_do_not() -> None:
    typing = inspect_update(update((ANN, 0, [text("x", root="t"), *(text("x", left=(ANN, n)) for n in range(99))])))
    assert [len(part.structs) for part in parts_of(typing, SliceSize(40, 2))] == [40, 40, 20]
    jumping = inspect_update(update((ANN, 0, [text("x", root="t")] * 10)))
    assert [len(part.structs) for part in parts_of(jumping, SliceSize(40, 4))] == [4, 4, 2]


@pytest.mark.parametrize("structs_max", [1, 2, 5_000])
def test_what_others_bring_meanwhile_leaves_no_gap_in_a_slice(structs_max: int) -> None:
    chain = [text("b", root="t"), text("b", left=(ANN, 0)), *[text("b")] * 600]
    whole = inspect_update(update((BOB, 0, chain), (ANN, 0, [text("a")])))
    state: dict[int, int] = {}
    for part in slices(whole, CausalOrder(whole, state), lambda: SliceSize(structs_max, 5_000)):
        if part is not None:
            assert inspect_update(part.payload).structs == part.structs
        state[BOB] = state.get(BOB, 0) + 3  # from somebody else
    assert state[BOB] > 0


def test_each_slice_reads_as_its_bytes_say() -> None:
    whole = inspect_update(
        update(
            (ANN, 0, [text("x", root="t"), text("😀", left=(BOB, 0)), text("y", left=(ANN, 1))]),
            (BOB, 0, [item(7, b"\1", root="m"), text("in", parent=(BOB, 0))]),
        )
    )
    for part in parts_of(whole, SliceSize(2, 2)):
        again = inspect_update(part.payload)
        assert (part.structs, part.deletes, part.low_surrogates) == (again.structs, again.deletes, again.low_surrogates)


def test_deletions_are_sliced_by_their_two_ends() -> None:
    whole = inspect_update(update(deletes={ANN: [(clock, 1) for clock in range(0, 20, 2)]}))
    parts = list(deletion_slices(whole, whole.deletes, lambda: SliceSize(100, 6)))
    assert [len(part.deletes) for part in parts if part is not None] == [3, 3, 3, 1]


def test_jumps_are_counted_as_far_as_needed() -> None:
    assert jumps(inspect_update(update((ANN, 0, [text("x", left=(BOB, 0))]))), 8) == 1
    assert jumps(inspect_update(update(deletes={ANN: [(0, 1), (5, 1)]})), 8) == 4
    assert jumps(inspect_update(update((ANN, 0, [text("x", root="t")] * 100))), 8) == 9


# --- reading in steps ----------------------------------------------------------------------------------


def steps_of(steps: Steps[object]) -> int:
    count = 1
    try:
        while True:
            next(steps)
            count += 1
    except StopIteration:
        return count


@pytest.mark.parametrize(
    "payload",
    [
        update((ANN, 0, [text("x", root="t"), *[text("x", left=(ANN, 0))] * 20_000])),
        update(*[(client, 0, [text("x", root="t")]) for client in range(10_000)]),
        update((ANN, 0, [item(8, uint(20_000) + b"\x7e" * 20_000, root="t")])),
        update(deletes={ANN: [(clock, 1) for clock in range(0, 60_000, 3)]}),
        update(deletes={client: [(0, 1)] for client in range(20_000)}),
    ],
    ids=["structs", "clients", "values", "deletions", "clients of deletions"],
)
def test_reading_takes_a_step_for_every_few_thousand_bytes(payload: bytes) -> None:
    assert steps_of(inspect_in_steps(payload)) > len(payload) // (BYTES_PER_STEP + 64)


def test_characters_outside_the_basic_plane_are_counted_in_steps() -> None:
    assert steps_of(inspect_in_steps(update((ANN, 0, [text("😀" * 10_000, root="t")])))) > 10


def test_deletions_out_of_order_are_sorted_in_steps() -> None:
    payload = update(deletes={ANN: [(clock, 1) for clock in range(60_000, 0, -3)]})
    assert steps_of(inspect_in_steps(payload)) > 3 * len(payload) // (BYTES_PER_STEP + 64)
    assert inspect_update(payload).deletes[0].clock == 3


def test_json_of_too_many_parts_is_refused() -> None:
    def embed(commas: int) -> bytes:
        raw = b"[" + b"1," * commas + b"1]"
        return update((ANN, 0, [item(5, uint(len(raw)) + raw, root="t")]))

    inspect_update(embed(JSON_PARTS_MAX - 1))
    with pytest.raises(UpdateRefused, match="parts"):
        inspect_update(embed(JSON_PARTS_MAX))
