"""Presence frames between replicas: the awareness entries of one replica's clients, each with its user.

A client id belongs to one user on every replica, so an entry travels with its user and with the claim of that user to
the client id. The sending replica has checked the states and put the user's name into them; only the layout is checked
again here.

Layout (integers are varUints): ``count {user claim client clock json-text}*``, texts length-prefixed.
"""

from collections.abc import Iterable
from enum import IntEnum

from collab.errors import ProtocolError
from collab.ids import ClientId, UserId
from collab.protocol.messages import AwarenessEntry
from collab.protocol.varint import Reader, Writer
from collab.record import record


class Claim(IntEnum):
    """How a user came by a client id. A higher claim wins."""

    RELAYED = 0
    """A session relayed the state of a client that may not be its own, as the tabs of one browser do for each other."""
    SELF = 1
    """The session named the client as its own in its first awareness state."""
    SELF_WRITER = 2
    """The same, and the session may write: only its user may add content under this client id."""


@record
class PresenceEntry:
    """One client's awareness state, and its user."""

    user: UserId
    entry: AwarenessEntry
    claim: Claim = Claim.SELF_WRITER


def encode_presence(entries: Iterable[PresenceEntry]) -> bytes:
    """Return the payload of a presence frame."""
    entries = tuple(entries)
    writer = Writer()
    writer.var_uint(len(entries))
    for each in entries:
        writer.var_string(each.user)
        writer.var_uint(each.claim)
        writer.var_uint(each.entry.client)
        writer.var_uint(each.entry.clock)
        writer.var_bytes(each.entry.state)
    return writer.to_bytes()


def decode_presence(payload: bytes) -> tuple[PresenceEntry, ...]:
    """Return the entries of a presence frame's payload. Raises ProtocolError if the bytes are none."""
    reader = Reader(payload)
    entries = [_entry(reader) for _ in range(reader.count())]
    reader.end()
    return tuple(entries)


def _entry(reader: Reader) -> PresenceEntry:
    user, claim = UserId(reader.var_string()), reader.var_uint()
    if claim > Claim.SELF_WRITER:
        raise ProtocolError("A presence entry makes a claim that this version does not know.")
    entry = AwarenessEntry(ClientId(reader.var_uint()), reader.var_uint(), reader.var_bytes())
    return PresenceEntry(user, entry, Claim(claim))
