"""Ownership of client ids: the owner's structs count, lost ones are carried, known ones are never overwritten."""

from typing import Any

import pytest

from collab.crdt.assessment import Assessment
from collab.crdt.comparison import contradiction
from collab.crdt.guard import inspect_update
from collab.crdt.update import InspectedUpdate, Struct
from collab.errors import Conflict, DocumentPoisoned, MissingDependencies, UpdateRefused
from collab.ids import ClientId, Sequence, SessionId, UserId
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate, Refused, Saved, SyncStep2, Update
from collab.protocol.presence import Claim, PresenceEntry
from collab.protocol.rows import Entry, decode_entries
from collab.room.effects import Fail, PublishPresence, Queued
from tests.protocol.build import gc, item, string, text, update
from tests.room.build import OTHER, SteppedRoom, a_room, a_row, a_session, commit, ends, told

ANN, BOB = 7, 8
ANNS_ITEM = text("ann's", root="content")
ANNS = update((ANN, 0, [ANNS_ITEM]))
BOBS = update((BOB, 0, [text("bob's", root="content")]))
FORGED = update((ANN, 0, [text("forged", root="content")]))
LATE_S = 6.0
BOTH = update((BOB, 0, [text("bob's", root="content")]), (ANN, 0, [ANNS_ITEM]))


def show(room: SteppedRoom, session: int, client: int, *, clock: int = 1) -> None:
    """Let a session announce this client id as its own."""
    room.receive(SessionId(session), AwarenessUpdate((AwarenessEntry(ClientId(client), clock, b"{}"),)), 0.0)


def ann_and_bob() -> SteppedRoom:
    """Return a room where Ann and Bob have announced themselves, as sessions 1 and 2."""
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    show(room, 1, ANN)
    show(room, 2, BOB)
    return room


def logged(room: SteppedRoom) -> tuple[Entry, ...]:
    row = room.next_row()
    return () if row is None else decode_entries(row.payload)


def test_structs_of_a_present_owner_wait_until_the_owner_sends_them() -> None:
    room = ann_and_bob()
    assert told(room.receive(SessionId(2), Update(BOTH), 0.0), 1) == [Update(BOBS)]
    assert room.document.text() == "bob's"
    effects = room.receive(SessionId(1), Update(ANNS), 1.0)
    assert told(effects, 2) == [Update(ANNS)]
    assert told(effects, 1) == []
    assert [entry.author for entry in logged(room)] == ["bob", "ann"]
    assert told(room.appended(Sequence(1)), 2) == [Saved(BOTH)]


def test_owner_withholds_updates_only_while_allowed_to_write() -> None:
    for can_write, claim in ((False, Claim.SELF), (True, Claim.SELF_WRITER)):
        ann = a_session(1)
        ann.can_write = not can_write
        room = a_room(sessions=[ann, a_session(2, "bob")])
        show(room, 1, ANN)
        (published,) = room.change(SessionId(1), can_write=can_write, name="Ann")
        assert published == PublishPresence((PresenceEntry(ann.user, AwarenessEntry(ClientId(ANN), 1, b"{}"), claim),))
        assert room.change(SessionId(1), can_write=can_write, name="Anna") == []
        assert (ann.can_write, ann.name) == (can_write, "Anna")
        room.receive(SessionId(2), Update(BOTH), 0.0)
        assert ("ann's" not in room.document.text()) == can_write
    assert room.change(SessionId(3), can_write=True, name="Unknown") == []


def test_forged_structs_are_refused_when_the_owner_sends_others() -> None:
    room = ann_and_bob()
    room.receive(SessionId(2), Update(FORGED), 0.0)
    room.receive(SessionId(1), Update(ANNS), 1.0)
    effects = room.tick(LATE_S)  # until then Ann might still send the rest of it
    assert room.document.text() == "ann's"
    assert told(effects, 2)[-1] == Refused()
    assert ends(effects) == {2: UpdateRefused}


def test_forgery_of_the_same_length_is_refused_at_once() -> None:
    room = ann_and_bob()
    room.receive(SessionId(2), Update(update((ANN, 0, [text("forge", root="content")]))), 0.0)
    assert ends(room.receive(SessionId(1), Update(ANNS), 1.0)) == {2: UpdateRefused}


def test_waiting_structs_are_carried_when_their_owner_leaves() -> None:
    room = ann_and_bob()
    room.receive(SessionId(2), Update(BOTH), 0.0)
    room.leave(SessionId(1), 1.0, clean=True)
    effects = room.tick(LATE_S)
    assert ends(effects) == {}
    assert told(commit(room), 2) == [Saved(BOTH)]


def test_waiting_update_is_assessed_again_only_once_all_of_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    room = ann_and_bob()
    read: list[InspectedUpdate] = []
    really = room.document.assess

    def note(update: InspectedUpdate, **how: Any) -> Assessment:
        read.append(update)
        return really(update, **how)

    monkeypatch.setattr(room.document, "assess", note)
    pieces = [text("a", root="content"), *(text("a", left=(ANN, at)) for at in range(9))]
    room.receive(SessionId(2), Update(update((ANN, 0, pieces))), 0.0)
    for at, piece in enumerate(pieces):
        room.receive(SessionId(1), Update(update((ANN, at, [piece]))), 0.0)
    assert sum(len(each.structs) > 1 for each in read) == 2


@pytest.mark.parametrize("moment", ["row", "timeout", "update"])
def test_comparison_that_breaks_the_engine_fails_the_room(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    room = ann_and_bob()
    room.receive(SessionId(2), Update(FORGED), 0.0)

    def fail(_: InspectedUpdate, **_how: Any) -> None:
        raise DocumentPoisoned

    if moment == "update":
        really = room.document.assess
        longer = text("ann's!", root="content")
        monkeypatch.setattr(
            room.document, "assess", lambda u, **how: fail(u) if u.payload == FORGED else really(u, **how)
        )
        effects = room.receive(SessionId(1), Update(update((ANN, 0, [longer]))), 1.0)
        assert sum(effect.size for effect in effects if isinstance(effect, Queued)) == room.unsaved_bytes > 0
    else:
        monkeypatch.setattr(room.document, "assess", fail)
        effects = room.receive_row(a_row(1, ANNS), room.epoch) if moment == "row" else room.tick(LATE_S)
    assert [type(effect.error) for effect in effects if isinstance(effect, Fail)] == [DocumentPoisoned]


def test_update_of_two_owners_waits_for_both() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, "bob"), a_session(3, "cat")])
    show(room, 1, ANN)
    show(room, 3, 9)
    cats = update((9, 0, [text("cat's", root="content")]))
    room.receive(SessionId(2), Update(update((9, 0, [text("cat's", root="content")]), (ANN, 0, [ANNS_ITEM]))), 0.0)
    room.receive(SessionId(1), Update(ANNS), 0.0)
    assert room.document.text() == "ann's"
    effects = room.receive(SessionId(3), Update(cats), 0.0)
    assert [entry.author for entry in logged(room)] == ["ann", "cat"]
    assert ends(effects) == {}


def test_rest_write_with_structs_of_a_present_owner_is_refused() -> None:
    room = ann_and_bob()
    program = a_session(3, "robot")
    program.queues_incomplete = False
    room.join(program)
    effects = room.receive(SessionId(3), Update(BOTH), 0.0)
    assert told(effects, 3) == [Refused()]
    assert ends(effects) == {3: Conflict}
    room.receive(SessionId(1), Update(ANNS), 1.0)
    assert [entry.author for entry in logged(room)] == ["ann"]


def test_owner_on_another_replica_counts_as_present() -> None:
    room = a_room(sessions=[a_session(2, "bob")])
    anns = PresenceEntry(UserId("ann"), AwarenessEntry(ClientId(ANN), 1, b"{}"))
    room.receive_presence(OTHER, [anns], 0.0, is_query=False)
    room.receive(SessionId(2), Update(FORGED), 0.0)
    assert room.document.text() == ""
    room.receive_row(a_row(1, ANNS), room.epoch)
    assert room.document.text() == "ann's"


def test_waiting_in_vain_for_an_owner_ends_the_session_every_time() -> None:
    room = ann_and_bob()
    for round_ in range(3):
        room.receive(SessionId(2), SyncStep2(BOTH), 10.0 * round_)
        assert ends(room.tick(10.0 * round_ + 6)) == {2: MissingDependencies}
        assert room.document.text() == "bob's"
        room.join(a_session(2, "bob"))
        show(room, 2, BOB, clock=round_ + 2)


def test_user_owns_a_client_id_that_another_user_relayed_first() -> None:
    room = a_room(sessions=[a_session(1), a_session(2, "bob")])
    show(room, 1, ANN)
    show(room, 1, BOB)  # relayed from another tab of the browser, where Bob is signed in
    show(room, 2, BOB)
    room.receive(SessionId(2), Update(BOBS), 0.0)
    assert logged(room) == (Entry(UserId("bob"), BOBS, carried=False),)


def test_reader_cannot_block_a_writer_by_showing_its_client_id() -> None:
    room = a_room(sessions=[a_session(1, "eve", can_write=False), a_session(2, "bob")])
    show(room, 1, BOB)
    room.receive(SessionId(2), Update(BOBS), 0.0)
    assert [entry.author for entry in logged(room)] == ["bob"]


def test_known_structs_of_a_present_owner_do_not_wait() -> None:
    room = ann_and_bob()
    room.receive(SessionId(1), Update(ANNS), 0.0)
    never = update((BOB, 5, [text("late", left=(BOB, 4))]), (ANN, 0, [ANNS_ITEM]))
    for round_ in range(2):
        room.receive(SessionId(2), Update(never), 10.0 * round_)
        ended = ends(room.tick(10.0 * round_ + 6))
        assert ended == ({2: MissingDependencies} if round_ == 0 else {})
        if ended:
            room.join(a_session(2, "bob"))
            show(room, 2, BOB, clock=2)


def test_user_may_send_structs_of_all_their_tabs() -> None:
    room = a_room(sessions=[a_session(1), a_session(2)])
    show(room, 1, ANN)
    room.receive(SessionId(2), Update(ANNS), 0.0)
    assert room.document.text() == "ann's"


def test_edit_resent_by_another_user_is_logged_as_carried() -> None:
    room = a_room(sessions=[a_session(2, "bob")])
    show(room, 2, BOB)
    room.receive(SessionId(2), SyncStep2(ANNS), 0.0)
    assert logged(room) == (Entry(UserId("bob"), ANNS, carried=True),)


def test_edit_under_an_own_client_id_is_not_carried() -> None:
    room = ann_and_bob()
    room.receive(SessionId(1), Update(ANNS), 0.0)
    assert logged(room) == (Entry(UserId("ann"), ANNS, carried=False),)


def test_returning_owner_gets_an_ack_for_an_edit_carried_meanwhile() -> None:
    room = a_room(sessions=[a_session(2, "bob")])
    show(room, 2, BOB)
    room.receive(SessionId(2), SyncStep2(ANNS), 0.0)
    commit(room)
    room.join(a_session(1))
    show(room, 1, ANN)
    assert told(room.receive(SessionId(1), Update(ANNS), 1.0), 1) == [Saved(ANNS)]
    more = update((ANN, 5, [text("!", left=(ANN, 4))]))
    room.receive(SessionId(1), Update(more), 2.0)
    assert room.document.text() == "ann's!"
    assert logged(room) == (Entry(UserId("ann"), more),)


@pytest.mark.parametrize(
    "other",
    [
        update((ANN, 0, [text("forg!", root="content")])),
        update((ANN, 2, [text("x's", left=(ANN, 1))])),
        update((ANN, 0, [text("ann't and more", root="content")])),
        update((ANN, 0, [item(6, string("b") + string("true"), root="content")])),
    ],
    ids=["all of it", "a part", "a longer struct", "another kind of content"],
)
def test_other_content_at_a_known_place_is_refused_and_never_acknowledged(other: bytes) -> None:
    room = a_room(ANNS, sessions=[a_session(1)])
    effects = room.receive(SessionId(1), Update(other), 0.0)
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: UpdateRefused}
    assert logged(room) == ()
    assert room.document.text() == "ann's"


@pytest.mark.parametrize(
    "again",
    [
        update((ANN, 1, [text("nn", left=(ANN, 0)), text("'s", left=(ANN, 2))])),
        update((ANN, 0, [gc(5)])),
        update((ANN, 0, [item(1, b"\x05", root="content")])),
        update((ANN, 0, [text("ann's more", root="content")])),
    ],
    ids=["split differently", "GC struct", "deleted", "longer struct"],
)
def test_equal_content_encoded_differently_is_no_contradiction(again: bytes) -> None:
    assert contradiction(inspect_update(again), inspect_update(ANNS)) is None


PAIRS = {
    "a value": (item(8, b"\2\x7d\5\x78"), item(8, b"\2\x7d\5\x79")),
    "an object": (item(8, b"\1\x76\1\1a\x7d\1"), item(8, b"\1\x76\1\1a\x7d\2")),
    "a value of a map": (item(8, b"\1\x77\1a", key="title"), item(8, b"\1\x77\1b", key="title")),
    "bytes": (item(3, b"\2ab"), item(3, b"\2ac")),
    "an embed": (item(5, string('{"src":"a"}')), item(5, string('{"src":"b"}'))),
    "a mark": (item(6, string("b") + string("true")), item(6, string("b") + string("null"))),
    "a mark of another name": (item(6, string("b") + string("true")), item(6, string("i") + string("true"))),
    "a type": (item(7, b"\0"), item(7, b"\1")),
    "an element": (item(7, b"\3" + string("p")), item(7, b"\3" + string("h"))),
}


@pytest.mark.parametrize("sort", PAIRS)
def test_other_content_of_each_kind_is_refused_and_equal_is_accepted(sort: str) -> None:
    stands, other = (update((ANN, 0, [each])) for each in PAIRS[sort])
    room = a_room(stands, sessions=[a_session(1)])
    assert told(room.receive(SessionId(1), Update(stands), 0.0), 1) == [Saved(stands)]
    effects = room.receive(SessionId(1), Update(other), 0.0)
    assert told(effects, 1) == [Refused()]
    assert ends(effects) == {1: UpdateRefused}


def test_values_are_compared_one_by_one_across_struct_boundaries() -> None:
    whole = inspect_update(update((ANN, 0, [item(8, b"\3\x7d\1\x7d\2\x7d\3")])))
    cut = update((ANN, 1, [item(8, b"\1\x7d\2", left=(ANN, 0)), item(8, b"\1\x7d\4", left=(ANN, 1))]))
    assert contradiction(inspect_update(cut), whole) == contradiction(whole, inspect_update(cut)) == (ANN, 2)


@pytest.mark.parametrize("sort", PAIRS)
def test_deleted_content_of_each_kind_contradicts_nothing(sort: str) -> None:
    stands, other = (update((ANN, 0, [each])) for each in PAIRS[sort])
    room = a_room(stands, update(deletes={ANN: [(0, 2 if sort == "a value" else 1)]}), sessions=[a_session(1)])
    assert told(room.receive(SessionId(1), Update(other), 0.0), 1) == [Saved(other)]


def test_text_is_read_once_when_compared_with_many_structs(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Struct] = []

    def read(self: InspectedUpdate, struct: Struct, *, really: Any = InspectedUpdate.text_of) -> str:
        reads.append(struct)
        return str(really(self, struct))

    monkeypatch.setattr(InspectedUpdate, "text_of", read)
    whole = inspect_update(update((ANN, 0, [text("a" * 50, root="content")])))
    pieces = inspect_update(
        update((ANN, 0, [text("a", root="content"), *(text("a", right=(ANN, at)) for at in range(49))]))
    )
    assert contradiction(whole, pieces) is contradiction(pieces, whole) is None
    assert len(reads) == 2 * (1 + 50)


def test_surrogates_agree_with_their_replacement_characters() -> None:
    whole = inspect_update(update((ANN, 0, [text("a\N{CAT FACE}b", root="content")])))
    split = inspect_update(update((ANN, 0, [text("a\ufffd", root="content"), text("\ufffdb", left=(ANN, 1))])))
    assert contradiction(whole, split) is contradiction(split, whole) is None


def test_deleted_text_contradicts_nothing() -> None:
    room = a_room(ANNS, update(deletes={ANN: [(0, 5)]}), sessions=[a_session(1)])
    other = update((ANN, 0, [text("forge", root="content")]))
    assert told(room.receive(SessionId(1), Update(other), 0.0), 1) == [Saved(other)]


def test_row_that_contradicts_an_earlier_row_changes_nothing() -> None:
    room = ann_and_bob()
    room.receive(SessionId(1), Update(ANNS), 0.0)
    commit(room)
    room.receive(SessionId(2), Update(BOBS), 0.0)  # in flight, and not affected
    effects = room.receive_row(a_row(2, FORGED, update((9, 0, [text("cat's ", root="content")]))), room.epoch)
    assert ends(effects) == {}
    assert not any(isinstance(effect, Fail) for effect in effects)
    assert "ann's" in room.document.text()
    assert "cat's" in room.document.text()
    assert "forge" not in room.document.text()
    assert room.cursor == 2


@pytest.mark.parametrize("how_far", ["queued", "in flight", "committed behind it"])
def test_row_that_contradicts_a_later_edit_ends_only_that_session(how_far: str) -> None:
    room = ann_and_bob()
    room.receive(SessionId(2), Update(BOBS), 0.0)
    commit(room, 1)
    room.receive(SessionId(1), Update(ANNS), 0.0)
    if how_far != "queued":
        assert room.next_row() is not None
    if how_far == "committed behind it":
        room.appended(Sequence(3))
    effects = room.receive_row(a_row(2, BOBS, FORGED), room.epoch)
    assert ends(effects) == {1: UpdateRefused}
    assert isinstance(effects[-1], Fail)


def test_room_fails_when_a_row_contradicts_its_uncommitted_edit() -> None:
    room = ann_and_bob()
    room.receive(SessionId(1), Update(ANNS), 0.0)
    effects = room.receive_row(a_row(1, FORGED), room.epoch)
    assert ends(effects) == {1: UpdateRefused}
    assert isinstance(effects[-1], Fail)
