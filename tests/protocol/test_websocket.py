"""WebSocket frames: every rule of RFC 6455 for what a client sends, wherever the network cuts it.

Frames that a library may write come from ``websockets``; whole connections are tested in ``tests/api``.
"""

import struct
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets import frames

from collab.protocol.websocket import (
    HEAD_BYTES_MAX,
    PART,
    Close,
    CloseCode,
    Event,
    Fault,
    Frame,
    FrameReader,
    Opcode,
    Oversized,
    Ping,
    Pong,
    Text,
    encode_close,
    encode_frame,
    is_close_code,
    shorten,
)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode
LIMIT = 1 << 20


def client_frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """Return a frame with a random mask."""
    return frames.Frame(frames.Opcode(opcode), payload, is_last).serialize(mask=True)


def head(first: int, second: int, extended: bytes = b"") -> bytes:
    """Return the head of a frame, whatever it says; the mask is zero."""
    return bytes((first, second)) + extended + bytes(4)


def events_of(reader: FrameReader) -> Iterator[Event]:
    while (event := reader.next_event()) is not None:
        yield event
        if isinstance(event, Close | Fault):
            return


def read(data: bytes, *, limit: int = LIMIT, piece: int | None = None) -> list[Event]:
    """Return what the bytes mean, without the frames that mean nothing by themselves."""
    reader = FrameReader(limit)
    found: list[Event] = []
    step = piece or len(data) or 1
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        found += events_of(reader)
        if found and isinstance(found[-1], Close | Fault):
            break
    return [event for event in found if event is not PART]


CONVERSATION = (
    client_frame(BINARY, b"one")
    + client_frame(PING, b"still there?")
    + client_frame(TEXT, "zwölf".encode(), is_last=False)
    + client_frame(PONG)
    + client_frame(CONTINUATION, b"", is_last=False)
    + client_frame(CONTINUATION, " Gläser".encode())
    + client_frame(BINARY, b"x" * 300)
    + client_frame(BINARY)
    + client_frame(BINARY, b"y" * 200, is_last=False)
    + client_frame(CONTINUATION, b"y" * 200)
    + client_frame(CLOSE, (4000).to_bytes(2) + b"genug")
)
MEANING = [
    b"one",
    Ping(b"still there?"),
    Pong(b""),
    Text("zwölf Gläser"),
    b"x" * 300,
    b"",
    b"y" * 400,
    Close(4000, "genug"),
]


def test_a_conversation_means_the_same_wherever_it_is_cut() -> None:
    for piece in range(1, len(CONVERSATION) + 1):
        assert read(CONVERSATION, piece=piece) == MEANING


def test_a_conversation_means_the_same_in_two_pieces() -> None:
    for cut in range(len(CONVERSATION)):
        reader = FrameReader(LIMIT)
        found: list[Event] = []
        for data in (CONVERSATION[:cut], CONVERSATION[cut:]):
            reader.feed(data)
            found += events_of(reader)
        assert [event for event in found if event is not PART] == MEANING


@given(st.lists(st.binary(max_size=70_000), max_size=6), st.integers(1, 70_000))
def test_messages_of_every_size_arrive_as_they_were_sent(messages: list[bytes], piece: int) -> None:
    data = b"".join(client_frame(BINARY, message) for message in messages)
    assert read(data, piece=piece) == messages


@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 50))
def test_texts_in_parts_are_put_together(parts: list[str], piece: int) -> None:
    encoded = [part.encode() for part in parts]
    data = b"".join(
        client_frame(CONTINUATION if at else TEXT, part, is_last=at == len(encoded) - 1)
        for at, part in enumerate(encoded)
    )
    assert read(data, piece=piece) == [Text("".join(parts))]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_every_way_to_write_a_length_is_read(size: int) -> None:
    assert read(client_frame(BINARY, b"x" * size)) == [b"x" * size]


def test_a_caller_may_stop_after_any_event() -> None:
    reader = FrameReader(LIMIT)
    reader.feed(client_frame(BINARY, b"1") + client_frame(BINARY, b"2"))
    assert reader.next_event() == b"1"
    assert reader.has_data
    reader.feed(client_frame(BINARY, b"3"))
    assert list(events_of(reader)) == [b"2", b"3"]
    assert not reader.has_data


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert read(data) == read(data, piece=1)


# --- one small frame in a read ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 21, 125])
def test_one_small_binary_frame_is_read_at_once(size: int) -> None:
    assert FrameReader(LIMIT).read_whole(client_frame(BINARY, b"x" * size)) == b"x" * size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        client_frame(BINARY, b"x")[:-1],
        client_frame(BINARY, b"x") * 2,
        client_frame(BINARY, b"x" * 126),
        client_frame(BINARY, b"x", is_last=False),
        client_frame(TEXT, b"x"),
        client_frame(PING),
        head(0x82, 0x00),
        head(0xC2, 0x80),
    ],
    ids=["nothing", "a part", "two", "a long one", "a fragment", "a text", "a ping", "unmasked", "reserved"],
)
def test_everything_else_is_left_to_the_events(data: bytes) -> None:
    reader = FrameReader(LIMIT)
    assert reader.read_whole(data) is None
    reader.feed(data)
    assert list(events_of(reader)) == list(events_of(_fed(data)))


def _fed(data: bytes, *, limit: int = LIMIT) -> FrameReader:
    reader = FrameReader(limit)
    reader.feed(data)
    return reader


def test_a_small_frame_after_others_waits_for_its_turn() -> None:
    waiting = _fed(client_frame(BINARY, b"1"))
    assert waiting.read_whole(client_frame(BINARY, b"2")) is None
    in_a_frame = _fed(client_frame(BINARY, b"1")[:-1])
    list(events_of(in_a_frame))
    assert in_a_frame.read_whole(client_frame(BINARY, b"2")) is None
    in_a_head = _fed(client_frame(BINARY, b"1")[:1])
    list(events_of(in_a_head))
    assert in_a_head.read_whole(client_frame(BINARY, b"2")) is None
    in_a_message = _fed(client_frame(BINARY, b"1", is_last=False))
    list(events_of(in_a_message))
    assert in_a_message.read_whole(client_frame(BINARY, b"2")) is None


def test_a_small_frame_beyond_the_limit_is_left_to_the_events() -> None:
    assert FrameReader(1).read_whole(client_frame(BINARY, b"xy")) is None


# --- what breaks the protocol -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        *((head(0x82 | bit, 0x80), "A reserved bit is set.") for bit in (0x10, 0x20, 0x40)),
        (head(0x82, 0x00), "A frame is not masked."),
        *((head(0x80 | opcode, 0x80), "An opcode is reserved.") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        *((head(opcode, 0x80), "A control frame is fragmented or too long.") for opcode in (CLOSE, PING, PONG)),
        (head(0x89, 0xFE, b"\0\x7e"), "A control frame is fragmented or too long."),
        (head(0x89, 0xFF, bytes(8)), "A control frame is fragmented or too long."),
        (head(0x80, 0x80), "A continuation does not follow a fragment."),
        (head(0x00, 0x80), "A continuation does not follow a fragment."),
        (head(0x02, 0x80) + head(0x82, 0x80), "A message begins before the last one has ended."),
        (head(0x02, 0x80) + head(0x01, 0x80), "A message begins before the last one has ended."),
        (head(0x01, 0x80) + head(0x80, 0x80) + head(0x80, 0x80), "A continuation does not follow a fragment."),
        (head(0x82, 0xFF, b"\x80" + bytes(7)), "A length has more than 63 bits."),
    ],
)
def test_a_frame_that_breaks_the_protocol_is_a_fault(data: bytes, reason: str) -> None:
    for piece in (1, len(data)):
        found = read(data, piece=piece)
        assert found[-1] == Fault(CloseCode.PROTOCOL_ERROR, reason)


def test_a_wrong_frame_is_refused_by_its_first_two_bytes() -> None:
    assert read(b"\x82\x05") == [Fault(CloseCode.PROTOCOL_ERROR, "A frame is not masked.")]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_close_code_that_nobody_may_send_is_a_fault(code: int) -> None:
    data = struct.pack("!BB4xH", 0x88, 0x82, code)
    assert read(data) == [Fault(CloseCode.PROTOCOL_ERROR, "A close code is not valid.")]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_other_close_codes_are_read(code: int) -> None:
    assert is_close_code(code)
    assert read(client_frame(CLOSE, code.to_bytes(2) + b"bye")) == [Close(code, "bye")]


def test_a_close_frame_may_be_empty_but_not_hold_half_a_code() -> None:
    assert read(client_frame(CLOSE)) == [Close(CloseCode.NO_CODE, "")]
    assert read(head(0x88, 0x81) + b"\x03") == [Fault(CloseCode.PROTOCOL_ERROR, "A close code is not valid.")]


def test_a_close_reason_must_be_utf8() -> None:
    data = head(0x88, 0x83) + (1000).to_bytes(2) + b"\xff"
    assert read(data) == [Fault(CloseCode.INVALID_TEXT, "A close reason is not UTF-8.")]


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "é".encode()[:1]])
def test_a_text_must_be_utf8(text: bytes) -> None:
    fault = Fault(CloseCode.INVALID_TEXT, "A text message is not UTF-8.")
    assert read(client_frame(TEXT, b"ok" + text)) == [fault]
    assert read(client_frame(TEXT, b"ok", is_last=False) + client_frame(CONTINUATION, text)) == [fault]


def test_a_text_that_is_no_utf8_is_refused_before_its_end() -> None:
    data = client_frame(TEXT, b"ok\xff" + b"x" * 100)
    assert read(data[:-100])[-1] == Fault(CloseCode.INVALID_TEXT, "A text message is not UTF-8.")


# --- what is too large ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [BINARY, TEXT])
def test_a_message_at_the_limit_is_read_and_one_beyond_is_not(opcode: int) -> None:
    assert len(read(client_frame(opcode, b"x" * 100), limit=100)) == 1
    assert read(client_frame(opcode, b"x" * 101), limit=100) == [Oversized(b"x" * 101)]


def test_an_oversized_message_is_told_with_its_head_and_skipped() -> None:
    payload = bytes(range(256)) * 20
    data = client_frame(BINARY, payload) + client_frame(BINARY, b"next")
    for piece in (1, 7, 1000, len(data)):
        assert read(data, limit=2000, piece=piece) == [Oversized(payload[:HEAD_BYTES_MAX]), b"next"]


def test_an_oversized_message_is_told_as_soon_as_its_head_is_there() -> None:
    reader = FrameReader(2000)
    reader.feed(head(0x82, 0xFF, (1 << 40).to_bytes(8)) + b"x" * (HEAD_BYTES_MAX - 1))
    assert reader.next_event() is None
    reader.feed(b"x")
    assert reader.next_event() == Oversized(b"x" * HEAD_BYTES_MAX)


@pytest.mark.parametrize("first", [10, 1500])
def test_parts_that_are_too_large_together_are_told_once(first: int) -> None:
    data = (
        client_frame(BINARY, b"a" * first, is_last=False)
        + client_frame(CONTINUATION, b"b" * 2000, is_last=False)
        + client_frame(PING, b"between")
        + client_frame(CONTINUATION, b"c" * 5000, is_last=False)
        + client_frame(CONTINUATION)
        + client_frame(BINARY, b"next")
    )
    told = Oversized((b"a" * first + b"b" * 2000)[:HEAD_BYTES_MAX])
    for piece in (1, 100, len(data)):
        assert read(data, limit=2000, piece=piece) == [told, Ping(b"between"), b"next"]


def test_the_rules_count_inside_of_what_is_skipped() -> None:
    data = client_frame(BINARY, b"x" * 200, is_last=False) + client_frame(BINARY, b"y")
    assert isinstance(read(data, limit=100)[-1], Fault)


def test_the_limit_may_change_between_messages() -> None:
    reader = FrameReader(10)
    reader.feed(client_frame(BINARY, b"x" * 20))
    assert list(events_of(reader)) == [Oversized(b"x" * 20), PART]
    reader.message_bytes_max = 20
    reader.feed(client_frame(BINARY, b"x" * 20))
    assert list(events_of(reader)) == [b"x" * 20]


def test_nothing_is_kept_of_empty_parts_and_of_what_is_skipped() -> None:
    reader = FrameReader(LIMIT)
    empty = client_frame(CONTINUATION, is_last=False) * 1000
    skipped = head(0x00, 0xFF, (64 << 20).to_bytes(8))
    block = b"x" * (64 << 10)
    reader.feed(client_frame(BINARY, is_last=False))
    list(events_of(reader))
    tracemalloc.start()
    for _ in range(20):
        reader.feed(empty)
        assert set(events_of(reader)) == {PART}
    reader.feed(skipped)
    for _ in range(1024):
        reader.feed(block)
        list(events_of(reader))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 16 << 10


def test_each_call_reads_one_frame_at_most() -> None:
    reader = _fed(client_frame(BINARY, is_last=False) + client_frame(CONTINUATION, is_last=False) * 3)
    assert [reader.next_event() for _ in range(5)] == [PART, PART, PART, PART, None]


# --- after we have closed -------------------------------------------------------------------------------------


def test_once_messages_are_skipped_only_control_frames_are_told() -> None:
    reader = _fed(client_frame(BINARY, b"x" * 50, is_last=False)[:-20])
    list(events_of(reader))
    reader.skip_messages()
    assert reader.read_whole(client_frame(BINARY, b"x")) is None
    rest = b"x" * 20 + client_frame(CONTINUATION, b"x") + client_frame(TEXT, b"\xff") + client_frame(BINARY, b"x")
    reader.feed(rest + client_frame(PING) + client_frame(BINARY, b"x" * (2 * LIMIT)) + client_frame(CLOSE))
    found = [event for event in events_of(reader) if event is not PART]
    assert found == [Ping(b""), Close(CloseCode.NO_CODE, "")]


# --- what is written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_are_those_of_the_library(size: int) -> None:
    payload = b"x" * size
    for opcode in (BINARY, TEXT):
        assert encode_frame(opcode, payload) == frames.Frame(frames.Opcode(opcode), payload).serialize(mask=False)


def test_a_message_for_many_is_encoded_once() -> None:
    frame = Frame(b"hello")
    assert frame.payload == b"hello"
    assert frame.wire == b"\x82\x05hello"
    assert frame.wire is frame.wire


def test_a_close_frame_holds_a_code_and_what_fits_of_the_reason() -> None:
    assert encode_close(4401, "no") == b"\x88\x04" + (4401).to_bytes(2) + b"no"
    assert encode_close(CloseCode.NO_CODE) == b"\x88\x00"
    assert len(encode_close(1000, "é" * 200)) == 2 + 2 + 122
    assert shorten("é" * 200) == "é" * 61
