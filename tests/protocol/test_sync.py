"""The sync messages that both framings carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.protocol.messages import SyncStep1, SyncStep2, Update
from collab.protocol.sync import Sync, read_sync, write_sync
from collab.protocol.varint import Reader, Writer


@given(st.sampled_from([SyncStep1, SyncStep2, Update]), st.binary())
def test_every_sync_message_is_read_back(kind: type[Sync], payload: bytes) -> None:
    writer = Writer()
    write_sync(writer, kind(payload))
    reader = Reader(writer.to_bytes())
    assert read_sync(reader) == kind(payload)
    reader.end()


def test_sync_messages_have_the_bytes_of_y_protocols() -> None:
    for message, data in (
        (SyncStep1(b"\0"), "000100"),
        (SyncStep2(b"\0\0"), "01020000"),
        (Update(b"\0\0"), "02020000"),
    ):
        writer = Writer()
        write_sync(writer, message)
        assert writer.to_bytes().hex() == data


@pytest.mark.parametrize("data", ["", "00", "0302", "030100", "000200"])
def test_malformed_sync_messages_are_refused(data: str) -> None:
    with pytest.raises(ProtocolError):
        read_sync(Reader(bytes.fromhex(data)))
