"""A plan: who joins which document, when, and what they send. ``native/load.c`` carries it out.

The same plan is written for each server in its own dialect. Every participant is a user of their own, with a token of
their own where the server checks tokens.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Literal

from tests.frames import AUTH, AWARENESS, STEP1, STEP2, SYNC, TOKEN, UPDATE, DialectName, encode_frame

EMPTY_STATE_VECTOR = b"\0"
EMPTY_UPDATE = b"\0\0"

_MASK = b"\x37\xfa\x21\x3d"
_PROBE, _STOPS_READING, _HOCUSPOCUS = 1, 2, 4


class Stage(IntEnum):
    """When a participant joins."""

    FIRST = 0
    """Alone, before the others."""
    MAIN = 1
    """Before anything is sent."""
    LATE = 2
    """At ``Plan.late_s``, all at once, while the others type."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message, due some seconds after everybody of the main stage has joined."""

    due_s: float
    kind: Literal["update", "presence"]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Participant:
    """One client on one document."""

    document: str
    user: str
    stage: Stage = Stage.MAIN
    client_id: int | None = None
    """Of those that write or are present: their Yjs client id."""
    greeting: bytes | None = None
    """The awareness state that the client sends right after its SyncStep1, as editors do."""
    sends: tuple[Send, ...] = ()
    characters: int = 1
    """Characters that each of its updates inserts."""
    recorded: bool = True
    """True if every message that it receives is kept. Of the others only a hash is."""
    stops_reading: bool = False
    """True if it reads nothing once it is synced."""
    replica: int = 0

    @property
    def updates(self) -> tuple[Send, ...]:
        """The updates among what it sends."""
        return tuple(send for send in self.sends if send.kind == "update")


@dataclass(frozen=True)
class Plan:
    """Everybody, in the order in which they join, and the pace."""

    participants: tuple[Participant, ...]
    pending_max: int = 50
    """Joins at a time."""
    hold_s: float = 0.0
    """Seconds of silence after the main stage, for what a server does later."""
    quiet_s: float = 0.5
    """The run ends when everything is sent, and nothing was received for so long."""
    warm_s: float = 1.0
    """Seconds of traffic that count for nothing: caches fill and compilers compile."""
    late_s: float = 0.0
    limit_s: float = 60.0
    """Limit of each stage, and of the traffic."""
    base_length: int = 0
    """Characters in each document before the traffic."""

    @cached_property
    def numbers(self) -> dict[str, list[int]]:
        """The places in ``participants`` of those of each document."""
        found: dict[str, list[int]] = {}
        for number, participant in enumerate(self.participants):
            found.setdefault(participant.document, []).append(number)
        return found

    def of(self, document: str) -> list[Participant]:
        """Return the participants of a document."""
        return [self.participants[number] for number in self.numbers[document]]

    def expected_length(self, document: str) -> int:
        """Return the number of characters in a document after the traffic."""
        return self.base_length + sum(len(each.updates) * each.characters for each in self.of(document))


@dataclass(frozen=True)
class Wire:
    """How a server is spoken to."""

    dialect: DialectName
    ports: tuple[int, ...]
    """One for each replica."""
    path: Callable[[str, str], str]
    """The path of a document for a user."""
    token: Callable[[str], str]
    """The token of a user, for the frame in which Hocuspocus clients send it."""
    prefix: str = ""
    """Stands before every document's name, so that runs on one database do not meet."""


def hello(wire: Wire, participant: Participant) -> list[bytes]:
    """Return the messages that a client sends once its socket is open."""
    address = _address(wire, participant.document)
    frames = []
    if address:
        frames.append(encode_frame(AUTH, TOKEN, wire.token(participant.user).encode(), document=address))
    frames.append(encode_frame(SYNC, STEP1, EMPTY_STATE_VECTOR, document=address))
    if participant.greeting is not None:
        frames.append(encode_frame(AWARENESS, payload=participant.greeting, document=address))
    return frames


def encode(plan: Plan, wire: Wire) -> Iterator[bytes]:
    """Yield the plan as ``native/load.c`` reads it."""
    pace = (plan.hold_s, plan.quiet_s, plan.warm_s, plan.late_s, plan.limit_s)
    yield struct.pack("<IIddddd", len(plan.participants), plan.pending_max, *pace)
    for participant in plan.participants:
        yield _encode_participant(wire, participant)


def _encode_participant(wire: Wire, participant: Participant) -> bytes:
    path = wire.path(wire.prefix + participant.document, participant.user).encode()
    flags = (
        _PROBE * participant.recorded
        | _STOPS_READING * participant.stops_reading
        | _HOCUSPOCUS * (wire.dialect == "hocuspocus")
    )
    address = _address(wire, participant.document)
    answer = client_frame(encode_frame(SYNC, STEP2, EMPTY_UPDATE, document=address))
    parts = [
        struct.pack("<HBBH", wire.ports[participant.replica], flags, participant.stage, len(path)),
        path,
        _sized(b"".join(map(client_frame, hello(wire, participant)))),
        _sized(answer),
        struct.pack("<I", len(participant.sends)),
    ]
    parts += [
        struct.pack("<d", each.due_s) + _sized(client_frame(_message(each, address))) for each in participant.sends
    ]
    return b"".join(parts)


def _message(send: Send, address: str) -> bytes:
    if send.kind == "update":
        return encode_frame(SYNC, UPDATE, send.payload, document=address)
    return encode_frame(AWARENESS, payload=send.payload, document=address)


def _address(wire: Wire, document: str) -> str:
    return wire.prefix + document if wire.dialect == "hocuspocus" else ""


def _sized(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def client_frame(payload: bytes) -> bytes:
    """Return a masked binary WebSocket frame."""
    size = len(payload)
    if size < 126:
        head = bytes([0x82, 0x80 | size])
    elif size < 65536:
        head = b"\x82\xfe" + struct.pack("!H", size)
    else:
        head = b"\x82\xff" + struct.pack("!Q", size)
    mask = int.from_bytes((_MASK * (size // 4 + 1))[:size])
    return head + _MASK + (int.from_bytes(payload) ^ mask).to_bytes(size)
