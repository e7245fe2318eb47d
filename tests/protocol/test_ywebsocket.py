"""The y-websocket framing, against recorded frames of y-websocket 3.1.0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.ids import ClientId
from collab.protocol.dialect import Dialect, Frame
from collab.protocol.messages import (
    EMPTY_UPDATE,
    GONE,
    KEEPALIVE,
    Authenticated,
    AwarenessEntry,
    AwarenessUpdate,
    Closed,
    Denied,
    FromClient,
    FromServer,
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
from collab.protocol.ywebsocket import YWebsocket
from tests.protocol.build import EMPTY_STATE_VECTOR
from tests.vectors.dialogues import dialogue, frames

DIALECT: Dialect = YWebsocket()

_ZOE = AwarenessEntry(ClientId(9), 1, '{"user":{"name":"Zoë"},"cursor":1.5}'.encode())
_HELLO = bytes.fromhex("01010900040101740568656c6c6f00")
_HI = bytes.fromhex("010107000401016d02686900")


def _awareness(clock: int, state: bytes, *others: AwarenessEntry) -> AwarenessUpdate:
    return AwarenessUpdate((AwarenessEntry(ClientId(7), clock, state), *others))


_FROM_CLIENT: list[FromClient] = [
    SyncStep1(EMPTY_STATE_VECTOR),
    _awareness(0, b"{}"),
    SyncStep2(EMPTY_UPDATE),
    AwarenessUpdate((_ZOE,)),
    Update(_HI),
    _awareness(1, b'{"u":1}'),
    _awareness(1, b'{"u":1}', _ZOE),
    Update(bytes.fromhex("010107028409040920f09f918b20796f7500")),
    SyncStep2(bytes.fromhex("010207000401016d0268698409040920f09f918b20796f7500")),
    Update(bytes.fromhex("000109010103")),
    _awareness(2, GONE),
]
_FROM_SERVER: list[FromServer] = [
    SyncStep1(EMPTY_STATE_VECTOR),
    SyncStep2(EMPTY_UPDATE),
    Update(_HELLO),
    AwarenessUpdate((_ZOE,)),
    KEEPALIVE,
    Saved(_HI),
]


def test_every_recorded_frame_of_the_client_is_decoded() -> None:
    assert [DIALECT.decode(frame) for frame in frames("y-websocket", "editing", "client")] == [
        Frame("", message) for message in _FROM_CLIENT
    ]


def test_every_frame_that_the_client_understood_is_encoded() -> None:
    recorded = [
        f for f in frames("y-websocket", "editing", "server") if f not in (b"\x03", bytes.fromhex("000003010905"))
    ]
    assert [DIALECT.encode(answer) for answer in _FROM_SERVER] == recorded


def test_a_denial_reaches_the_client_with_its_reason() -> None:
    reason = "Kein Zugang für dich ☕"
    assert DIALECT.encode(Denied(reason)) == frames("y-websocket", "denied", "server")[0]
    assert f"warning {reason}" in [step.event for step in dialogue("y-websocket", "denied")]


@pytest.mark.parametrize(
    "message", [m for m in _FROM_CLIENT if isinstance(m, SyncStep1 | SyncStep2 | Update | AwarenessUpdate)]
)
def test_a_message_of_a_client_is_encoded_to_the_same_bytes(
    message: SyncStep1 | SyncStep2 | Update | AwarenessUpdate,
) -> None:
    assert DIALECT.encode(message) in frames("y-websocket", "editing", "client")


def test_a_client_may_query_awareness() -> None:
    assert DIALECT.decode(b"\x03").message == QueryAwareness()


@pytest.mark.parametrize(
    "message", [Saved(), Refused(), Authenticated(True), TokenWanted(), Closed("why"), Stateless("x")]
)
def test_a_message_that_the_dialect_lacks_is_not_sent(message: FromServer) -> None:
    assert DIALECT.encode(message) is None


@pytest.mark.parametrize("type_", [2, 4, 5, 7, 8, 9, 127])
def test_a_frame_of_an_unlisted_type_is_unknown(type_: int) -> None:
    assert DIALECT.decode(bytes([type_])) == Frame("", Unknown(type_))
    assert DIALECT.decode(bytes([type_]) + b"\xff\xff") == Frame("", Unknown(type_))


@pytest.mark.parametrize(
    "frame", ["", "00", "0003", "000002", "00000100ff", "01", "0102ff", "01ffff", "0300", "0001020000" * 2, "80"]
)
def test_malformed_frames_are_refused(frame: str) -> None:
    with pytest.raises(ProtocolError):
        DIALECT.decode(bytes.fromhex(frame))


@given(st.binary(max_size=40))
def test_random_bytes_raise_nothing_but_protocol_errors(frame: bytes) -> None:
    try:
        DIALECT.decode(frame)
    except ProtocolError:
        return


def test_the_dialect_has_a_name() -> None:
    assert DIALECT.name == "y-websocket"


@pytest.mark.parametrize("size", [1, 2, 126, 127, 128, 129, 300, 16_383, 16_384])
def test_updates_of_every_size_are_read_and_written_alike(size: int) -> None:
    """Short ones take a shortcut."""
    update = bytes(n % 251 for n in range(size))
    writer = Writer()
    writer.raw(b"\0\2")
    writer.var_bytes(update)
    frame = writer.to_bytes()
    assert DIALECT.decode(frame).message == Update(update)
    assert DIALECT.encode(Update(update)) == DIALECT.encode(Saved(update)) == frame
    for wrong in (frame[:-1], frame + b"\0"):
        with pytest.raises(ProtocolError):
            DIALECT.decode(wrong)
