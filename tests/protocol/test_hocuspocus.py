"""The Hocuspocus framing, against recorded frames of @hocuspocus/provider 4.8.0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.ids import ClientId
from collab.protocol.dialect import Dialect, Frame
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.limits import ADDRESS_CHARACTERS_MAX
from collab.protocol.messages import (
    EMPTY_UPDATE,
    GONE,
    KEEPALIVE,
    Authenticate,
    Authenticated,
    AwarenessEntry,
    AwarenessUpdate,
    Closed,
    Denied,
    FromClient,
    FromServer,
    Leave,
    Pong,
    QueryAwareness,
    Refused,
    Saved,
    Stateless,
    SyncStep1,
    SyncStep2,
    TokenWanted,
    Unknown,
    Update,
)
from collab.protocol.varint import Writer
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.vectors.dialogues import dialogue, frames

DIALECT: Dialect = Hocuspocus()

_SESSION = "Notizen/Größe ☕\0A"
_ZOE = AwarenessEntry(ClientId(9), 1, '{"user":{"name":"Zoë"},"cursor":1.5}'.encode())
_HELLO = bytes.fromhex("01010900040101740568656c6c6f00")
_TOKEN = Authenticate("tök", "4.8.0")


def _awareness(clock: int, state: bytes, *others: AwarenessEntry) -> AwarenessUpdate:
    return AwarenessUpdate((AwarenessEntry(ClientId(7), clock, state), *others))


_FROM_CLIENT: list[tuple[str, FromClient]] = [
    ("d", _TOKEN),
    ("d", SyncStep1(EMPTY_STATE_VECTOR)),
    ("d", _awareness(0, b"{}")),
    ("d", SyncStep2(EMPTY_UPDATE)),
    ("d", Update(bytes.fromhex("01010700840904012100"))),
    ("d", Stateless('{"café":1}')),
    ("d", _TOKEN),
    ("", Pong()),
    ("d", _awareness(0, b"{}", _ZOE)),
    ("d", _awareness(1, GONE)),
    ("d", Leave()),
]
_FROM_SERVER: list[tuple[FromServer, str]] = [
    (Authenticated(can_write=True), "authenticated read-write"),
    (AwarenessUpdate((_ZOE,)), ""),
    (SyncStep1(EMPTY_STATE_VECTOR), ""),
    (SyncStep2(_HELLO), "synced true"),
    (Saved(), "unsynced 0"),
    (Refused(), ""),
    (Saved(b"whatever was saved"), "unsynced 0"),
    (Stateless("naïve"), "stateless naïve"),
    (TokenWanted(), ""),
    (Authenticated(can_write=False), "authenticated readonly"),
    (KEEPALIVE, ""),
]


def test_every_recorded_frame_of_the_client_is_decoded() -> None:
    assert [DIALECT.decode(f) for f in frames("hocuspocus", "editing", "client")] == [
        Frame(*said) for said in _FROM_CLIENT
    ]


def test_every_frame_that_the_client_understood_is_encoded() -> None:
    never_sent = (b"\x09", b"\x01d\x03")  # a ping and a query, sent in the recording to hear the answers
    recorded = [f for f in frames("hocuspocus", "editing", "server") if f not in never_sent]
    assert [DIALECT.encode(answer, "d") for answer, _ in _FROM_SERVER] == recorded


@pytest.mark.parametrize(("answer", "event"), [pair for pair in _FROM_SERVER if pair[1]])
def test_the_client_makes_of_an_answer_what_is_meant(answer: FromServer, event: str) -> None:
    steps = dialogue("hocuspocus", "editing")
    places = [i for i, step in enumerate(steps) if step.by == "server" and step.frame == DIALECT.encode(answer, "d")]
    assert any(event in [step.event for step in steps[i + 1 : i + 3]] for i in places)


def test_a_refusal_leaves_the_client_with_unsaved_changes() -> None:
    steps = dialogue("hocuspocus", "editing")
    refused = next(i for i, step in enumerate(steps) if step.frame == DIALECT.encode(Refused(), "d"))
    assert steps[refused + 1].by == "server"
    assert [step.event for step in steps[:refused] if "unsynced" in step.event][-1] == "unsynced 1"


def test_a_denial_reaches_the_client_with_its_reason() -> None:
    assert DIALECT.encode(Denied("permission-denied"), "d") == frames("hocuspocus", "denied", "server")[0]
    assert dialogue("hocuspocus", "denied")[-1].event == "denied permission-denied"


def test_a_client_without_a_token_sends_an_empty_one() -> None:
    assert DIALECT.decode(frames("hocuspocus", "denied", "client")[0]).message == Authenticate("", "4.8.0")


def test_older_providers_send_no_version() -> None:
    assert DIALECT.decode(bytes.fromhex("016402000474c3b66b")) == Frame("d", Authenticate("tök", None))


def test_an_address_with_a_session_is_repeated_unchanged() -> None:
    said = frames("hocuspocus", "session", "client")
    assert [DIALECT.decode(frame) for frame in said] == [
        Frame(_SESSION, _TOKEN),
        Frame(_SESSION, SyncStep1(EMPTY_STATE_VECTOR)),
    ]
    answers = [DIALECT.encode(Authenticated(can_write=True), _SESSION), DIALECT.encode(Closed("gekündigt"), _SESSION)]
    assert answers == frames("hocuspocus", "session", "server")
    assert dialogue("hocuspocus", "session")[-1].event == "close gekündigt"


@pytest.mark.parametrize(
    "message", [said for _, said in _FROM_CLIENT if isinstance(said, SyncStep1 | SyncStep2 | Update | Stateless)]
)
def test_a_message_of_a_client_is_encoded_to_the_same_bytes(
    message: SyncStep1 | SyncStep2 | Update | Stateless,
) -> None:
    assert DIALECT.encode(message, "d") in frames("hocuspocus", "editing", "client")


def test_the_bytes_of_an_empty_answer_and_of_a_keepalive() -> None:
    empty = DIALECT.encode(SyncStep2(EMPTY_UPDATE), "d-v4")
    keepalive = DIALECT.encode(KEEPALIVE, "d")
    assert (empty, keepalive) == (bytes.fromhex("04642d7634" + "0001020000"), bytes.fromhex("0164" + "010100"))


def test_a_client_may_query_awareness() -> None:
    assert DIALECT.decode(b"\x01d\x03") == Frame("d", QueryAwareness())


@pytest.mark.parametrize("type_", [4, 6, 8, 9, 10, 127])
def test_a_frame_of_an_unlisted_type_is_unknown(type_: int) -> None:
    assert DIALECT.decode(bytes([1, 100, type_])) == Frame("d", Unknown(type_))
    assert DIALECT.decode(bytes([1, 100, type_]) + b"\xff\xff") == Frame("d", Unknown(type_))


@pytest.mark.parametrize(
    "frame",
    ["", "00", "0003", "000000", "0164", "016400", "01640003", "0164000002", "016400000100ff", "016401", "01640102ff",
     "016402", "01640201", "0164020003746f", "01640200010003ffff", "0164020001000000", "01640700", "0164030a",
     "016405", "01640502c328", "02c32803", "80", "0a0a", "09"],
)  # fmt: skip
def test_malformed_frames_are_refused(frame: str) -> None:
    with pytest.raises(ProtocolError):
        DIALECT.decode(bytes.fromhex(frame))


def test_the_length_of_an_address_is_bounded() -> None:
    def query(address: str) -> bytes:
        writer = Writer()
        writer.var_string(address)
        writer.byte(3)
        return writer.to_bytes()

    longest = "ö" * ADDRESS_CHARACTERS_MAX
    assert DIALECT.decode(query(longest)).address == longest
    with pytest.raises(ProtocolError):
        DIALECT.decode(query(longest + "o"))


@given(st.binary(max_size=40))
def test_random_bytes_raise_nothing_but_protocol_errors(body: bytes) -> None:
    for frame in (body, b"\x01d" + body):
        try:
            DIALECT.decode(frame)
        except ProtocolError:
            continue


def test_the_dialect_has_a_name() -> None:
    assert DIALECT.name == "hocuspocus"
