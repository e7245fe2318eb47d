"""Presence frames carry the user and the claim of each client."""

import pytest

from collab.errors import ProtocolError
from collab.ids import ClientId, UserId
from collab.protocol.messages import GONE, AwarenessEntry
from collab.protocol.presence import Claim, PresenceEntry, decode_presence, encode_presence

ENTRIES = (
    PresenceEntry(UserId("ada"), AwarenessEntry(ClientId(2**53 - 1), 7, '{"name":"Ädä 😀"}'.encode())),
    PresenceEntry(UserId(""), AwarenessEntry(ClientId(1), 0, GONE), Claim.RELAYED),
)


@pytest.mark.parametrize("entries", [(), ENTRIES])
def test_presence_entries_are_read_back(entries: tuple[PresenceEntry, ...]) -> None:
    assert decode_presence(encode_presence(entries)) == entries


def test_an_unknown_claim_is_refused() -> None:
    payload = bytearray(encode_presence(ENTRIES[1:]))
    assert payload[2] == Claim.RELAYED
    payload[2] = Claim.SELF_WRITER + 1
    with pytest.raises(ProtocolError):
        decode_presence(bytes(payload))


def test_a_payload_that_is_too_short_or_too_long_is_refused() -> None:
    payload = encode_presence(ENTRIES)
    for length in range(len(payload)):
        with pytest.raises(ProtocolError):
            decode_presence(payload[:length])
    with pytest.raises(ProtocolError):
        decode_presence(payload + b"\x00")
