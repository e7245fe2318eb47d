"""Presence: the ephemeral state of every client on one document, on every replica.

A table of our own, since the library's lets any client speak for any other. It applies the rules of every y-protocols
peer (a state counts if its clock is newer; a removal also at an equal clock) and six more:

* A client id belongs to the user who introduced it, on every replica. Entries for another user's id are dropped
  silently.
* A session's first entry is about its own client. Entries about others may be relayed, as between the tabs of one
  browser, where another user may be signed in. So a client's own first entry counts more than a relayed one.
* Only the session that holds a client may remove it: older clients send removals for all others when they reconnect.
* A state at a known clock is an echo (many clients send back whatever they receive), with two exceptions: the first
  entry of a session (the client has returned on a new socket, here or on another replica), and a state that another tab
  relayed first (the client's own session takes it back, so that it goes when that session leaves).
* ``name`` and ``id`` inside an existing ``user`` object come from the token. Everything else stays byte for byte.
* A session that is lost without a clean close keeps its presence for a few seconds, so that a short interruption does
  not make it flicker.

The clock of a removed client is remembered for a while, or a late echo would bring it back.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from collab.ids import ClientId, SessionId, UserId, WriterId
from collab.protocol.messages import GONE, AwarenessEntry, AwarenessUpdate
from collab.protocol.presence import Claim, PresenceEntry
from collab.room.session import Session

GRACE_S = 4.0
"""Seconds for which the presence of a lost session stays. Clients reconnect within 0.1 to 2 seconds."""

SILENCE_S = 32.0
"""Seconds after which a state that was not renewed is removed: clients renew theirs every 15 s."""

TOMBSTONE_S = 60.0
"""Seconds for which the clock of a removed client is remembered."""

CLIENTS_MAX = 5_000
"""Clients in one table. At the bound, states of new clients are dropped."""

CLIENTS_ADDED_MAX = 100
"""Clients that one session may add to the table in its life: its own and those it relays for other tabs. One session
must not fill the table."""

STATES_BYTES_MAX = 4 << 20
"""Bytes of all states in one table: everybody who joins is sent them. At the bound, no state may grow."""

SESSION_STATES_BYTES_MAX = 128 << 10
"""Bytes of the states that one session holds: twice the largest state, or some hundreds of ordinary ones."""

MESSAGE_BYTES_MAX = 256 << 10
"""Bytes of the states in one message to a client. Many clients send back what they receive, as one message too."""


@dataclass(slots=True)
class _Client:
    clock: int
    state: bytes
    user: UserId
    claim: Claim
    seen_s: float
    session: SessionId | None = None
    """The session that holds it. None if it is on another replica, its session was lost, or it is gone."""
    is_itself: bool = False
    """True if the session that holds it is its own, and not that of another tab which relayed it."""
    replica: WriterId | None = None
    """The replica that it is on; None for this one."""
    leaving_s: float | None = None
    """When its session was lost without a clean close."""

    @property
    def alive(self) -> bool:
        return self.state != GONE

    @property
    def size(self) -> int:
        """Bytes of its state, while it is present."""
        return len(self.state) if self.state != GONE else 0


class Awareness:
    """The table of one room. Methods that change it return the entries that changed, to be sent to every session."""

    def __init__(self) -> None:
        self._clients: dict[ClientId, _Client] = {}
        self._bytes = 0
        """Bytes of the states of all clients that are present."""
        self._session_bytes: dict[SessionId, int] = {}
        """The same for each session that holds some."""

    def entries(self) -> tuple[AwarenessEntry, ...]:
        """Return the state of every client that is present."""
        return tuple(AwarenessEntry(id_, c.clock, c.state) for id_, c in self._clients.items() if c.alive)

    def changed_since(self, since_s: float) -> tuple[AwarenessEntry, ...]:
        """Return the newest state of every client that was heard of since then, ``null`` if it is gone."""
        changed = ((id_, client) for id_, client in self._clients.items() if client.seen_s >= since_s)
        return tuple(AwarenessEntry(id_, client.clock, client.state) for id_, client in changed)

    def owner(self, client: int) -> UserId | None:
        """Return the user whose live session shows itself with this client id and may write; None if there is none."""
        known = self._clients.get(ClientId(client))
        if known is None or not known.alive or known.leaving_s is not None:
            return None
        return known.user if known.claim is Claim.SELF_WRITER else None

    def local_entries(self) -> tuple[PresenceEntry, ...]:
        """Return the clients connected to this replica, removed ones included, for the other replicas."""
        return tuple(_entry(id_, c) for id_, c in self._clients.items() if c.replica is None)

    def receive(self, session: Session, entries: Iterable[AwarenessEntry], now_s: float) -> tuple[PresenceEntry, ...]:
        """Take in what a session says about its client, and about clients it relays."""
        changed = []
        for entry in entries:
            known = self._clients.get(entry.client)
            if entry.state == GONE:
                if known is not None and _may_remove(known, session, entry.clock):
                    changed.append(self._set(entry, session, known.claim, now_s))
            else:
                if self._has_space(known, session, entry.state) and self._may_set(known, session, entry):
                    claim = _claim(known, session, entry.client)
                    changed.append(self._set(_at_least(known, entry), session, claim, now_s))
                if session.client_id is None:
                    session.client_id = entry.client
        return tuple(changed)

    def receive_from_replica(
        self, replica: WriterId, entries: Iterable[PresenceEntry], now_s: float
    ) -> tuple[PresenceEntry, ...]:
        """Take in what another replica says about the clients connected to it."""
        changed = []
        for each in entries:
            known = self._clients.get(each.entry.client)
            if known is not None and not _may_replace(replica, known, each):
                continue
            user, entry = each.user, _at_least(known, each.entry)
            if not self._has_space(known, None, entry.state):
                continue
            if known is None or (known.clock, known.state) != (entry.clock, entry.state):
                changed.append(replace(each, entry=entry))
            self._put(entry.client, _Client(entry.clock, entry.state, user, each.claim, now_s, replica=replica))
        return tuple(changed)

    def change_role(self, session: Session) -> tuple[PresenceEntry, ...]:
        """Apply a session's new role to the clients that it shows as its own."""
        claim = _self_claim(session)
        changed = []
        for id_, client in self._clients.items():
            if client.session == session.id and client.alive and client.claim not in (Claim.RELAYED, claim):
                client.claim = claim
                changed.append(_entry(id_, client))
        return tuple(changed)

    def leave(self, session: SessionId, now_s: float, *, clean: bool) -> tuple[PresenceEntry, ...]:
        """Remove the clients of a session that has ended: at once if ``clean``, else after ``GRACE_S``."""
        removed = []
        for id_, client in self._clients.items():
            if client.session == session and client.alive:
                if clean:
                    removed.append(self._remove(id_, client, now_s))
                else:
                    client.session, client.leaving_s = None, now_s
        self._session_bytes.pop(session, None)
        return tuple(removed)

    def lose_replica(self, replica: WriterId, now_s: float) -> tuple[PresenceEntry, ...]:
        """Remove the clients connected to a replica that is gone."""
        lost = [(id_, client) for id_, client in self._clients.items() if client.replica == replica and client.alive]
        return tuple(self._remove(id_, client, now_s) for id_, client in lost)

    def expire(self, now_s: float) -> tuple[PresenceEntry, ...]:
        """Remove clients that did not return or fell silent, and forget old removals."""
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
            return session.clients_added <= CLIENTS_ADDED_MAX and len(self._clients) < CLIENTS_MAX
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
        self._put(entry.client, client)
        return _entry(entry.client, client)

    def _put(self, id_: ClientId, client: _Client) -> None:
        known = self._clients.get(id_)
        if known is not None:
            self._count(known, -known.size)
        self._count(client, client.size)
        self._clients[id_] = client

    def _count(self, client: _Client, size: int) -> None:
        self._bytes += size
        if client.session is not None:
            self._session_bytes[client.session] = self._session_bytes.get(client.session, 0) + size

    def _has_space(self, known: _Client | None, session: Session | None, state: bytes) -> bool:
        """Return True if a client may have this state. One that does not grow always may."""
        had = 0 if known is None else known.size
        if len(state) > had and self._bytes - had + len(state) > STATES_BYTES_MAX:
            return False
        if session is None:
            return True
        if known is None or known.session != session.id:
            had = 0
        return (
            len(state) <= had or self._session_bytes.get(session.id, 0) - had + len(state) <= SESSION_STATES_BYTES_MAX
        )

    def _remove(self, id_: ClientId, client: _Client, now_s: float) -> PresenceEntry:
        """Remove a client at its clock: peers accept that, and the client itself returns with a higher one."""
        self._count(client, -client.size)
        client.state, client.session, client.leaving_s, client.seen_s = GONE, None, None, now_s
        return _entry(id_, client)


def in_messages(entries: Iterable[AwarenessEntry]) -> Iterator[AwarenessUpdate]:
    """Yield messages that tell of these states."""
    part: list[AwarenessEntry] = []
    size = 0
    for entry in entries:
        size += len(entry.state)
        if part and size > MESSAGE_BYTES_MAX:
            yield AwarenessUpdate(tuple(part))
            part, size = [], len(entry.state)
        part.append(entry)
    if part:
        yield AwarenessUpdate(tuple(part))


def _claim(known: _Client | None, session: Session, client: ClientId) -> Claim:
    """Return the claim by which a client becomes this session's, or stays its user's."""
    if session.client_id not in (None, client):
        if known is None or known.user != session.user:
            return Claim.RELAYED
        if known.claim is Claim.RELAYED or known.session != session.id:
            return known.claim
    return _self_claim(session)


def _self_claim(session: Session) -> Claim:
    return Claim.SELF_WRITER if session.can_write else Claim.SELF


def _at_least(known: _Client | None, entry: AwarenessEntry) -> AwarenessEntry:
    """Return ``entry``, or the known one where that has a higher clock: peers would ignore a state at a lower clock."""
    if known is None or not known.alive or entry.clock >= known.clock:
        return entry
    return AwarenessEntry(entry.client, known.clock, known.state)


def _may_remove(known: _Client, session: Session, clock: int) -> bool:
    return known.alive and clock >= known.clock and known.session == session.id


def _may_replace(replica: WriterId, known: _Client, told: PresenceEntry) -> bool:
    """Return True if what another replica says about a known client replaces what is known here."""
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
        return known.replica == replica  # the client may have returned on a third replica
    return known.session is None  # it is connected there, and not here


def stamp(state: bytes, user: UserId, name: str) -> bytes:
    """Return ``state`` with ``name`` and ``id`` of its ``user`` object replaced, or the same bytes if it has none."""
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
    # A lone surrogate has no bytes in UTF-8, so it is escaped, as its client did.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def _entry(id_: ClientId, client: _Client) -> PresenceEntry:
    return PresenceEntry(client.user, AwarenessEntry(id_, client.clock, client.state), client.claim)
