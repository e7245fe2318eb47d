"""The part of an incomplete large update that is in the document already, and is neither logged nor shown.

An update may take several turns, and other people should see it at once and whole: an editor that is shown half of a
pasted table deletes it as broken. So its slices are gathered here and become one entry of the log and one message when
the last of them is in the document. They become so earlier if anybody else's update refers to them or repeats them,
since the log must hold what another entry builds on before that entry, and what is acknowledged as known.
"""

from collab.crdt.encoding import encode_numbers
from collab.crdt.steps import ITEMS_PER_STEP, Steps
from collab.crdt.update import STRING, InspectedUpdate, Struct
from collab.room.session import Session


class HeldBack:
    """The gathered slices of one update of ``author``. They follow each other."""

    def __init__(self, author: Session) -> None:
        self.author = author
        self._runs: dict[int, _Run] = {}
        """Client id → its structs."""
        self._deletes: dict[int, _Run] = {}
        """Client id → its deleted ranges."""
        self.taken = 0
        """Number of structs and deletions that were added so far, also of those that are not here any more."""
        self.carried = False
        """True if the log must name its author as one who brings it back (``ownership``)."""

    def __bool__(self) -> bool:
        return bool(self._runs or self._deletes)

    def add(self, update: InspectedUpdate) -> None:
        """Add a slice that is in the document now."""
        self.taken += len(update.structs) + len(update.deletes)
        for client, clock, length, _, _, begin, end in update.structs:
            run = self._runs.get(client)
            if run is None:
                run = self._runs[client] = _Run(clock)
            assert run.end in (None, clock), "the structs of a client follow each other"
            run.count += 1
            run.payload += update.payload[begin:end]
            run.end = clock + length
        for client, clock, length in update.deletes:
            run = self._deletes.get(client)
            if run is None:
                run = self._deletes[client] = _Run(clock)
            run.count += 1
            run.payload += encode_numbers(clock, length)

    def is_mentioned_by(self, update: InspectedUpdate) -> Steps[bool]:
        """Return True if an update refers to something that is gathered here, or repeats it."""
        for index, (client, clock, length, _, needs, *_) in enumerate(update.structs, 1):
            if self._has(client, clock + length - 1) or any(self._has(*id_) for id_ in needs):
                return True
            if index % ITEMS_PER_STEP == 0:
                yield
        for index, (client, clock, length) in enumerate(update.deletes, 1):
            if client in self._deletes or self._has(client, clock + length - 1):
                return True
            if index % ITEMS_PER_STEP == 0:
                yield
        return False

    def _has(self, client: int, clock: int) -> bool:
        """True if ``clock`` is here, or behind what is here."""
        return client in self._runs and clock >= self._runs[client].begin

    def take(self) -> InspectedUpdate:
        """Return everything as one update, and begin anew. One struct stands for all of each client."""
        runs, self._runs = self._runs, {}
        deletes, self._deletes = self._deletes, {}
        parts = [encode_numbers(len(runs))]
        for client in sorted(runs, reverse=True):
            run = runs[client]
            parts += [encode_numbers(run.count, client, run.begin), bytes(run.payload)]
        parts.append(encode_numbers(len(deletes)))
        for client in sorted(deletes, reverse=True):
            parts += [encode_numbers(client, deletes[client].count), bytes(deletes[client].payload)]
        structs = tuple([run.summary(client) for client, run in runs.items()])
        return InspectedUpdate(b"".join(parts), structs, (), frozenset(), 0)


class _Run:
    """The structs or the deleted ranges of one client."""

    __slots__ = ("begin", "count", "end", "payload")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        """The first clock."""
        self.end: int | None = None
        self.count = 0
        self.payload = bytearray()

    def summary(self, client: int) -> Struct:
        """Return one struct of the same clocks, without bytes."""
        assert self.end is not None
        return Struct(client, self.begin, self.end - self.begin, STRING, (), 0, 0)
