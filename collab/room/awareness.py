"""Who is here: the ephemeral state of every client on one document, on every replica.

Own store, since the library's accepts anybody's word for anybody. The rules every y-protocols peer applies
(a state counts if its clock is newer; a removal also at an equal clock) and four of ours:

* A client id belongs to the user who brought it; entries for another user's id are dropped silently.
* Only the session that holds a client may remove it (older clients send removals for everybody else when
  they reconnect).
* ``name`` and ``id`` inside an existing ``user`` object come from the token. All else stays byte for byte.
* A session lost without a goodbye keeps its people for a few seconds: a blip must not make them flicker.

A removed client's clock is remembered for a while, or a late echo from somebody would bring a ghost back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from collab.ids import ClientId, Origin, SessionId, UserId
from collab.protocol.messages import GONE, AwarenessEntry
from collab.room.session import Session

GRACE_S = 4.0
"""How long people of a lost session stay. Reconnecting takes every client 0.1 to 2 seconds."""

SILENCE_S = 32.0
"""A state not renewed for so long is gone: clients renew theirs every 15 s and forget others after 30."""

TOMBSTONE_S = 60.0
"""How long the clock of a removed client is remembered."""

CLIENTS_MAX = 5_000
"""Clients in one table. At the bound, states of unknown clients are dropped."""


@dataclass(slots=True)
class _Client:
    clock: int
    state: bytes
    user: UserId | None
    """None: heard through another replica."""
    session: SessionId | None
    origin: Origin | None
    seen_s: float
    leaving_s: float | None = None
    """When the session was lost without a goodbye."""

    @property
    def alive(self) -> bool:
        return self.state != GONE


class Awareness:
    """The table of one room. Every method returns the entries that changed, to be told to everybody."""

    def __init__(self) -> None:
        self._clients: dict[ClientId, _Client] = {}

    def entries(self) -> tuple[AwarenessEntry, ...]:
        """Everybody who is here, for a newcomer."""
        return tuple(_entry(id_, c) for id_, c in self._clients.items() if c.alive)

    def local_entries(self) -> tuple[AwarenessEntry, ...]:
        """Everybody whose socket is on this replica, removals included, for the other replicas."""
        return tuple(_entry(id_, c) for id_, c in self._clients.items() if c.origin is None)

    def receive(self, session: Session, entries: Iterable[AwarenessEntry], now_s: float) -> tuple[AwarenessEntry, ...]:
        """Take in what a session says of the clients it carries."""
        changed = []
        for entry in entries:
            known = self._clients.get(entry.client)
            if entry.state == GONE:
                accepted = known is not None and self._may_remove(known, session, entry.clock)
            else:
                accepted = self._may_set(known, session, entry.clock)
            if accepted:
                changed.append(self._set(entry, session, now_s))
            elif known is not None and _is_return(known, session, entry):
                known.session, known.leaving_s, known.seen_s = session.id, None, now_s
        return tuple(changed)

    def receive_from_replica(
        self, origin: Origin, entries: Iterable[AwarenessEntry], now_s: float
    ) -> tuple[AwarenessEntry, ...]:
        """Take in what another replica says of its own people."""
        changed = []
        for entry in entries:
            known = self._clients.get(entry.client)
            if known is not None and known.session is not None and known.leaving_s is None and known.alive:
                continue  # it is here, on a live socket of ours: we know better
            clock = -1 if known is None else known.clock
            if entry.clock > clock or (entry.clock == clock and self._tells_more(known, entry)):
                self._clients[entry.client] = _Client(entry.clock, entry.state, None, None, origin, now_s)
                changed.append(entry)
            elif known is not None and entry.clock == clock and known.origin == origin:
                known.seen_s = now_s
        return tuple(changed)

    def leave(self, session: SessionId, now_s: float, *, goodbye: bool) -> tuple[AwarenessEntry, ...]:
        """A session has ended. With a ``goodbye`` (a clean close) its people go at once."""
        removed = []
        for id_, client in self._clients.items():
            if client.session == session and client.alive:
                if goodbye:
                    removed.append(self._remove(id_, client, now_s))
                else:
                    client.session, client.leaving_s = None, now_s
        return tuple(removed)

    def expire(self, now_s: float) -> tuple[AwarenessEntry, ...]:
        """Remove who has not come back, and who fell silent; forget old tombstones."""
        removed = []
        for id_, client in list(self._clients.items()):
            lost = client.leaving_s is not None and now_s - client.leaving_s > GRACE_S
            if client.alive and (lost or now_s - client.seen_s > SILENCE_S):
                removed.append(self._remove(id_, client, now_s))
            elif not client.alive and now_s - client.seen_s > TOMBSTONE_S:
                del self._clients[id_]
        return tuple(removed)

    def _may_set(self, known: _Client | None, session: Session, clock: int) -> bool:
        if known is None:
            return len(self._clients) < CLIENTS_MAX
        if known.alive and known.user is not None and known.user != session.user:
            return False
        return clock > known.clock

    @staticmethod
    def _may_remove(known: _Client, session: Session, clock: int) -> bool:
        return known.alive and clock >= known.clock and known.session == session.id

    @staticmethod
    def _tells_more(known: _Client | None, entry: AwarenessEntry) -> bool:
        """At an equal clock a removal counts, and so does a state for somebody we only know as lost."""
        if known is None or not known.alive:
            return False
        return entry.state == GONE or known.leaving_s is not None

    def _set(self, entry: AwarenessEntry, session: Session, now_s: float) -> AwarenessEntry:
        state = entry.state if entry.state == GONE else stamp(entry.state, session.user, session.name)
        self._clients[entry.client] = _Client(entry.clock, state, session.user, session.id, None, now_s)
        return AwarenessEntry(entry.client, entry.clock, state)

    @staticmethod
    def _remove(id_: ClientId, client: _Client, now_s: float) -> AwarenessEntry:
        """Peers accept a removal at an equal clock, and the client itself then comes back with a higher one."""
        client.state, client.session, client.leaving_s, client.seen_s = GONE, None, None, now_s
        return _entry(id_, client)


def stamp(state: bytes, user: UserId, name: str) -> bytes:
    """``state`` with ``name`` and ``id`` inside an existing ``user`` object replaced; else the same bytes."""
    if b'"user"' not in state and b"\\" not in state:
        return state  # the quick way; an escape may spell the key
    value = json.loads(state)
    claimed = value.get("user") if isinstance(value, dict) else None
    if not isinstance(claimed, dict):
        return state
    true = {key: text for key, text in (("name", name), ("id", str(user))) if key in claimed}
    if all(claimed[key] == text for key, text in true.items()):
        return state
    claimed.update(true)
    return json.dumps(value, separators=(",", ":")).encode()


def _entry(id_: ClientId, client: _Client) -> AwarenessEntry:
    return AwarenessEntry(id_, client.clock, client.state)


def _is_return(known: _Client, session: Session, entry: AwarenessEntry) -> bool:
    """The same person with the same clock on a new socket: nothing to tell anybody, only to remember."""
    return known.alive and known.user == session.user and entry.clock == known.clock and entry.state != GONE
