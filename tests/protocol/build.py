"""Updates built by hand, for cases that no library would write."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from collab.crdt.guard import inspect_update
from collab.crdt.update import SKIP
from collab.protocol.varint import Writer

Id: TypeAlias = tuple[int, int]

EMPTY_STATE_VECTOR = b"\0"

ROOT = b"\x01\x01t"
LEFT, RIGHT, KEY = 0x80, 0x40, 0x20


def uint(value: int) -> bytes:
    """Return a varUint."""
    writer = Writer()
    writer.var_uint(value)
    return writer.to_bytes()


def string(value: str) -> bytes:
    """Return a varString."""
    writer = Writer()
    writer.var_string(value)
    return writer.to_bytes()


def item(
    kind: int,
    content: bytes = b"",
    *,
    left: Id | None = None,
    right: Id | None = None,
    parent: Id | None = None,
    key: str | None = None,
    root: str = "t",
) -> bytes:
    """Return an item. Without an origin or a parent it is in the root."""
    info = kind | LEFT * (left is not None) | RIGHT * (right is not None) | KEY * (key is not None)
    out = bytes([info])
    for id_ in (left, right):
        if id_ is not None:
            out += uint(id_[0]) + uint(id_[1])
    if left is None and right is None:
        out += b"\x01" + string(root) if parent is None else b"\0" + uint(parent[0]) + uint(parent[1])
        out += string(key) if key is not None else b""
    return out + content


def text(
    value: str, *, left: Id | None = None, right: Id | None = None, parent: Id | None = None, root: str = "t"
) -> bytes:
    """Return an item of text."""
    return item(4, string(value), left=left, right=right, parent=parent, root=root)


def shared(*, left: Id | None = None, parent: Id | None = None) -> bytes:
    """Return a shared type, an array."""
    return item(7, b"\0", left=left, parent=parent)


def gc(length: int) -> bytes:
    """Return a GC struct."""
    return b"\0" + uint(length)


def skip(length: int) -> bytes:
    """Return a Skip."""
    return b"\x0a" + uint(length)


def update(
    *blocks: tuple[int, int, Sequence[bytes]], deletes: Mapping[int, Sequence[tuple[int, int]]] | None = None
) -> bytes:
    """Return an update of blocks (client, first clock, structs) and deleted ranges (clock, length) of each client."""
    out = uint(len(blocks))
    for client, clock, structs in blocks:
        out += uint(len(structs)) + uint(client) + uint(clock) + b"".join(structs)
    deletes = deletes or {}
    out += uint(len(deletes))
    for client, ranges in deletes.items():
        out += uint(client) + uint(len(ranges))
        out += b"".join(uint(clock) + uint(length) for clock, length in ranges)
    return out


def has_gap(update: bytes) -> bool:
    """True if a Skip in an update says that its sender lacks something."""
    return any(struct.kind == SKIP for struct in inspect_update(update).structs)
