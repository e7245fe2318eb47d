"""Rows of the log keep the entries in their order, each with its author."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.ids import UserId
from collab.protocol.rows import Entry, decode_entries, encode_entries

_ENTRIES = st.lists(st.builds(Entry, st.sampled_from([UserId("zoë"), UserId("a"), UserId("")]), st.binary()))


@given(_ENTRIES)
def test_entries_are_read_back_in_order(entries: list[Entry]) -> None:
    assert decode_entries(encode_entries(entries)) == tuple(entries)


def test_an_author_is_written_once() -> None:
    entries = [Entry(UserId("somebody"), bytes([n])) for n in range(10)]
    assert encode_entries(entries).count(b"somebody") == 1


@given(_ENTRIES, st.data())
def test_a_row_that_is_cut_short_is_refused(entries: list[Entry], data: st.DataObject) -> None:
    payload = encode_entries(entries)
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    with pytest.raises(ProtocolError):
        decode_entries(cut)


@pytest.mark.parametrize("payload", [b"\x02\x00\x00", b"\x01\x00\x01\x00\x00", b"\x01\x00\x00\x00"])
def test_a_row_with_a_wrong_format_author_or_length_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_entries(payload)
