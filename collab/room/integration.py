"""Takes one large or costly update into the document, in steps.

It decides the same as ``Updates._settle`` does for a small one: is it known, may its sender write, does it contradict
what is here, which part is ready? But it never looks at the whole at once. What is ready goes into the document slice
by slice; between two of them anything may happen, so each slice is assessed as if it were an update that has just
arrived. Its other parts wait in ``HeldBack`` until the last is in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from collab.crdt.assessment import Contradicted, Known, Lacks, News
from collab.crdt.causality import rest_in_steps
from collab.crdt.document import Document
from collab.crdt.guard import inspect_in_steps
from collab.crdt.slices import CausalOrder, SliceSize, deleted_ranges, deletion_slices, slices
from collab.crdt.steps import ITEMS_PER_STEP, Steps
from collab.crdt.surrogates import own_pairs_cut, replace_cut_pairs
from collab.crdt.update import SKIP, DeletedRange, InspectedUpdate, Struct
from collab.errors import UpdateRefused
from collab.protocol.limits import Limits
from collab.room.session import Session

CONTRADICTION = "Other text stands at the place of one of your edits: copy what you wrote, and reload."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an update."""

    adds: bool
    """True if it changed the document."""
    rest: InspectedUpdate | None = None
    """The part that is not ready, unless all of it was."""
    waits_for: Mapping[int, int] = field(default_factory=dict)
    """Client id → the lowest clock of it that the rest waits for."""


def read_update(
    payload: bytes, limits: Limits, sender: Session, state: Mapping[int, int]
) -> Steps[InspectedUpdate | None]:
    """Return the description of an update, or None once it is clear that a reader sent something new.

    Raises UpdateRefused.
    """
    structs: list[Struct] = []
    steps = inspect_in_steps(payload, limits, structs)
    seen = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            update: InspectedUpdate = end.value
            return update
        if not sender.can_write:
            if any(map(partial(_is_new, state), islice(structs, seen, None))):
                return None
            seen = len(structs)
        yield


def _is_new(state: Mapping[int, int], struct: Struct) -> bool:
    return struct.clock + struct.length > state.get(struct.client, 0) and struct.kind != SKIP


class Integration:
    """One update on its way into ``document``."""

    def __init__(
        self,
        document: Document,
        update: InspectedUpdate,
        *,
        size: Callable[[], SliceSize],
        is_withheld: Callable[[int], bool],
        before: Callable[[InspectedUpdate], None],
        take: Callable[[News], None],
        exact: bool,
    ) -> None:
        """``before`` is called with each slice before it is assessed; ``take`` applies its news.

        ``is_withheld`` and ``exact``: as in ``Document.assess``.
        """
        self._document = document
        self._update = update
        self._size = size
        self._is_withheld = is_withheld
        self._before = before
        self._take = take
        self._exact = exact
        self._adds = False
        self.repeats_deletions = False
        """True if something that the update deletes was found deleted already."""

    def is_known(self) -> Steps[bool]:
        """Return True if all of it is here. Raises UpdateRefused if it contradicts the document."""
        yield from self._compare()
        state = self._document.state
        for index, struct in enumerate(self._update.structs, 1):
            if _is_new(state, struct):
                return False
            if index % ITEMS_PER_STEP == 0:
                yield
        return (yield from self._deletes_nothing_new())

    def is_ready(self) -> Steps[bool]:
        """Return True if all of it can be taken now."""
        order = CausalOrder(self._update, self._document.state, self._is_withheld)
        for struct in order:
            if struct is None:
                yield
        have = order.have
        return not order.waits_for and all(d.clock + d.length <= have(d.client) for d in self._update.deletes)

    def run(self) -> Steps[Outcome]:
        """Take what is ready. Raises UpdateRefused when the rest must not be taken; then some slices may have been."""
        yield from self._compare()
        if not self._document.knows_structure_for(self._update):
            yield from self._document.learn_structure_in_steps()
        cut = yield from own_pairs_cut(self._update, self._document.state)
        deleted = yield from deleted_ranges(self._update)
        state = self._document.state
        while True:
            order = CausalOrder(self._update, state, self._is_withheld)
            if not (yield from self._take_structs(slices(self._update, order, self._size, deleted), cut)):
                continue  # an id has got an owner since: what is under it must wait
            waits_for = order.waits_for
            if not any(state.get(client, 0) > clock for client, clock in waits_for.items()):
                break
        rest_deletes = yield from self._take_deletes()
        for client, clock, _ in rest_deletes:
            waits_for[client] = min(clock, waits_for.get(client, clock))
        if not waits_for:
            return Outcome(self._adds)
        rest = yield from rest_in_steps(self._update, order.rest, rest_deletes)
        return Outcome(self._adds, rest, waits_for)

    def _compare(self) -> Steps[None]:
        if (yield from self._document.compare_in_steps(self._update)) is not None:
            raise UpdateRefused(CONTRADICTION)

    def _take_structs(self, parts: Iterable[InspectedUpdate | None], cut: set[tuple[int, int]]) -> Steps[bool]:
        """Take the structs that can come. Return False if some of them can no longer."""
        for part in parts:
            if part is not None and not self._take_part(replace_cut_pairs(part, cut)):
                return False
            yield
        return True

    def _take_part(self, part: InspectedUpdate) -> bool:
        """Take one slice. Return False if it is not ready."""
        self._before(part)
        assessment = self._document.assess(part, is_withheld=self._is_withheld)
        match assessment:
            case Known():
                return True
            case Contradicted():
                raise UpdateRefused(CONTRADICTION)
            case News(rest=None) as news:
                self._take(news)
                self._adds = True
                return True
            case News() | Lacks():
                return False

    # --- deletions ----------------------------------------------------------------------------------

    def _deletes_nothing_new(self) -> Steps[bool]:
        """Return True if all that it deletes is deleted. Asks the engine when in doubt."""
        if (yield from _first(self._new_deletes())) is None:
            return True
        yield from self._document.learn_deletions_in_steps()
        return (yield from _first(self._new_deletes())) is None

    def _take_deletes(self) -> Steps[list[DeletedRange]]:
        """Take the deletions of what is here, and return those of what is missing."""
        # Only what adds nothing else is worth the question: to what the structs have just deleted by themselves, the
        # deletions of the same update still belong.
        if self._exact and not self._adds and (yield from self._deletes_nothing_new()):
            return []
        rest: list[DeletedRange] = []
        for part in deletion_slices(self._update, self._ready_deletes(rest), self._size):
            if part is not None:
                self._take_part(part)
            yield
        return rest

    def _new_deletes(self) -> Iterator[DeletedRange | None]:
        """Yield what is not known to be deleted; now and then None, to end a step."""
        is_deleted = self._document.is_deleted
        for index, deleted in enumerate(self._update.deletes, 1):
            if is_deleted(deleted):
                self.repeats_deletions = True
            else:
                yield deleted
            if index % ITEMS_PER_STEP == 0:
                yield None

    def _ready_deletes(self, rest: list[DeletedRange]) -> Iterator[DeletedRange | None]:
        for deleted in self._new_deletes():
            if deleted is None:
                yield None
                continue
            client, clock, length = deleted
            known = min(length, max(0, self._document.state.get(client, 0) - clock))
            if known:
                yield DeletedRange(client, clock, known)
            if known < length:
                rest.append(DeletedRange(client, clock + known, length - known))


def _first(found: Iterable[DeletedRange | None]) -> Steps[DeletedRange | None]:
    for each in found:
        if each is not None:
            return each
        yield
    return None
