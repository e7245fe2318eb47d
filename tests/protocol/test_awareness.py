"""Awareness updates are kept byte for byte, without the states that some reader could not take."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.ids import ClientId
from collab.protocol.awareness import decode_awareness, encode_awareness
from collab.protocol.limits import (
    AWARENESS_BYTES_MAX,
    AWARENESS_ENTRIES_MAX,
    AWARENESS_STATE_BYTES_MAX,
    CLOCK_END,
)
from collab.protocol.messages import GONE, AwarenessEntry
from collab.protocol.varint import UINT_MAX

_STATES = st.just(GONE) | st.dictionaries(st.text(), st.integers() | st.text()).map(
    lambda state: json.dumps(state, ensure_ascii=False).encode()
)
_ENTRIES = st.lists(
    st.builds(AwarenessEntry, st.integers(0, UINT_MAX).map(ClientId), st.integers(0, CLOCK_END - 1), _STATES)
)


def _entry(state: bytes, clock: int = 0) -> AwarenessEntry:
    return AwarenessEntry(ClientId(7), clock, state)


@given(_ENTRIES)
def test_every_awareness_update_is_read_back(entries: list[AwarenessEntry]) -> None:
    assert decode_awareness(encode_awareness(entries)) == tuple(entries)


def test_the_bytes_of_a_state_are_kept() -> None:
    state = rb'{ "n":1.50, "name":"Zo\u00eb", "half":"\ud83d" }'
    assert decode_awareness(encode_awareness([_entry(state)]))[0].state == state


def test_a_removal_is_written_as_clients_write_it() -> None:
    assert encode_awareness([_entry(GONE, 2)]).hex() == "010702" + "046e756c6c"


@pytest.mark.parametrize(
    "state", [b"5", b'"a"', b"[]", b"true", b" null", b"", b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 9999]
)
def test_an_unreadable_state_is_left_out_alone(state: bytes) -> None:
    good = _entry(b"{}")
    assert decode_awareness(encode_awareness([good, _entry(state), good])) == (good, good)


@pytest.mark.parametrize(
    "payload", ["", "01", "0107", "010700", "01070005", "0001", "ffffffff0f", "ff" * 1000, "01870000027b7d"]
)
def test_a_malformed_awareness_update_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError):
        decode_awareness(bytes.fromhex(payload))


def test_an_entry_with_a_clock_too_large_is_left_out() -> None:
    last = _entry(GONE, CLOCK_END - 1)
    assert decode_awareness(encode_awareness([_entry(GONE, CLOCK_END), last])) == (last,)


def test_the_size_of_a_state_is_bounded() -> None:
    largest = b'{"a":"' + b"x" * (AWARENESS_STATE_BYTES_MAX - 8) + b'"}'
    assert len(largest) == AWARENESS_STATE_BYTES_MAX
    assert decode_awareness(encode_awareness([_entry(largest)]))[0].state == largest
    assert decode_awareness(encode_awareness([_entry(b" " + largest)])) == ()


def test_the_number_of_entries_is_bounded() -> None:
    most = [_entry(b"{}")] * AWARENESS_ENTRIES_MAX
    assert len(decode_awareness(encode_awareness(most))) == AWARENESS_ENTRIES_MAX
    with pytest.raises(ProtocolError):
        decode_awareness(encode_awareness([*most, _entry(b"{}")]))


def test_the_size_of_a_message_is_bounded() -> None:
    state = b'{"a":"' + b"x" * 60_000 + b'"}'
    with pytest.raises(ProtocolError):
        decode_awareness(encode_awareness([_entry(state)] * (AWARENESS_BYTES_MAX // 60_000 + 1)))
