"""Presence between replicas: who is with one of them, as awareness entries that say whose they are.

A client id belongs to the user who brought it, on whatever replica, so the user travels with the entry. The states
were checked and stamped by the replica that sends them; nothing is checked again here but the form.

Layout (integers are varUints): ``count {user client clock json-text}*``, texts length-prefixed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from collab.ids import ClientId, UserId
from collab.protocol.messages import AwarenessEntry
from collab.protocol.varint import Reader, Writer


@dataclass(frozen=True, slots=True)
class PresenceEntry:
    """One client's state and its user."""

    user: UserId
    entry: AwarenessEntry


def encode_presence(entries: Iterable[PresenceEntry]) -> bytes:
    """The payload of a presence frame."""
    entries = tuple(entries)
    writer = Writer()
    writer.var_uint(len(entries))
    for each in entries:
        writer.var_string(each.user)
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
    user = UserId(reader.var_string())
    return PresenceEntry(user, AwarenessEntry(ClientId(reader.var_uint()), reader.var_uint(), reader.var_bytes()))
