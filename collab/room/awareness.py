"""Who is here: the ephemeral state of every client on one document, on every replica.

Own store, since the library's accepts anybody's word for anybody. The rules every y-protocols peer applies
(a state counts if its clock is newer; a removal also at an equal clock) and six of ours:

* A client id belongs to the user who brought it, on every replica; entries for another user's id are dropped
  silently.
* A session's first word is of its own client; of others it may only have heard, as from another tab of its browser,
  where somebody else may be signed in. So the first word of whoever it is counts more than another's word for them.
* Only the session that holds a client may remove it (older clients send removals for everybody else when
  they reconnect).
* A state at the clock we know is an echo (many clients send back whatever they hear), unless it is the first word of
  a session: then it is a client that comes back on a new socket, here or on another replica. Or another tab was
  quicker to tell of it: then its own session takes it back, to take it along when it leaves.
* ``name`` and ``id`` inside an existing ``user`` object come from the token. All else stays byte for byte.
* A session lost without a goodbye keeps its people for a few seconds: a blip must not make them flicker.

A removed client's clock is remembered for a while, or a late echo from somebody would bring a ghost back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from collab.ids import ClientId, SessionId, UserId, WriterId
from collab.protocol.messages import GONE, AwarenessEntry
from collab.protocol.presence import Claim, PresenceEntry
from collab.room.session import Session

GRACE_S = 4.0
"""How long people of a lost session stay. Reconnecting takes every client 0.1 to 2 seconds."""

SILENCE_S = 32.0
"""A state not renewed for so long is gone: clients renew theirs every 15 s and forget others after 30."""

TOMBSTONE_S = 60.0
"""How long the clock of a removed client is remembered."""

CLIENTS_MAX = 5_000
"""Clients in one table. At the bound, states of unknown clients are dropped."""

INTRODUCED_MAX = 100
"""Clients that one session may bring into the table in its life: it has one of its own, and browser tabs speak for
each other. One session must not fill the table."""


@dataclass(slots=True)
class _Client:
    clock: int
    state: bytes
    user: UserId
    claim: Claim
    seen_s: float
    session: SessionId | None = None
    """Who holds it. None: it is on another replica, or its session was lost, or it is gone."""
    is_itself: bool = False
    """The session that holds it is its own, not another tab's that told of it."""
    writer: WriterId | None = None
    """The replica that it is on; None for this one."""
    leaving_s: float | None = None
    """When its session was lost without a goodbye."""

    @property
    def alive(self) -> bool:
        return self.state != GONE


class Awareness:
    """The table of one room. Every method returns the entries that changed, to be told to everybody."""

    def __init__(self) -> None:
        self._clients: dict[ClientId, _Client] = {}

    def entries(self) -> tuple[AwarenessEntry, ...]:
        """Everybody who is here, for a newcomer."""
        return tuple(AwarenessEntry(id_, c.clock, c.state) for id_, c in self._clients.items() if c.alive)

    def owner(self, client: int) -> UserId | None:
        """Whose live session, one that may write, shows itself with this client id; None when nobody's does."""
        known = self._clients.get(ClientId(client))
        if known is None or not known.alive or known.leaving_s is not None:
            return None
        return known.user if known.claim is Claim.SELF_WRITER else None

    def local_entries(self) -> tuple[PresenceEntry, ...]:
        """Everybody whose socket is on this replica, removals included, for the other replicas."""
        return tuple(_entry(id_, c) for id_, c in self._clients.items() if c.writer is None)

    def receive(self, session: Session, entries: Iterable[AwarenessEntry], now_s: float) -> tuple[PresenceEntry, ...]:
        """Take in what a session says of the clients it carries."""
        changed = []
        for entry in entries:
            known = self._clients.get(entry.client)
            if entry.state == GONE:
                if known is not None and _may_remove(known, session, entry.clock):
                    changed.append(self._set(entry, session, known.claim, now_s))
            else:
                if self._may_set(known, session, entry):
                    claim = _claim(known, session, entry.client)
                    changed.append(self._set(_at_least(known, entry), session, claim, now_s))
                if session.client_id is None:
                    session.client_id = entry.client
        return tuple(changed)

    def receive_from_replica(
        self, writer: WriterId, entries: Iterable[PresenceEntry], now_s: float
    ) -> tuple[PresenceEntry, ...]:
        """Take in what another replica says of its own people."""
        changed = []
        for each in entries:
            known = self._clients.get(each.entry.client)
            if known is not None and not _may_come_from(writer, known, each):
                continue
            user, entry = each.user, _at_least(known, each.entry)
            if known is None or (known.clock, known.state) != (entry.clock, entry.state):
                changed.append(replace(each, entry=entry))
            self._clients[entry.client] = _Client(entry.clock, entry.state, user, each.claim, now_s, writer=writer)
        return tuple(changed)

    def change_role(self, session: Session) -> tuple[PresenceEntry, ...]:
        """A session may write now, or not any more, and so the clients count that it shows as its own."""
        claim = _self_claim(session)
        changed = []
        for id_, client in self._clients.items():
            if client.session == session.id and client.alive and client.claim not in (Claim.RELAYED, claim):
                client.claim = claim
                changed.append(_entry(id_, client))
        return tuple(changed)

    def leave(self, session: SessionId, now_s: float, *, clean: bool) -> tuple[PresenceEntry, ...]:
        """A session has ended. With a ``clean`` (a clean close) its people go at once."""
        removed = []
        for id_, client in self._clients.items():
            if client.session == session and client.alive:
                if clean:
                    removed.append(self._remove(id_, client, now_s))
                else:
                    client.session, client.leaving_s = None, now_s
        return tuple(removed)

    def lose_replica(self, writer: WriterId, now_s: float) -> tuple[PresenceEntry, ...]:
        """Remove everybody who is on this replica."""
        lost = [(id_, client) for id_, client in self._clients.items() if client.writer == writer and client.alive]
        return tuple(self._remove(id_, client, now_s) for id_, client in lost)

    def expire(self, now_s: float) -> tuple[PresenceEntry, ...]:
        """Remove who has not come back, and who fell silent; forget old tombstones."""
        removed = []
        for id_, client in list(self._clients.items()):
            lost = client.leaving_s is not None and now_s - client.leaving_s > GRACE_S
            if client.alive and (lost or now_s - client.seen_s > SILENCE_S):
                removed.append(self._remove(id_, client, now_s))
            elif not client.alive and now_s - client.seen_s > TOMBSTONE_S:
                del self._clients[id_]
        return tuple(removed)

    def _may_set(self, known: _Client | None, session: Session, entry: AwarenessEntry) -> bool:
        if known is None:
            session.clients_added += 1
            return session.clients_added <= INTRODUCED_MAX and len(self._clients) < CLIENTS_MAX
        if not known.alive:
            return entry.clock > known.clock
        if known.user != session.user:
            return known.claim is Claim.RELAYED and not session.has_client_id
        comes_back = session.client_id is None
        is_taken_back = session.client_id == entry.client and known.session is not None and not known.is_itself
        return entry.clock > known.clock or (entry.clock == known.clock and (comes_back or is_taken_back))

    def _set(self, entry: AwarenessEntry, session: Session, claim: Claim, now_s: float) -> PresenceEntry:
        state = entry.state if entry.state == GONE else stamp(entry.state, session.user, session.name)
        is_itself = session.client_id in (None, entry.client)
        client = _Client(entry.clock, state, session.user, claim, now_s, session=session.id, is_itself=is_itself)
        self._clients[entry.client] = client
        return _entry(entry.client, client)

    @staticmethod
    def _remove(id_: ClientId, client: _Client, now_s: float) -> PresenceEntry:
        """Peers accept a removal at an equal clock, and the client itself then comes back with a higher one."""
        client.state, client.session, client.leaving_s, client.seen_s = GONE, None, None, now_s
        return _entry(id_, client)


def _claim(known: _Client | None, session: Session, client: ClientId) -> Claim:
    """By what right a client becomes this session's, or stays its user's."""
    if session.client_id not in (None, client):
        if known is None or known.user != session.user:
            return Claim.RELAYED
        if known.claim is Claim.RELAYED or known.session != session.id:
            return known.claim
    return _self_claim(session)


def _self_claim(session: Session) -> Claim:
    return Claim.SELF_WRITER if session.can_write else Claim.SELF


def _at_least(known: _Client | None, entry: AwarenessEntry) -> AwarenessEntry:
    """What may be told of a client: whose it is may turn out at a lower clock than its peers have heard of already."""
    if known is None or not known.alive or entry.clock >= known.clock:
        return entry
    return AwarenessEntry(entry.client, known.clock, known.state)


def _may_remove(known: _Client, session: Session, clock: int) -> bool:
    return known.alive and clock >= known.clock and known.session == session.id


def _may_come_from(writer: WriterId, known: _Client, told: PresenceEntry) -> bool:
    """Whether another replica knows better than this one about a client that this one knows."""
    clock = told.entry.clock
    if not known.alive:
        return clock > known.clock
    if known.user != told.user:
        return known.claim is Claim.RELAYED < told.claim and (clock >= known.clock or told.entry.state != GONE)
    if clock < known.clock:
        return False
    if clock > known.clock:
        return True
    if told.entry.state == GONE:
        return known.writer == writer  # where it was lost it may be gone, and have come back elsewhere
    return known.session is None  # it is there, and not on a socket of ours


def stamp(state: bytes, user: UserId, name: str) -> bytes:
    """``state``, a JSON object, with ``name`` and ``id`` inside a ``user`` object replaced; else the same bytes."""
    if b'"user"' not in state and b"\\u" not in state:
        return state
    value = json.loads(state)
    claimed = value.get("user")
    if not isinstance(claimed, dict):
        return state
    true = {key: text for key, text in (("name", name), ("id", str(user))) if key in claimed}
    if all(claimed[key] == text for key, text in true.items()):
        return state
    claimed.update(true)
    # Half a character has no bytes in UTF-8: it is escaped, as its client did.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def _entry(id_: ClientId, client: _Client) -> PresenceEntry:
    return PresenceEntry(client.user, AwarenessEntry(id_, client.clock, client.state), client.claim)
