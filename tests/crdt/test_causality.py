"""The part of an update that is ready, and the clocks for which the rest waits."""

import random

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.causality import is_ready, split_update
from collab.crdt.guard import inspect_update
from collab.crdt.slices import CausalOrder, SliceSize, deletion_slices, slices
from collab.crdt.update import InspectedUpdate
from tests.crdt.asking import take
from tests.protocol.build import gc, item, skip, text, update
from tests.room.build import YjsClient, document_of, inspected

ANN, BOB, COY = 1, 2, 3


def read(*blocks: tuple[int, int, list[bytes]], **deletes: dict[int, list[tuple[int, int]]]) -> InspectedUpdate:
    return inspect_update(update(*blocks, **deletes))


def chars(count: int, *, left: tuple[int, int] | None = None) -> list[bytes]:
    """Return ``count`` structs of one character each, the first of them after ``left``."""
    return [text("x", left=left) for _ in range(count)]


def waits_for(update: InspectedUpdate, state: dict[int, int]) -> dict[int, int]:
    """Return the missing clock of each client; empty exactly if the update is ready."""
    split = split_update(update, state)
    assert is_ready(update, state) == (split.rest is None) == (not split.waits_for)
    return dict(split.waits_for)


# --- what is missing -----------------------------------------------------------------------------------


def test_first_structs_of_a_client_are_ready_for_an_empty_document() -> None:
    assert waits_for(read((ANN, 0, chars(3))), {}) == {}


def test_later_structs_of_a_client_wait_for_earlier_ones() -> None:
    next_words = read((ANN, 5, chars(1)))
    assert waits_for(next_words, {ANN: 3}) == {ANN: 4}
    assert waits_for(next_words, {ANN: 5}) == {}
    assert waits_for(next_words, {ANN: 9}) == {}


def test_struct_waits_for_its_neighbours_and_its_parent() -> None:
    beside = read((ANN, 0, [text("x", left=(BOB, 1), right=(COY, 4))]))
    assert waits_for(beside, {}) == {BOB: 1}
    assert waits_for(beside, {BOB: 2}) == {COY: 4}
    assert waits_for(beside, {BOB: 2, COY: 5}) == {}
    inside = read((ANN, 0, [text("x", parent=(BOB, 0))]))
    assert waits_for(inside, {}) == {BOB: 0}
    assert waits_for(inside, {BOB: 1}) == {}


def test_deletion_waits_for_the_first_missing_struct() -> None:
    deletion = read(deletes={BOB: [(0, 2), (4, 3)]})
    assert waits_for(deletion, {}) == {BOB: 0}
    assert waits_for(deletion, {BOB: 2}) == {BOB: 4}
    assert waits_for(deletion, {BOB: 6}) == {BOB: 6}
    assert waits_for(deletion, {BOB: 7}) == {}


def test_update_may_contain_its_dependencies_and_deleted_structs() -> None:
    both = read((ANN, 0, chars(2)), (BOB, 0, [text("y", left=(ANN, 1))]), deletes={ANN: [(0, 2)]})
    assert waits_for(both, {}) == {}


def test_update_may_contain_its_dependencies_later_in_its_bytes() -> None:
    backwards = read((BOB, 0, [text("y", left=(ANN, 1)), text("z", left=(COY, 0))]), (ANN, 0, chars(2)))
    assert waits_for(backwards, {}) == {COY: 0}
    assert waits_for(backwards, {COY: 1}) == {}


def test_update_waits_for_every_missing_link_of_its_own_chain() -> None:
    chain = read(
        (ANN, 0, [text("a", left=(BOB, 0))]), (BOB, 0, [text("b", left=(COY, 0))]), (COY, 0, [text("c", left=(9, 6))])
    )
    assert waits_for(chain, {}) == {9: 6, BOB: 0, COY: 0}
    assert waits_for(chain, {9: 7}) == {}


def test_cyclic_update_is_never_ready() -> None:
    cycle = read((ANN, 0, [text("a", left=(BOB, 0))]), (BOB, 0, [text("b", left=(ANN, 0))]))
    assert split_update(cycle, {}).ready is None
    assert waits_for(cycle, {}) == {ANN: 0, BOB: 0}


def test_cycle_of_many_clients_is_found_in_one_pass() -> None:
    many = 20_000
    cycle = read(*((client, 0, [text("x", left=((client + 1) % many, 0))]) for client in range(many)))
    assert split_update(cycle, {}).ready is None
    zigzag = read(
        (BOB, 0, [text("x", left=(ANN, clock)) for clock in range(many)]),
        (ANN, 0, [text("x", left=(BOB, clock - 1) if clock else None) for clock in range(many)]),
    )
    assert waits_for(zigzag, {}) == {}


def test_update_with_a_skip_waits_for_the_last_skipped_clock() -> None:
    skipping = read((ANN, 0, [*chars(2), skip(3), *chars(2, left=(BOB, 0))]), (BOB, 0, chars(1)))
    assert waits_for(skipping, {}) == {ANN: 4}
    assert waits_for(skipping, {ANN: 4}) == {ANN: 4}
    assert waits_for(skipping, {ANN: 5}) == {}
    assert waits_for(skipping, {ANN: 9}) == {}


def test_skip_with_nothing_behind_it_waits_for_nothing() -> None:
    assert waits_for(read((ANN, 0, [skip(3)]), (BOB, 0, [*chars(1), skip(1)])), {}) == {}


# --- slices --------------------------------------------------------------------------------------------


def test_slices_are_bounded_and_each_is_ready_after_those_before() -> None:
    many = 20
    zigzag = update(
        (BOB, 0, [text("x", left=(ANN, clock)) for clock in range(many)]),
        (ANN, 0, [text("x", left=(BOB, clock - 1) if clock else None) for clock in range(many)]),
        deletes={ANN: [(0, 3)], COY: [(1, 1)]},
    )
    state = {COY: 2}
    parts = [inspect_update(each) for each in in_slices(inspect_update(zigzag), state, 3)]
    assert [len(each.structs) for each in parts] == [3] * 13 + [1, 0]
    assert parts[-1].payload == update(deletes={COY: [(1, 1)], ANN: [(0, 3)]})
    for each in parts:
        assert waits_for(each, state) == {}
        for struct in each.structs:
            state[struct.client] = struct.clock + struct.length
    assert state == {ANN: many, BOB: many, COY: 2}


def in_slices(update: InspectedUpdate, state: dict[int, int], structs_max: int) -> list[bytes]:
    """Return what the engine is given of an update that is ready."""
    size = SliceSize(structs_max)
    parts = [*slices(update, CausalOrder(update, state), lambda: size)]
    parts += deletion_slices(update, update.deletes, lambda: size)
    return [part.payload for part in parts if part is not None]


def test_slices_are_in_the_order_of_the_engine() -> None:
    whole = read(
        (ANN, 0, [text("1"), text("1", left=(COY, 1))]),
        (BOB, 0, [text("2", left=(ANN, 0)), text("2")]),
        (COY, 0, [text("3", left=(BOB, 0)), text("3")]),
    )
    parts = [inspect_update(each) for each in in_slices(whole, {}, 1)]
    order = [(struct.client, struct.clock) for each in parts for struct in each.structs]
    assert order == [(ANN, 0), (BOB, 0), (COY, 0), (COY, 1), (BOB, 1), (ANN, 1)]


def test_deletions_are_a_slice_of_their_own() -> None:
    whole = read((ANN, 0, chars(3)), deletes={ANN: [(0, 1)]})
    assert len(list(in_slices(whole, {}, 2))) == 3
    assert len(list(in_slices(read((ANN, 0, chars(3))), {}, 2))) == 2


# --- the part that is ready ----------------------------------------------------------------------------


def part_of(whole: InspectedUpdate, state: dict[int, int]) -> InspectedUpdate | None:
    return split_update(whole, state).ready


def test_ready_part_of_a_ready_update_is_all_of_it() -> None:
    whole = read((BOB, 0, [text("y", left=(ANN, 1))]), (ANN, 0, chars(2)), deletes={ANN: [(0, 1)]})
    part = part_of(whole, {})
    assert part is not None
    assert {(s.client, s.clock, s.length, s.needs) for s in part.structs} == {
        (s.client, s.clock, s.length, s.needs) for s in whole.structs
    }
    assert part.deletes == whole.deletes


def test_ready_part_ends_for_each_client_at_the_first_struct_that_waits() -> None:
    whole = read((ANN, 0, [*chars(2), text("x", left=(9, 0)), *chars(1)]), (BOB, 0, chars(1)))
    part = part_of(whole, {})
    assert part is not None
    assert [(s.client, s.clock) for s in part.structs] == [(BOB, 0), (ANN, 0), (ANN, 1)]


def test_ready_part_ends_at_a_gap_or_a_skip() -> None:
    gap = part_of(read((ANN, 4, chars(1)), (BOB, 0, chars(1))), {ANN: 2})
    assert gap is not None
    assert [(s.client, s.clock) for s in gap.structs] == [(BOB, 0)]
    skipped = part_of(read((ANN, 0, [*chars(1), skip(2), *chars(1)])), {})
    assert skipped is not None
    assert [(s.client, s.clock) for s in skipped.structs] == [(ANN, 0)]


def test_ready_part_of_a_deletion_is_its_known_front() -> None:
    deletion = read(deletes={ANN: [(0, 2), (3, 4)], BOB: [(0, 1)]})
    part = part_of(deletion, {ANN: 5})
    assert part is not None
    assert part.deletes == ((ANN, 0, 2), (ANN, 3, 2))
    assert part_of(deletion, {}) is None


def test_ready_part_may_delete_its_own_structs() -> None:
    part = part_of(read((ANN, 0, chars(3)), deletes={ANN: [(1, 2)], BOB: [(0, 1)]}), {})
    assert part is not None
    assert part.deletes == ((ANN, 1, 2),)


def test_struct_with_a_known_front_is_ready() -> None:
    overlapping = read((ANN, 2, [text("abcdef"), gc(2), item(8, b"\x01\x7e", left=(ANN, 7))]))
    assert waits_for(overlapping, {ANN: 4}) == {}
    part = part_of(overlapping, {ANN: 4})
    assert part is not None
    assert len(part.structs) == 3


# --- the rest ------------------------------------------------------------------------------------------


def test_rest_is_an_update_that_waits_for_the_same_clocks() -> None:
    whole = read((ANN, 0, [*chars(2), skip(2), text("é", left=(COY, 7)), skip(1), *chars(1)]), deletes={BOB: [(0, 4)]})
    rest = split_update(whole, {BOB: 2}).rest
    assert rest is not None
    assert rest.payload == update((ANN, 4, [text("é", left=(COY, 7)), skip(1), *chars(1)]), deletes={BOB: [(2, 2)]})
    assert inspect_update(rest.payload).structs == rest.structs
    assert waits_for(rest, {ANN: 2, BOB: 2}) == {ANN: 3, BOB: 2} == waits_for(whole, {BOB: 2})
    assert waits_for(rest, {ANN: 4, BOB: 4}) == {COY: 7}


def test_structs_of_a_withheld_client_wait_for_the_last_of_them() -> None:
    whole = read((ANN, 0, chars(3)), (BOB, 0, [text("y", left=(ANN, 0))]), (COY, 0, chars(1)))
    split = split_update(whole, {ANN: 1}, frozenset((ANN,)))
    assert split.ready is not None
    assert split.rest is not None
    assert {struct.client for struct in split.ready.structs} == {BOB, COY}
    assert [(struct.client, struct.clock) for struct in split.rest.structs] == [(ANN, 1), (ANN, 2)]
    assert split.waits_for == {ANN: 2}


# --- both, on real histories ---------------------------------------------------------------------------


def a_history(seed: int) -> list[bytes]:
    """Return the updates of three clients that sometimes sync with each other."""
    dice = random.Random(seed)
    authors = [YjsClient(client) for client in (ANN, BOB, COY)]
    history: list[bytes] = []
    for _ in range(12):
        author = dice.choice(authors)
        if author.text and dice.random() < 0.3:
            history.append(author.delete(dice.randrange(len(author.text)), 1))
        else:
            history.append(author.type(dice.randint(0, len(author.text)), dice.choice(("a", "bc", "def"))))
        for other in authors:
            if dice.random() < 0.3:
                other.hear(author.everything)
    return history


@given(st.integers(0, 2**32), st.data())
def test_update_is_ready_exactly_when_all_of_it_is_its_ready_part(seed: int, data: st.DataObject) -> None:
    history = inspected(*a_history(seed))
    chosen = data.draw(st.sampled_from(history))
    state: dict[int, int] = {}
    for other in data.draw(st.lists(st.sampled_from(history), unique_by=id)):
        if other is not chosen and is_ready(other, state):
            for struct in other.structs:
                state[struct.client] = max(state.get(struct.client, 0), struct.clock + struct.length)
    part = part_of(chosen, state)
    whole = part is not None and (len(part.structs), part.deletes) == (len(chosen.structs), chosen.deletes)
    assert whole == is_ready(chosen, state)
    assert all(state.get(client, 0) <= clock for client, clock in waits_for(chosen, state).items())


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_ready_parts_in_any_order_and_retried_rests_make_the_whole(seed: int, dice: random.Random) -> None:
    history = a_history(seed)
    document = document_of()
    shuffled = inspected(*dice.sample(history, len(history)))
    for _ in history:  # at least one more update is ready in each round
        for whole in shuffled:
            part = part_of(whole, document.state)
            if part is not None:
                take(document, part)
    assert document.equals(document_of(*history))


def test_rest_has_the_surrogate_pairs_of_its_own_structs_alone() -> None:
    split = split_update(read((ANN, 0, [text("😀"), text("😀", left=(BOB, 0))])), {})
    assert split.ready is not None
    assert split.rest is not None
    assert split.ready.low_surrogates == {(ANN, 1)}
    assert split.rest.low_surrogates == {(ANN, 3)}
