"""Who wrote this: the author of the first entry of the log that brought it."""

from collab.ids import UserId
from collab.protocol.rows import Entry
from collab.room.attribution import Attribution, Attributions
from tests.protocol.build import text, update

ANN, BOB = UserId("ann"), UserId("bob")


def entry(author: UserId, clock: int, what: str, *, carried: bool = False) -> Entry:
    """``author`` sends text of client 7."""
    struct = text(what, root="t") if clock == 0 else text(what, left=(7, clock - 1))
    return Entry(author, update((7, clock, [struct])), carried)


def test_an_edit_is_its_authors_and_what_follows_is_the_next_ones() -> None:
    attributions = Attributions()
    for each in (entry(ANN, 0, "abc"), entry(ANN, 3, "d"), entry(BOB, 4, "ef", carried=True), entry(ANN, 6, "g")):
        attributions.add(each)
    whose = [attributions.of((7, clock)) for clock in range(8)]
    assert whose == [Attribution(ANN, False)] * 4 + [Attribution(BOB, True)] * 2 + [Attribution(ANN, False), None]


def test_who_repeats_an_edit_does_not_become_its_author() -> None:
    attributions = Attributions()
    attributions.add(entry(ANN, 0, "abc"))
    attributions.add(entry(BOB, 0, "abc"))
    attributions.add(entry(BOB, 0, "abcd"))
    assert attributions.of((7, 2)) == Attribution(ANN, False)
    assert attributions.of((7, 3)) == Attribution(BOB, False)


def test_an_id_that_the_log_does_not_have_is_nobodys() -> None:
    attributions = Attributions()
    assert attributions.of((7, 0)) is None
