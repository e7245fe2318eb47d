"""The awareness table: owners of clients, removal, and exchange between replicas."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.ids import ClientId, SessionId, UserId, WriterId
from collab.protocol.limits import AWARENESS_BYTES_MAX, AWARENESS_STATE_BYTES_MAX
from collab.protocol.messages import GONE, AwarenessEntry
from collab.protocol.presence import Claim, PresenceEntry
from collab.room import awareness as module
from collab.room.awareness import CLIENTS_ADDED_MAX, GRACE_S, SILENCE_S, TOMBSTONE_S, Awareness, in_messages, stamp
from collab.room.session import Session
from tests.room.build import a_session

HERE = b'{"cursor":1}'
THERE = b'{"cursor":2}'
ONE, OTHER, THIRD = WriterId(1), WriterId(2), WriterId(3)


def says(client: int, clock: int, state: bytes = HERE) -> AwarenessEntry:
    return AwarenessEntry(ClientId(client), clock, state)


def of(user: str, entry: AwarenessEntry) -> PresenceEntry:
    return PresenceEntry(UserId(user), entry)


def relayed(user: str, entry: AwarenessEntry) -> PresenceEntry:
    """Return the entry that another replica sends for a client that a session of ``user`` relayed."""
    return PresenceEntry(UserId(user), entry, Claim.RELAYED)


class Table(Awareness):
    """An awareness table with short methods that return the entries to announce."""

    def hear(self, session: Session, *entries: AwarenessEntry, now_s: float = 0.0) -> list[AwarenessEntry]:
        return [each.entry for each in self.receive(session, entries, now_s)]

    def hear_from(self, writer: WriterId, *entries: PresenceEntry, now_s: float = 0.0) -> list[AwarenessEntry]:
        return [each.entry for each in self.receive_from_replica(writer, entries, now_s)]

    def lose(self, session: Session, now_s: float = 0.0) -> None:
        assert self.leave(session.id, now_s, clean=False) == ()

    def gone_by(self, now_s: float) -> list[AwarenessEntry]:
        return [each.entry for each in self.expire(now_s)]

    @property
    def here(self) -> list[int]:
        return [entry.client for entry in self.entries()]


# --- the name in a state -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claimed", [b'{"user":{"name":"Eve"}}', b'{"us\\u0065r":{"name":"Eve"}}', b'{"user":{"n\\u0061me":"Eve"}}']
)
def test_claimed_name_is_replaced_in_every_json_spelling(claimed: bytes) -> None:
    assert json.loads(stamp(claimed, UserId("a"), "Ada")) == {"user": {"name": "Ada"}}


def test_only_id_and_name_in_the_state_are_replaced() -> None:
    state = b'{"user":{"name":5,"id":"eve","color":"#fff"},"x":[1,null,"\xc3\xa9"]}'
    true = json.loads(stamp(state, UserId("a"), "Ada"))
    assert true == {"user": {"name": "Ada", "id": "a", "color": "#fff"}, "x": [1, None, "é"]}


@pytest.mark.parametrize(
    "state",
    [
        b'{"cursor": 1.50}',
        b'{"user": "Eve"}',
        b'{"user": {"color": "#fff"}, "n": 1e2}',
        b'{"user": {"name": "Ada", "id": "a"}, "n": 1.0}',
        b'{"text": "\\u0041"}',
    ],
)
def test_state_without_a_false_name_is_unchanged(state: bytes) -> None:
    assert stamp(state, UserId("a"), "Ada") is state


def test_lone_surrogate_is_preserved() -> None:
    stamped = stamp(b'{"user":{"name":"x"},"half":"\\ud83d","e":"\xc3\xa9"}', UserId("a"), "\ud83d")
    assert json.loads(stamped.decode()) == {"user": {"name": "\ud83d"}, "half": "\ud83d", "e": "é"}


words = st.text('ab \\"\u00e9\ud83d\U0001f600', max_size=6)


@given(
    st.dictionaries(
        st.sampled_from(["user", "cursor", "name"]),
        st.none() | words | st.dictionaries(st.sampled_from(["name", "id", "color"]), words | st.integers()),
    ),
    st.booleans(),
)
def test_stamped_state_differs_only_in_name_and_id(state: dict[str, object], plain: bool) -> None:
    before = json.dumps(state, ensure_ascii=plain).encode(errors="backslashreplace")
    after = json.loads(stamp(before, UserId("a"), "Ada"))
    claimed = state.get("user")
    if isinstance(claimed, dict):
        claimed |= {key: true for key, true in (("name", "Ada"), ("id", "a")) if key in claimed}
    assert after == state


def test_stamped_state_is_announced() -> None:
    table, ann = Table(), a_session(1, "ann")
    (told,) = table.hear(ann, says(7, 1, b'{"user":{"name":"Eve"}}'))
    assert told.state == b'{"user":{"name":"Ann"}}'
    assert table.entries() == (told,)
    assert table.local_entries() == (of("ann", told),)


# --- clocks --------------------------------------------------------------------------------------------


def test_only_a_newer_state_is_announced() -> None:
    table, ann = Table(), a_session(1)
    assert table.hear(ann, says(7, 5)) == [says(7, 5)]
    assert table.hear(ann, says(7, 5, THERE), says(7, 4, THERE)) == []
    assert table.hear(ann, says(7, 6, THERE)) == [says(7, 6, THERE)]
    assert table.entries() == (says(7, 6, THERE),)


def test_first_state_may_have_clock_zero() -> None:
    table = Table()
    assert table.hear(a_session(1), says(7, 0, b"{}")) == [says(7, 0, b"{}")]


def test_client_removes_itself_at_an_equal_or_newer_clock() -> None:
    for clock in (5, 6):
        table, ann = Table(), a_session(1)
        table.hear(ann, says(7, 5))
        assert table.hear(ann, says(7, 4, GONE)) == []
        assert table.hear(ann, says(7, clock, GONE)) == [says(7, clock, GONE)]
        assert table.hear(ann, says(7, clock, GONE)) == []
        assert table.here == []


def test_removal_of_an_unknown_client_is_ignored() -> None:
    table = Table()
    assert table.hear(a_session(1), says(7, 5, GONE)) == []
    assert table.local_entries() == ()


def test_late_echo_does_not_restore_a_removed_client() -> None:
    table, ann = Table(), a_session(1)
    table.hear(ann, says(7, 5))
    table.leave(ann.id, 10.0, clean=True)
    for later in (a_session(2, "ann"), a_session(3, "bob")):
        assert table.hear(later, says(7, 5)) == []
    table.gone_by(10.0 + TOMBSTONE_S)
    assert table.hear(a_session(4), says(7, 5)) == []
    table.gone_by(10.0 + TOMBSTONE_S + 1)
    assert table.local_entries() == ()
    assert table.hear(a_session(5), says(7, 5)) == [says(7, 5)]


def test_removed_client_returns_with_a_newer_clock() -> None:
    table, ann = Table(), a_session(1)
    table.hear(ann, says(7, 5))
    table.leave(ann.id, 0.0, clean=True)
    assert table.hear(a_session(2), says(7, 6)) == [says(7, 6)]


# --- owners of clients ---------------------------------------------------------------------------------


def test_entry_for_a_client_of_another_user_is_dropped_silently() -> None:
    table, ann, eve = Table(), a_session(1, "ann"), a_session(2, "eve")
    table.hear(ann, says(7, 5))
    assert table.hear(eve, says(7, 9, THERE)) == []
    assert table.hear(eve, says(7, 9, GONE)) == []
    assert table.entries() == (says(7, 5),)
    table.lose(ann)
    assert table.hear(eve, says(7, 9, THERE)) == []


def test_removal_by_another_session_of_the_same_user_is_dropped() -> None:
    """Older clients announce the removal of all others when they reconnect."""
    table, first, second = Table(), a_session(1), a_session(2)
    table.hear(first, says(7, 5))
    assert table.hear(second, says(8, 1), says(7, 6, GONE)) == [says(8, 1)]
    assert table.here == [7, 8]


def test_tabs_of_one_user_may_update_each_other() -> None:
    table, first, second = Table(), a_session(1), a_session(2)
    table.hear(first, says(7, 5))
    table.hear(second, says(8, 1))
    assert table.hear(second, says(7, 6, THERE)) == [says(7, 6, THERE)]
    assert table.hear(second, says(7, 7, GONE)) == [says(7, 7, GONE)]


def test_owner_takes_over_a_client_that_another_user_relayed() -> None:
    table, ann, bob, eve = Table(), a_session(1, "ann"), a_session(2, "bob"), a_session(3, "eve")
    table.hear(ann, says(7, 1), says(8, 1))
    assert table.owner(8) is None
    assert table.hear(eve, says(6, 1), says(8, 2)) == [says(6, 1)]
    assert table.hear(bob, says(8, 1, THERE)) == [says(8, 1, THERE)]
    assert table.owner(8) == "bob"
    assert table.hear(ann, says(8, 2), says(8, 2, GONE)) == []
    table.hear(ann, says(7, 2))
    assert (table.owner(7), table.owner(8)) == ("ann", "bob")


def test_owner_at_a_lower_clock_takes_over_and_can_remove_the_client() -> None:
    table, ann, bob = Table(), a_session(1, "ann"), a_session(2, "bob")
    named = b'{"user":{"name":"Ann"}}'
    table.hear(ann, says(7, 1), says(8, 3, named))
    assert table.hear(bob, says(8, 1, named)) == [says(8, 3, named.replace(b"Ann", b"Bob"))]
    assert table.owner(8) == "bob"
    assert table.leave(bob.id, 0.0, clean=True)[0].entry == says(8, 3, GONE)


def test_owner_on_another_replica_may_have_a_lower_clock() -> None:
    table, ann = Table(), a_session(1, "ann")
    table.hear(ann, says(7, 1), says(8, 3))
    assert table.hear_from(OTHER, of("bob", says(8, 2, GONE))) == []
    assert table.hear_from(OTHER, of("bob", says(8, 2))) == []
    assert table.owner(8) == "bob"
    assert table.hear_from(OTHER, of("bob", says(8, 3, GONE))) == [says(8, 3, GONE)]


def test_client_of_a_reader_cannot_be_taken_over() -> None:
    table, ann, eve = Table(), a_session(1, "ann", can_write=False), a_session(2, "eve")
    table.hear(ann, says(7, 1))
    assert table.hear(eve, says(7, 2)) == []


def test_reader_has_presence_but_owns_no_client() -> None:
    table, eve = Table(), a_session(1, "eve", can_write=False)
    assert table.hear(eve, says(7, 1)) == [says(7, 1)]
    assert table.owner(7) is None
    eve.can_write = True
    table.hear(eve, says(7, 2))
    assert table.owner(7) == "eve"
    eve.can_write = False
    table.hear(eve, says(7, 3))
    assert table.owner(7) is None


def test_echo_does_not_take_a_client_over() -> None:
    """Many clients echo every state that they receive, and all anonymous clients are the same user."""
    table, first, second = Table(), a_session(1), a_session(2)
    table.hear(second, says(8, 1))
    table.hear(first, says(7, 5))
    assert table.hear(second, says(7, 5)) == []
    assert [each.entry for each in table.leave(first.id, 0.0, clean=True)] == [says(7, 5, GONE)]


def test_client_restored_by_another_tab_belongs_to_itself_again() -> None:
    """Two tabs in one browser: the removal of one is echoed to it by the other, so it announces itself again."""
    table, ada, tab = Table(), a_session(1), a_session(2)
    table.hear(ada, says(1, 1))
    table.hear(tab, says(2, 1))
    table.hear(ada, says(1, 1, GONE))
    table.hear(tab, says(1, 1, GONE), says(1, 2))
    assert table.hear(ada, says(1, 2)) == [says(1, 2)]
    assert [each.entry for each in table.leave(ada.id, 0.0, clean=True)] == [says(1, 2, GONE)]
    assert table.here == [2]


def test_client_on_two_sockets_is_not_announced_again_by_echoes() -> None:
    """Two providers share one document. If each echo were announced, and echoed, it would never end."""
    table, one, other = Table(), a_session(1), a_session(2)
    table.hear(one, says(1, 1))
    assert table.hear(other, says(1, 1)) == [says(1, 1)]
    assert table.hear(one, says(1, 1)) == []
    assert table.hear(other, says(1, 1)) == []


def test_client_relayed_by_another_tab_gets_an_owner_once_it_speaks() -> None:
    table, ada, tab, reader = Table(), a_session(1), a_session(2), a_session(3, "eve")
    table.hear(ada, says(1, 1))
    table.hear(tab, says(2, 1))
    table.hear(ada, says(1, 1, GONE))
    table.gone_by(TOMBSTONE_S + 1)
    table.hear(tab, says(1, 2))
    assert table.owner(1) is None
    table.hear(ada, says(1, 2))
    assert table.owner(1) == ada.user
    assert table.hear(reader, says(1, 3)) == []


def test_ended_session_removes_only_its_own_clients() -> None:
    table, ann, bob = Table(), a_session(1, "ann"), a_session(2, "bob")
    table.hear(ann, says(7, 5), says(8, 1))
    table.hear(bob, says(9, 1))
    assert table.leave(ann.id, 0.0, clean=True) == (of("ann", says(7, 5, GONE)), relayed("ann", says(8, 1, GONE)))
    assert table.here == [9]


# --- losing the connection -----------------------------------------------------------------------------


def test_clients_of_a_lost_session_stay_during_the_grace() -> None:
    table, ann = Table(), a_session(1)
    table.hear(ann, says(7, 5))
    table.lose(ann, 10.0)
    assert table.gone_by(10.0 + GRACE_S) == []
    assert table.here == [7]
    assert table.gone_by(10.1 + GRACE_S) == [says(7, 5, GONE)]
    assert table.gone_by(10.2 + GRACE_S) == []
    assert table.here == []


@pytest.mark.parametrize("lost_first", [True, False], ids=["after the loss", "before the loss is noticed"])
def test_client_that_returns_with_the_same_clock_on_a_new_socket_stays(lost_first: bool) -> None:
    table, before, after = Table(), a_session(1), a_session(2)
    table.hear(before, says(7, 5))
    if lost_first:
        table.lose(before)
    table.hear(after, says(7, 5))
    if not lost_first:
        table.lose(before)
    assert table.gone_by(GRACE_S + 1) == []
    assert table.here == [7]
    assert table.leave(after.id, 9.0, clean=True) == (of("ann", says(7, 5, GONE)),)


def test_another_user_cannot_take_over_a_lost_client() -> None:
    table, ann, eve = Table(), a_session(1, "ann"), a_session(2, "eve")
    table.hear(ann, says(7, 5))
    table.lose(ann)
    assert table.hear(eve, says(7, 5)) == []
    assert table.gone_by(GRACE_S + 1) == [says(7, 5, GONE)]


def test_silent_client_is_removed_and_a_renewing_one_stays() -> None:
    table, ann, bob = Table(), a_session(1, "ann"), a_session(2, "bob")
    table.hear(ann, says(7, 1), now_s=0.0)
    table.hear(bob, says(8, 1), now_s=0.0)
    table.hear(bob, says(8, 2), now_s=15.0)
    assert table.gone_by(SILENCE_S) == []
    assert table.gone_by(SILENCE_S + 0.1) == [says(7, 1, GONE)]
    assert table.here == [8]


# --- bounds --------------------------------------------------------------------------------------------


def test_full_table_drops_states_of_unknown_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENTS_MAX", 2)
    table, ann = Table(), a_session(1)
    assert table.hear(ann, says(1, 1), says(2, 1), says(3, 1)) == [says(1, 1), says(2, 1)]
    assert table.hear(ann, says(2, 2), says(3, 2)) == [says(2, 2)]


def test_one_session_cannot_fill_the_table() -> None:
    table, crowd, ann = Table(), a_session(1, "eve"), a_session(2, "ann")
    told = table.hear(crowd, *(says(client, 1) for client in range(CLIENTS_ADDED_MAX + 1)))
    assert len(told) == CLIENTS_ADDED_MAX
    assert table.hear(crowd, says(0, 2, GONE), says(999, 1)) == [says(0, 2, GONE)]
    assert table.hear(ann, says(999, 1)) == [says(999, 1)]
    assert table.hear(crowd, says(1, 2)) == [says(1, 2)]


def sized(size: int) -> bytes:
    """Return a state of this many bytes."""
    return b'{"a":"%s"}' % (b"x" * (size - 8))


def test_states_of_one_session_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSION_STATES_BYTES_MAX", 100)
    table, ann, bob = Table(), a_session(1), a_session(2, "bob")
    assert table.hear(ann, says(1, 1, sized(60)), says(2, 1, sized(41))) == [says(1, 1, sized(60))]
    assert table.hear(ann, says(2, 1, sized(40))) == [says(2, 1, sized(40))]
    assert table.hear(ann, says(1, 2, sized(61))) == []
    assert table.hear(ann, says(1, 3, sized(60))) == [says(1, 3, sized(60))]
    assert table.hear(bob, says(9, 1, sized(100))) == [says(9, 1, sized(100))]
    table.hear(ann, says(2, 2, GONE))
    assert table.hear(ann, says(1, 4, sized(100))) == [says(1, 4, sized(100))]


def test_states_of_a_room_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATES_BYTES_MAX", 100)
    table, ann, bob = Table(), a_session(1), a_session(2, "bob")
    table.hear(ann, says(1, 1, sized(50)))
    assert table.hear(bob, says(2, 1, sized(51))) == []
    assert table.hear_from(OTHER, of("coy", says(3, 1, sized(51)))) == []
    assert table.hear_from(OTHER, of("coy", says(3, 1, sized(30)))) == [says(3, 1, sized(30))]
    assert table.hear(bob, says(2, 2, sized(20))) == [says(2, 2, sized(20))]
    assert table.hear(ann, says(1, 2, sized(49))) == [says(1, 2, sized(49))]
    assert table.hear(bob, says(2, 3, sized(22))) == []
    table.lose_replica(OTHER, 1.0)
    assert table.hear(bob, says(2, 4, sized(51))) == [says(2, 4, sized(51))]


def test_bytes_of_a_lost_session_count_until_its_client_goes_and_once_if_it_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STATES_BYTES_MAX", 100)
    table, before, after, bob = Table(), a_session(1), a_session(2), a_session(3, "bob")
    table.hear(before, says(1, 1, sized(60)))
    table.lose(before)
    assert table.hear(bob, says(9, 1, sized(60))) == []
    assert table.hear(after, says(1, 1, sized(60))) == [says(1, 1, sized(60))]
    table.leave(after.id, 1.0, clean=True)
    assert table.hear(bob, says(9, 2, sized(100))) == [says(9, 2, sized(100))]
    assert (table._bytes, table._session_bytes) == (100, {bob.id: 100})


def test_states_are_told_in_messages_that_a_client_may_send_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MESSAGE_BYTES_MAX", 100)
    entries = [says(client, 1, sized(40)) for client in range(5)]
    large = says(9, 1, sized(101))
    messages = [message.entries for message in in_messages([*entries, large])]
    assert messages == [tuple(entries[:2]), tuple(entries[2:4]), tuple(entries[4:]), (large,)]
    assert list(in_messages([])) == []


def test_message_to_a_client_has_space_for_the_largest_state_and_for_its_echo() -> None:
    assert AWARENESS_STATE_BYTES_MAX < module.MESSAGE_BYTES_MAX < AWARENESS_BYTES_MAX


# --- two replicas --------------------------------------------------------------------------------------


def test_clients_of_another_replica_are_shown_but_not_sent_back() -> None:
    table = Table()
    assert table.hear_from(OTHER, of("bob", says(8, 1))) == [says(8, 1)]
    assert table.hear_from(OTHER, of("bob", says(8, 1)), of("bob", says(8, 0, THERE))) == []
    assert table.hear_from(OTHER, of("bob", says(8, 2, THERE))) == [says(8, 2, THERE)]
    assert table.entries() == (says(8, 2, THERE),)
    assert table.local_entries() == ()


def test_clients_of_another_replica_go_by_removal_or_silence() -> None:
    table = Table()
    table.hear_from(OTHER, of("bob", says(8, 1)), of("coy", says(9, 1)))
    assert table.hear_from(OTHER, of("bob", says(8, 1, GONE))) == [says(8, 1, GONE)]
    assert table.hear_from(OTHER, of("bob", says(8, 1))) == []
    table.hear_from(OTHER, of("coy", says(9, 1)), now_s=20.0)
    assert table.gone_by(SILENCE_S + 1) == []
    assert table.gone_by(SILENCE_S + 21) == [says(9, 1, GONE)]


def test_client_of_another_replica_belongs_to_its_user_here_too() -> None:
    table, eve, bob = Table(), a_session(1, "eve"), a_session(2, "bob")
    table.hear_from(OTHER, of("bob", says(8, 1)))
    assert table.hear(eve, says(8, 9, THERE), says(8, 9, GONE)) == []
    assert table.hear_from(THIRD, of("eve", says(8, 9, THERE))) == []
    assert table.hear(bob, says(8, 9, GONE)) == []
    assert table.entries() == (says(8, 1),)


def test_owner_takes_over_a_client_that_another_replica_relayed() -> None:
    here, there = Table(), Table()
    here.hear(a_session(1, "ann"), says(7, 1), says(8, 1))
    there.hear_from(ONE, *here.local_entries())
    assert (there.owner(7), there.owner(8)) == ("ann", None)
    bob = a_session(2, "bob")
    assert there.hear(bob, says(8, 1, THERE)) == [says(8, 1, THERE)]
    assert here.hear_from(OTHER, *there.local_entries()) == [says(8, 1, THERE)]
    assert here.owner(8) == there.owner(8) == "bob"
    assert there.hear_from(ONE, relayed("ann", says(8, 5))) == []


def test_echo_does_not_take_over_a_client_of_another_replica() -> None:
    table, ann = Table(), a_session(1, "anonymous")
    table.hear(ann, says(7, 1))
    table.hear_from(OTHER, of("anonymous", says(8, 1)))
    assert table.hear(ann, says(8, 1)) == []
    assert table.hear_from(OTHER, of("anonymous", says(8, 1, GONE))) == [says(8, 1, GONE)]


def test_client_that_moves_with_the_same_clock_stays_on_both_replicas() -> None:
    left, right = Table(), Table()
    before, after = a_session(1, "bob"), a_session(2, "bob")
    left.hear(before, says(8, 5))
    right.hear_from(ONE, *left.local_entries())
    left.lose(before)
    moved = right.receive(after, [says(8, 5)], 1.0)
    assert moved == (of("bob", says(8, 5)),)
    assert left.hear_from(OTHER, *moved) == []
    assert left.gone_by(GRACE_S + 1) == []
    assert left.here == right.here == [8]
    (removal,) = right.leave(after.id, 9.0, clean=True)
    assert left.hear_from(OTHER, removal) == [says(8, 5, GONE)]


def test_late_removal_by_the_old_replica_spares_a_client_that_moved() -> None:
    left, third = Table(), Table()
    before, after = a_session(1, "bob"), a_session(2, "bob")
    right = Table()
    left.hear(before, says(8, 5))
    for table in (right, third):
        table.hear_from(ONE, *left.local_entries())
    left.lose(before)
    moved = right.receive(after, [says(8, 5)], 1.0)
    third.hear_from(OTHER, *moved)  # the replica ``left`` never receives it
    removal = left.expire(GRACE_S + 1)
    assert removal == (of("bob", says(8, 5, GONE)),)
    assert right.hear_from(ONE, *removal) == []
    assert third.hear_from(ONE, *removal) == []
    assert right.here == third.here == [8]


def test_replica_overrides_others_about_its_own_sockets() -> None:
    table, ann = Table(), a_session(1, "ann")
    table.hear(ann, says(7, 5))
    assert table.hear_from(OTHER, of("ann", says(7, 5, THERE)), of("ann", says(7, 5, GONE))) == []
    assert table.hear_from(OTHER, of("eve", says(7, 6, THERE)), of("eve", says(7, 6, GONE))) == []
    assert table.entries() == (says(7, 5),)


def test_client_that_moved_before_its_loss_was_noticed_stays() -> None:
    table, ann = Table(), a_session(1, "ann")
    table.hear(ann, says(7, 5))
    assert table.hear_from(OTHER, of("ann", says(7, 6, THERE))) == [says(7, 6, THERE)]
    assert table.leave(ann.id, 0.0, clean=True) == ()
    assert table.here == [7]


def test_client_in_grace_is_removed_only_by_a_newer_clock() -> None:
    table, ann = Table(), a_session(1, "ann")
    table.hear(ann, says(7, 5))
    table.lose(ann)
    assert table.hear_from(OTHER, of("ann", says(7, 5, GONE))) == []
    assert table.hear_from(OTHER, of("ann", says(7, 6, GONE))) == [says(7, 6, GONE)]


def test_removals_are_sent_to_other_replicas_too() -> None:
    table, ann = Table(), a_session(1, "ann")
    table.hear(ann, says(7, 5))
    table.leave(ann.id, 0.0, clean=True)
    assert table.local_entries() == (of("ann", says(7, 5, GONE)),)
    assert table.entries() == ()


# --- any sequence of events ----------------------------------------------------------------------------

USERS = ("ann", "bob")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.integers(0, 3), st.integers(0, 2), st.integers(0, 4), st.booleans()),
        st.tuples(st.just("leave"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("remote"), st.integers(0, 1), st.integers(0, 2), st.integers(0, 4), st.booleans()),
        st.tuples(st.just("time"), st.floats(0, 10)),
    ),
    max_size=40,
)


@given(steps)
def test_peer_that_applies_every_change_has_the_table_of_the_room(events: list[tuple[object, ...]]) -> None:
    """The peer applies the changes by the rules of y-protocols."""
    table, now_s = Table(), 0.0
    sessions = {n: a_session(n, USERS[n % 2]) for n in range(4)}
    clocks: dict[int, int] = {}
    seen: dict[int, bytes] = {}
    for event in events:
        told: list[AwarenessEntry] = []
        match event:
            case ("hear", int(n), int(client), int(clock), bool(gone)):
                told = table.hear(sessions[n], says(client, clock, GONE if gone else HERE), now_s=now_s)
            case ("leave", int(n), bool(clean)):
                told = [each.entry for each in table.leave(SessionId(n), now_s, clean=clean)]
                sessions[n] = Session(SessionId(n), sessions[n].user, sessions[n].name, can_write=True)
            case ("remote", int(n), int(client), int(clock), bool(gone)):
                entry = says(client, clock, GONE if gone else HERE)
                told = table.hear_from(WriterId(n), of(USERS[client % 2], entry), now_s=now_s)
            case ("time", float(passed)):
                now_s += passed
                told = table.gone_by(now_s)
        for client, clock, state in ((e.client, e.clock, e.state) for e in told):
            known = clocks.get(client, -1)
            if clock > known or (clock == known and state == GONE and client in seen):
                clocks[client] = clock
                seen.pop(client, None)
                if state != GONE:
                    seen[client] = state
    if now_s <= TOMBSTONE_S:  # after that a clock may restart, as at every peer
        assert sorted(seen) == sorted(table.here)


def test_clients_of_a_lost_replica_go_unless_they_moved_here() -> None:
    table = Table()
    table.hear_from(OTHER, of("bob", says(8, 1)), of("cat", says(9, 1)))
    table.hear(a_session(1, "cat"), says(9, 1))
    assert table.lose_replica(OTHER, 2.0) == (of("bob", says(8, 1, GONE)),)
    assert [entry.client for entry in table.entries()] == [9]
    assert table.lose_replica(OTHER, 3.0) == ()


def test_removal_carries_the_claim_of_its_client() -> None:
    table, ann = Table(), a_session(1)
    table.hear(ann, says(7, 1))
    (removed,) = table.receive(ann, [says(7, 1, GONE)], 1.0)
    assert removed == PresenceEntry(ann.user, says(7, 1, GONE), Claim.SELF_WRITER)
    assert table.local_entries() == (removed,)
