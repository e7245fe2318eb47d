"""Presence between replicas: who is with one of them, as awareness entries that say whose they are.

A client id belongs to the user who brought it, on whatever replica, so the user travels with the entry, and by what
right it is theirs. The states were checked and stamped by the replica that sends them; nothing is checked again here
but the form.

Layout (integers are varUints): ``count {user claim client clock json-text}*``, texts length-prefixed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from collab.errors import ProtocolError
from collab.ids import ClientId, UserId
from collab.protocol.messages import AwarenessEntry
from collab.protocol.varint import Reader, Writer


class Claim(IntEnum):
    """By what right a client is somebody's; a higher one counts more."""

    RELAYED = 0
    """A session told of a client that need not be its own, as the tabs of one browser do for each other."""
    SELF = 1
    """It is the session's own, by its first word."""
    SELF_WRITER = 2
    """And that session may write: what is new under this client's id is for its user alone to say."""


@dataclass(frozen=True, slots=True)
class PresenceEntry:
    """One client's state and its user."""

    user: UserId
    entry: AwarenessEntry
    claim: Claim = Claim.SELF_WRITER


def encode_presence(entries: Iterable[PresenceEntry]) -> bytes:
    """The payload of a presence frame."""
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
    """The entries of a presence frame's payload. Raises ProtocolError when the bytes are none."""
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
