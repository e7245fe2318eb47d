"""Envelopes: decoding returns what was encoded, and refuses what was not sealed with the key."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import ProtocolError
from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.relay.base import PresenceFrame, RelayFrame, RowFrame, SharingFrame
from collab.relay.envelope import SEAL_BYTES, decode, encode, is_from

KEY = b"k" * 32
SENDER = WriterId(2**63 - 1)
ROW = RowFrame(
    DocumentName("team/é😀"), Epoch(3), CommittedRow(Sequence(2**53 - 1), WriterId(2**62 + 1), 7, b"\x01\x00payload")
)
PRESENCE = PresenceFrame(DocumentName("notes"), WriterId(5), b"\x01\x02\x03", is_query=True)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(DocumentName)
writers = st.integers(0, 2**63 - 1).map(WriterId)
counts = st.integers(0, 2**53 - 1)
rows = st.builds(
    RowFrame,
    names,
    counts.map(Epoch),
    st.builds(CommittedRow, counts.map(Sequence), writers, counts, st.binary(max_size=300)),
)
frames = (
    rows
    | st.builds(PresenceFrame, names, writers, st.binary(max_size=300), st.booleans())
    | st.builds(SharingFrame, names)
)


def sealed(body: bytes) -> bytes:
    """Return ``body`` as a replica with the same key but another format would send it."""
    return body + hmac.digest(KEY, body, "sha256")[:SEAL_BYTES]


@given(frame=frames, sender=writers)
def test_decoding_returns_what_was_encoded(frame: RelayFrame, sender: WriterId) -> None:
    assert decode(encode(frame, sender=sender, key=KEY), key=KEY) == (sender, frame)


@given(frame=frames, sender=writers)
def test_own_frames_are_recognised_without_decoding(frame: RelayFrame, sender: WriterId) -> None:
    envelope = encode(frame, sender=sender, key=KEY)
    assert is_from(envelope, sender)
    assert not is_from(envelope, WriterId(sender ^ 1))
    assert not is_from(b"", sender)


@pytest.mark.parametrize("frame", [ROW, PRESENCE])
def test_envelope_of_another_key_is_refused(frame: RelayFrame) -> None:
    with pytest.raises(ProtocolError, match="seal"):
        decode(encode(frame, sender=SENDER, key=b"x" * 32), key=KEY)


@pytest.mark.parametrize("frame", [ROW, PRESENCE])
def test_any_changed_byte_is_refused(frame: RelayFrame) -> None:
    envelope = encode(frame, sender=SENDER, key=KEY)
    for at in range(len(envelope)):
        altered = bytearray(envelope)
        altered[at] ^= 0x01
        with pytest.raises(ProtocolError, match="seal"):
            decode(bytes(altered), key=KEY)


@pytest.mark.parametrize("frame", [ROW, PRESENCE])
def test_shortened_or_lengthened_envelope_is_refused(frame: RelayFrame) -> None:
    envelope = encode(frame, sender=SENDER, key=KEY)
    for wrong in (*(envelope[:end] for end in range(len(envelope))), envelope + b"\x00", b"\x00" + envelope):
        with pytest.raises(ProtocolError, match="seal"):
            decode(wrong, key=KEY)


@given(noise=st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(noise, key=KEY)


@given(body=st.binary(max_size=100))
def test_sealed_noise_is_refused_or_is_a_frame(body: bytes) -> None:
    try:
        sender, frame = decode(sealed(body), key=KEY)
    except ProtocolError:
        return
    assert decode(encode(frame, sender=sender, key=KEY), key=KEY) == (sender, frame)


def test_unknown_version_or_kind_is_refused_with_a_reason() -> None:
    body = encode(ROW, sender=SENDER, key=KEY)[:-SEAL_BYTES]
    with pytest.raises(ProtocolError, match="format this version does not know"):
        decode(sealed(b"\x02" + body[1:]), key=KEY)
    with pytest.raises(ProtocolError, match="format this version does not know"):
        decode(sealed(body[:10]), key=KEY)
    with pytest.raises(ProtocolError, match="kind this version does not know"):
        decode(sealed(body[:1] + b"\x03" + body[2:]), key=KEY)
    with pytest.raises(ProtocolError, match="has extra bytes at its end"):
        decode(sealed(body + b"\x00"), key=KEY)
    with pytest.raises(ProtocolError, match=r"ends in the middle|shorter than it announces"):
        decode(sealed(body[:-1]), key=KEY)


def test_bytes_follow_the_documented_layout() -> None:
    ids = b"\0\0\0\0\0\0\x01\x02" + b"\0\0\0\0\0\0\0\x05"
    row = RowFrame(DocumentName("n"), Epoch(0), CommittedRow(Sequence(300), WriterId(5), 2, b"p"))
    body = encode(row, sender=WriterId(258), key=KEY)[:-SEAL_BYTES]
    assert body == b"\x01\x00" + ids + b"\x01n" + b"\x00" + b"\xac\x02" + b"\x02" + b"\x01p"
    presence = PresenceFrame(DocumentName("n"), WriterId(5), b"p", is_query=True)
    body = encode(presence, sender=WriterId(258), key=KEY)[:-SEAL_BYTES]
    assert body == b"\x01\x01" + ids + b"\x01n" + b"\x01" + b"\x01p"
    body = encode(SharingFrame(DocumentName("n")), sender=WriterId(258), key=KEY)[:-SEAL_BYTES]
    assert body == b"\x01\x02" + ids[:8] + ids[:8] + b"\x01n"
