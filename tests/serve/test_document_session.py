"""A document on a Hocuspocus socket: every event in every state, and the order of what waits."""

from dataclasses import dataclass
from typing import get_args

import pytest

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import DocumentDeleted, Overloaded, PermissionDenied, TokenExpired, TokenMalformed, TokenMissing
from collab.ids import DocumentName, UserId
from collab.limits import ServerLimits
from collab.protocol.messages import Authenticate, Authenticated, Closed, Leave, SyncStep1, Update
from collab.serve.document_events import (
    AccessRevoked,
    Action,
    ChangeRole,
    CheckToken,
    Deliver,
    Delivered,
    Deny,
    Disconnected,
    Dismiss,
    Event,
    JoinRoom,
    KeysAway,
    LeaseExpired,
    LeaveRoom,
    Received,
    Renew,
    Reply,
    RoomEnded,
    RoomJoined,
    TimedOut,
    TokenAccepted,
    TokenRejected,
    WaitForToken,
)
from collab.serve.document_session import DocumentSession, DocumentState
from collab.serve.permit import Permit
from collab.serve.preauth_buffer import PreAuthBuffer

NOTES = DocumentName("notes")
ADA = Principal(UserId("ada"), "Ada", None, {"**": Role.EDITOR}, None)
BOB = Principal(UserId("bob"), "Bob", None, {"**": Role.EDITOR}, None)
PERMIT, BOBS_PERMIT = Permit(ADA, NOTES, Role.EDITOR), Permit(BOB, NOTES, Role.EDITOR)
GRANT, BOBS_GRANT = TokenAccepted(PERMIT), TokenAccepted(BOBS_PERMIT)
BAD_TOKEN, NO_ROLE, REFUSED = TokenMalformed(), PermissionDenied(), DocumentDeleted()
TOKEN, EDIT, LEAVE = Received(Authenticate("token"), 5), Received(Update(b"edit"), 4), Received(Leave(), 1)
TOKEN_V4 = Received(Authenticate("token", "4.0.0"), 5)


def make(*events: Event, has_principal: bool = False, frames_max: int = 100) -> DocumentSession:
    """Return a session to which these events have happened."""
    limits = ServerLimits(preauth_frames_max=frames_max)
    session = DocumentSession(PreAuthBuffer(limits), has_principal=has_principal)
    for event in events:
        session.step(event)
    return session


JOINED = (TOKEN, GRANT, RoomJoined())

SITUATIONS: dict[str, tuple[Event, ...]] = {
    "AWAITING_TOKEN": (EDIT,),
    "JOINING, token": (TOKEN,),
    "JOINING, keys": (TOKEN, KeysAway()),
    "JOINING, room": (TOKEN, GRANT),
    "JOINED": JOINED,
    "JOINED, token": (*JOINED, TOKEN),
    "JOINED, saying": (*JOINED, EDIT),
    "DENIED": (TOKEN, TokenRejected(BAD_TOKEN)),
    "DENIED, token": (*JOINED, TOKEN, LeaseExpired()),
    "DENIED, saying": (*JOINED, EDIT, LeaseExpired()),
    "LEFT": (LEAVE,),
}
"""How a session comes into each state, and into each kind of work that may be under way in it."""


@dataclass(frozen=True)
class Cell:
    """What an event does: the state after it, and the actions. ``AssertionError`` where it is impossible."""

    state: DocumentState | None
    actions: tuple[str, ...] = ()


def stays(name: str) -> Cell:
    """Return the cell of an event that only waits, or does nothing."""
    return Cell(DocumentState[name.partition(",")[0]])


IMPOSSIBLE = Cell(None)
CHECK = Cell(DocumentState.JOINING, ("CheckToken",))
LEFT = Cell(DocumentState.LEFT)
LEFT_ROOM = Cell(DocumentState.LEFT, ("LeaveRoom",))
DENIED = Cell(DocumentState.DENIED, ("Deny",))
DISMISSED = Cell(DocumentState.DENIED, ("Deny", "Dismiss"))
JOIN = Cell(DocumentState.JOINING, ("Reply", "JoinRoom"))
RETRY = Cell(DocumentState.JOINING, ("WaitForKeys",))

EVENTS: dict[str, Event] = {
    "token": TOKEN,
    "edit": EDIT,
    "leave": LEAVE,
    "accepted": GRANT,
    "rejected": TokenRejected(BAD_TOKEN),
    "keys away": KeysAway(),
    "room joined": RoomJoined(),
    "said": Delivered(heard=True),
    "not said": Delivered(heard=False),
    "lease expired": LeaseExpired(),
    "revoked": AccessRevoked(NO_ROLE),
    "room ended": RoomEnded(REFUSED),
    "timed out": TimedOut(),
    "disconnected": Disconnected(clean=False),
}

NO_RESULT = dict.fromkeys(("accepted", "rejected", "keys away", "room joined", "said", "not said"), IMPOSSIBLE)
"""A result of work, when none is under way."""
TOKEN_RESULT = {"room joined": IMPOSSIBLE, "said": IMPOSSIBLE, "not said": IMPOSSIBLE}
SAY_RESULT = dict.fromkeys(("accepted", "rejected", "keys away", "room joined"), IMPOSSIBLE)
GOES = {"disconnected": LEFT}
ENDS = {"lease expired": DISMISSED, "revoked": DISMISSED, "room ended": DENIED, "disconnected": LEFT_ROOM}

TABLE: dict[str, dict[str, Cell]] = {
    # An event that is not named leaves the state as it is and asks for nothing.
    "AWAITING_TOKEN": {**NO_RESULT, **GOES, "token": CHECK, "leave": LEFT, "timed out": DENIED},
    "JOINING, token": {**TOKEN_RESULT, **GOES, "accepted": JOIN, "rejected": DENIED, "keys away": RETRY},
    "JOINING, keys": {
        **NO_RESULT,
        **GOES,
        "token": CHECK,
        "edit": CHECK,
        "leave": LEFT,
        "timed out": CHECK,
    },
    "JOINING, room": {
        **NO_RESULT,
        **GOES,
        "rejected": DENIED,
        "room joined": Cell(DocumentState.JOINED, ("Renew",)),
    },
    "JOINED": {
        **NO_RESULT,
        **ENDS,
        "token": Cell(DocumentState.JOINED, ("CheckToken",)),
        "edit": Cell(DocumentState.JOINED, ("Deliver",)),
        "leave": LEFT_ROOM,
    },
    "JOINED, token": {
        **TOKEN_RESULT,
        **ENDS,
        "accepted": Cell(DocumentState.JOINED, ("Reply", "Renew", "ChangeRole")),
        "rejected": DISMISSED,
    },
    "JOINED, saying": {**SAY_RESULT, **ENDS, "not said": Cell(DocumentState.JOINED, ("Deliver",))},
    "DENIED": {**NO_RESULT, **GOES, "token": CHECK, "leave": LEFT},
    "DENIED, token": {**TOKEN_RESULT, **GOES, "accepted": JOIN, "rejected": DENIED, "keys away": RETRY},
    "DENIED, saying": {**SAY_RESULT, **GOES},
    "LEFT": {},
}


def names(actions: tuple[Action, ...]) -> tuple[str, ...]:
    """Return the actions' names."""
    return tuple(type(action).__name__ for action in actions)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_event_in_every_state(situation: str, event: str) -> None:
    session = make(*SITUATIONS[situation])
    assert session.state is DocumentState[situation.partition(",")[0]]
    expected = TABLE[situation].get(event, stays(situation))
    if expected is IMPOSSIBLE:
        with pytest.raises(AssertionError):
            session.step(EVENTS[event])
    else:
        actions = session.step(EVENTS[event])
        assert (session.state, names(actions)) == (expected.state, expected.actions)


def test_the_table_names_every_event_and_every_state() -> None:
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))
    assert {name.partition(",")[0] for name in SITUATIONS} == set(DocumentState.__members__)
    assert set(TABLE) == set(SITUATIONS)


# --- the order of what waits ----------------------------------------------------------------------------


def test_messages_before_the_token_reach_the_room_in_order() -> None:
    session = make(Received(SyncStep1(b"\0"), 3), EDIT, TOKEN, Received(Update(b"more"), 4), GRANT)
    said = [
        session.step(RoomJoined()),
        session.step(Delivered(True)),
        session.step(Delivered(True)),
        session.step(Delivered(True)),
    ]
    assert said == [
        (Renew(PERMIT), Deliver(SyncStep1(b"\0"))),
        (Deliver(Update(b"edit")),),
        (Deliver(Update(b"more")),),
        (),
    ]


def test_unheard_message_is_said_first_after_the_next_token() -> None:
    session = make(*JOINED, EDIT, LeaseExpired(), Received(Update(b"more"), 4), Delivered(False), TOKEN, GRANT)
    assert session.step(RoomJoined()) == (Renew(PERMIT), Deliver(Update(b"edit")))
    assert session.step(Delivered(True)) == (Deliver(Update(b"more")),)


def test_a_client_may_leave_and_come_back_in_one_breath() -> None:
    session = make(TOKEN_V4, EDIT, LEAVE, TOKEN, EDIT, GRANT)
    assert session.step(RoomJoined()) == (Renew(PERMIT), Deliver(Update(b"edit")))
    assert session.step(Delivered(True)) == (Reply(Closed("provider_initiated")), LeaveRoom(clean=True))
    assert session.take_waiting() == [TOKEN, EDIT]


def test_messages_without_a_token_are_dropped_on_leaving() -> None:
    session = make(EDIT, EDIT, LEAVE)
    assert session.state is DocumentState.LEFT
    assert session.take_waiting() == []


def test_dropped_or_taken_messages_no_longer_count() -> None:
    buffer = PreAuthBuffer(ServerLimits(preauth_frames_max=3))
    for _ in range(5):
        session = DocumentSession(buffer, has_principal=False)
        for event in (EDIT, EDIT, LEAVE, EDIT):
            session.step(event)
        assert session.take_waiting() == [EDIT]


def test_too_much_that_waits_is_refused() -> None:
    session = make(EDIT, EDIT, frames_max=2)
    with pytest.raises(Overloaded):
        session.step(EDIT)


def test_a_message_for_the_room_does_not_count_as_waiting() -> None:
    session = make(*JOINED, frames_max=1)
    for _ in range(3):
        assert session.step(EDIT) == (Deliver(Update(b"edit")),)
        assert not session.may_read
        session.step(Delivered(True))
        assert session.may_read


# --- tokens ---------------------------------------------------------------------------------------------


def test_the_handshakes_token_is_used_when_the_client_sends_none() -> None:
    session = make(has_principal=True)
    assert session.step(EDIT) == (CheckToken(""),)


def test_the_clients_own_token_counts_more_than_the_handshakes() -> None:
    session = make(has_principal=True)
    assert session.step(TOKEN) == (CheckToken("token"),)


def test_time_begins_with_the_first_message_and_ends_in_one_denial() -> None:
    session = make()
    assert session.step(EDIT) == (WaitForToken(),)
    assert session.step(EDIT) == ()
    (denial,) = session.step(TimedOut())
    assert isinstance(denial, Deny)
    assert isinstance(denial.error, TokenMissing)
    assert session.step(TimedOut()) == ()


def test_another_users_token_ends_the_session_and_begins_one_of_their_own() -> None:
    session = make(*JOINED, TOKEN)
    assert session.step(BOBS_GRANT) == (Reply(Authenticated(True)), Dismiss(clean=True), JoinRoom(BOBS_GRANT))
    assert session.step(RoomJoined()) == (Renew(BOBS_PERMIT),)
    session.step(TOKEN)
    assert ChangeRole(True, "Bob") in session.step(BOBS_GRANT)


def test_a_lost_role_takes_back_what_is_still_pending() -> None:
    session = make(*JOINED, TOKEN)
    assert session.step(TokenRejected(NO_ROLE)) == (ChangeRole(can_write=False), Deny(NO_ROLE), Dismiss(clean=False))


def test_a_session_goes_on_while_a_fresh_token_cannot_be_checked() -> None:
    session = make(*JOINED, TOKEN, EDIT)
    assert session.step(KeysAway()) == (Deliver(Update(b"edit")),)


def test_a_newer_token_takes_the_place_of_one_that_could_not_be_checked() -> None:
    newer = Received(Authenticate("newer"), 5)
    assert make(TOKEN, KeysAway()).step(newer) == (CheckToken("newer"),)
    assert make(TOKEN, newer).step(KeysAway()) == (CheckToken("newer"),)


def test_a_token_that_was_good_when_its_session_expired_begins_the_next() -> None:
    session = make(*JOINED, TOKEN)
    (denial, dismissal) = session.step(LeaseExpired())
    assert isinstance(denial, Deny)
    assert isinstance(denial.error, TokenExpired)
    assert dismissal == Dismiss(clean=False)
    assert session.step(GRANT) == (Reply(Authenticated(True)), JoinRoom(GRANT))


@pytest.mark.parametrize(("situation", "expected"), [(name, name.startswith("JOIN")) for name in SITUATIONS])
def test_a_token_counts_until_it_is_rejected(situation: str, expected: bool) -> None:
    assert make(*SITUATIONS[situation]).has_token is expected
