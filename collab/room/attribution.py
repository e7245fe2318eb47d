"""Who wrote this: read from the log, whose every entry says who is answerable for it.

An id is attributed to the author of the first entry that brought it. Where that author did not show the id's client as
their own, they are its carrier: who wrote it may have been somebody else, whose connection died before the commit.
"""

from bisect import bisect_right
from typing import NamedTuple

from collab.crdt.guard import inspect_stored_update
from collab.crdt.update import Id
from collab.ids import UserId
from collab.protocol.rows import Entry


class Attribution(NamedTuple):
    """Who answers for an edit."""

    user: UserId
    carried: bool


class Attributions:
    """The attributions of one document. Entries are added in the order of the log, from its beginning."""

    def __init__(self) -> None:
        self._ends: dict[int, list[int]] = {}
        self._of: dict[int, list[Attribution]] = {}
        """For each client the ends of its stretches, ascending, and whose each is."""

    def add(self, entry: Entry) -> None:
        """The next entry of the log."""
        attribution = Attribution(entry.author, entry.carried)
        for struct in inspect_stored_update(entry.update).structs:
            ends, whose = self._ends.setdefault(struct.client, []), self._of.setdefault(struct.client, [])
            end = struct.clock + struct.length
            if ends and end <= ends[-1]:
                continue
            if whose and whose[-1] == attribution:
                ends[-1] = end
            else:
                ends.append(end)
                whose.append(attribution)

    def of(self, id_: Id) -> Attribution | None:
        """Who answers for this id; None when the log does not have it."""
        client, clock = id_
        ends = self._ends.get(client, [])
        at = bisect_right(ends, clock)
        return self._of[client][at] if at < len(ends) else None
