"""The CRDT behind one wrapper: the only module that changes a pycrdt document.

The engine is fast and not to be trusted with raw bytes: it panics with a BaseException, it loses what arrives out of
order, and a document that raised once must never be read again. So it is given only what the guard has read and whose
predecessors are present, every call goes through ``_native``, and after the first failure the document is poisoned.

The wrapper also keeps, in plain Python, what the document has: its state vector, its deleted ranges, its surrogate
pairs and, once an update changes its structure, how deep everything lies. ``assess`` answers from these.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, ParamSpec, TypeVar

import pycrdt

from collab.crdt.assessment import Assessment, Contradicted, Known, Lacks, News
from collab.crdt.causality import is_ready, split_update
from collab.crdt.comparison import find_contradiction, find_contradiction_in_steps, is_known_in_part
from collab.crdt.content import equivalent_updates
from collab.crdt.diff import diff_update
from collab.crdt.encoding import encode_update
from collab.crdt.guard import inspect_in_steps, inspect_stored_update
from collab.crdt.nesting import Nesting
from collab.crdt.plaintext import read_text
from collab.crdt.ranges import IdRanges
from collab.crdt.shared_diffs import NOTHING, SharedDiffs
from collab.crdt.slices import SLICE_STRUCTS_MAX, CausalOrder, SliceSize, deletion_slices, jumps, slices
from collab.crdt.splits import splits_at_most
from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.crdt.steps import ITEMS_PER_STEP, Steps, finish
from collab.crdt.surrogates import SurrogatePairs, deletion, replace_split_pairs
from collab.crdt.title import read_title, write_title
from collab.crdt.update import SKIP, DeletedRange, Id, InspectedUpdate
from collab.errors import DocumentPoisoned, UpdateRefused
from collab.protocol.limits import DOCUMENT_CLIENTS_MAX, SPLITS_MAX, STORED

P = ParamSpec("P")
T = TypeVar("T")

STORED_SLICE = SliceSize(jumps=4)
"""The largest part of a row that the engine is given at once."""

QUICKLY_READ_BYTES = 4096
"""A document of so many bytes is read in a moment."""


class Document:
    """The content of one document. Every method may raise DocumentPoisoned; from then on every method does."""

    def __init__(self) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.is_poisoned = False
        self._deleted = IdRanges()
        self._deleted_exact = True
        self._nesting: Nesting | None = None
        self._learners: list[list[InspectedUpdate]] = []
        """Updates that were integrated since each reading of the structure began."""
        self._version = 0
        """Grows with each change."""
        self._pairs = SurrogatePairs()
        self.size = 0
        """About how many bytes ``encode`` returns: what it returned last, and what was integrated since."""
        self.changed = 0
        """Bytes that were integrated and elements that were deleted since ``size`` was exact."""
        self._shared = SharedDiffs()
        self.state: dict[int, int] = {}
        """The state vector: client id → number of clocks. Read it, never write it."""

    @classmethod
    def load(cls, snapshot: bytes | None, updates: Iterable[bytes]) -> "Document":
        """Return the document that a snapshot and the updates after it make.

        Raises DocumentPoisoned when an update builds on what no earlier one brings. Rows are committed in the order in
        which they were applied, so such a log is damaged.
        """
        return finish(cls.load_in_steps(snapshot, updates))

    @classmethod
    def load_in_steps(cls, snapshot: bytes | None, updates: Iterable[bytes]) -> Steps["Document"]:
        """Do the same in steps. Reading the snapshot is one of them: ``compact`` has seen that it is quick."""
        document = cls()
        if snapshot is not None:
            document._native(document._doc.apply_update, snapshot)
            document.state = document._engine_state()
            document._deleted_exact = False
            document._pairs.add_snapshot(snapshot)
            document.size = len(snapshot)
        for payload in updates:
            yield
            update = yield from inspect_in_steps(payload, STORED)
            yield from document.take_committed(update)
        return document

    def take_committed(self, update: InspectedUpdate) -> Steps[None]:
        """Apply an update of the log, in steps. Raises DocumentPoisoned if it builds on what is not here."""
        order = CausalOrder(update, self.state)
        if len(update.structs) <= STORED_SLICE.structs and jumps(update, STORED_SLICE.jumps) <= STORED_SLICE.jumps:
            parts: Iterable[InspectedUpdate | None] = (update,)
        else:
            parts = chain(
                slices(update, order, lambda: STORED_SLICE),
                deletion_slices(update, update.deletes, lambda: STORED_SLICE),
            )
        for part in parts:
            match self._assess_committed(part) if part is not None else None:
                case News() as news:
                    self.apply(news)
                case Lacks(_, waits_for):
                    raise _damaged(waits_for)
            yield
        if waits_for := order.waits_for:
            raise _damaged(waits_for)

    # --- assess --------------------------------------------------------------------------------------

    def assess(
        self,
        update: InspectedUpdate,
        *,
        committed: bool = False,
        exact: bool = False,
        read_only: bool = False,
        is_withheld: Callable[[int], bool] = lambda _: False,
    ) -> Assessment:
        """Return what applying ``update`` would do. Changes nothing.

        ``committed``: it is a row of the log. Another replica has accepted it, perhaps while it knew other surrogate
        pairs; it is not judged again, and not refused.
        ``exact``: ask the engine when in doubt whether it is known. The ranges kept here lack children that were
        deleted with their parent and values that a map replaced, so without this an update may be called news that
        adds nothing, and never the reverse.
        ``read_only``: only tell whether it is known, exactly; anything else is ``Lacks``.
        ``is_withheld``: True for a client whose new structs are not to be taken from this sender.

        Raises UpdateRefused when the document must not become what it would.
        """
        repeats, new_clients = self._compare_clocks(update)
        at = find_contradiction(update, self.state, self._diff_between_characters) if repeats else None
        if committed:
            despite = self._assess_committed(update)
            return despite if at is None else Contradicted(at, despite)
        if at is not None:
            return Contradicted(at)
        if not new_clients and self._has_deletions(update, exact=exact or read_only):
            return Known()
        if read_only:
            return Lacks(update, {})
        withheld = frozenset([client for client in new_clients if is_withheld(client)])
        if not withheld and is_ready(update, self.state):
            return self._news(update)
        split = split_update(update, self.state, withheld)
        if split.ready is None or self._has(split.ready):
            assert split.rest is not None, "what is not known is ready or not"
            return Lacks(split.rest, split.waits_for)
        return replace(self._news(split.ready), rest=split.rest, waits_for=split.waits_for)

    def _assess_committed(self, update: InspectedUpdate) -> Known | Lacks | News:
        if not is_ready(update, self.state):
            return Lacks(update, split_update(update, self.state).waits_for)
        split_pairs = self._pairs_split_by_log(update)
        if not split_pairs and self._has(update):
            return Known()
        before = deletion(split_pairs) if split_pairs else None
        return News(diff_update(update, self.state, self._deleted), before)

    def _compare_clocks(self, update: InspectedUpdate) -> tuple[bool, set[int]]:
        """Return True if the update repeats something that is here, and the clients of which it has something new."""
        state, repeats, new_clients = self.state, False, set()
        for client, clock, length, kind, *_ in update.structs:
            have = state.get(client, 0)
            repeats = repeats or clock < have
            if clock + length > have and kind != SKIP:
                new_clients.add(client)
        return repeats, new_clients

    def _news(self, ready: InspectedUpdate) -> News:
        """Return what of ``ready`` is new. Raises UpdateRefused when that must not be applied."""
        cut = self._pairs_split_by(ready) if self._pairs else []
        if ready.low_surrogates:
            ready = replace_split_pairs(ready, self.state)
        news = diff_update(ready, self.state, self._deleted)
        return News(news, deletion(cut) if cut else None, levels=self._check(news))

    def _check(self, news: InspectedUpdate) -> list[int] | None:
        """Return the levels of the structs, once the document has a structure. Raises UpdateRefused."""
        if len(news.structs) + len(news.deletes) > SPLITS_MAX // 2:
            self._check_splits(news)
        if len(news.structs) + len(self.state) > DOCUMENT_CLIENTS_MAX:
            self._check_clients(news)
        if self._nesting is None:
            if not _has_structure(news):
                return None
            finish(self.learn_structure_in_steps())
            assert self._nesting is not None
        return self._nesting.check(news)

    def _check_splits(self, news: InspectedUpdate) -> None:
        if splits_at_most(news, self.state, self._deleted, SPLITS_MAX) > SPLITS_MAX and (
            not self._learn_deletions() or splits_at_most(news, self.state, self._deleted, SPLITS_MAX) > SPLITS_MAX
        ):
            raise UpdateRefused(f"An update may change a document at no more than {SPLITS_MAX} places.")

    def _check_clients(self, news: InspectedUpdate) -> None:
        new = {struct.client for struct in news.structs if struct.client not in self.state}
        if new and len(self.state) + len(new) > DOCUMENT_CLIENTS_MAX:
            raise UpdateRefused(f"A document may have at most {DOCUMENT_CLIENTS_MAX} clients.")

    def _has(self, update: InspectedUpdate) -> bool:
        """Return True if the structs and deletions of the update are here, as far as that is known without asking."""
        return not self._compare_clocks(update)[1] and self._has_deletions(update, exact=False)

    def _has_deletions(self, update: InspectedUpdate, *, exact: bool) -> bool:
        """Return True if all that the update deletes is deleted. ``exact``: ask the engine when in doubt."""
        return self._covers(update) or (exact and self._learn_deletions() and self._covers(update))

    def splits_pair(self, update: InspectedUpdate) -> bool:
        """Return True if the update would split a character of the document, be it a deleted one."""
        return bool(self._pairs.split_by(update, self.state))

    def _pairs_split_by(self, update: InspectedUpdate) -> list[Id]:
        """Return the characters of the document that the update would split, by their low surrogates."""
        return self._live(self._pairs.split_by(update, self.state))

    def _pairs_split_by_log(self, update: InspectedUpdate) -> list[Id]:
        """Return the characters that a row would split, or that only one of the row and the document has whole.

        They are deleted whole before the row is applied, by every replica that reads it.
        """
        split = set(self._pairs_split_by(update))
        if is_known_in_part(update, self.state):
            split.update(self._live(self._pairs.differing(update, self.state)))
        return sorted(split)

    # --- apply ---------------------------------------------------------------------------------------

    def apply(self, news: News) -> None:
        """Integrate what ``assess`` has just returned."""
        if news.before is not None:
            self._integrate(news.before)
            self._shared.forget()  # merged with what follows it, the deletion would come too late
        self._integrate(news.update, news.levels)

    def _integrate(self, update: InspectedUpdate, levels: list[int] | None = None) -> None:
        if self._nesting is not None:
            self._nesting.add(update, self._nesting.check(update) if levels is None else levels)
        for meanwhile in self._learners:
            meanwhile.append(update)
        if len(update.structs) <= SLICE_STRUCTS_MAX:
            self._native(self._doc.apply_update, update.payload)
        else:
            for payload in self._slices(update):
                self._native(self._doc.apply_update, payload)
        for struct in update.structs:
            end = struct.clock + struct.length
            if end > self.state.get(struct.client, 0):
                self.state[struct.client] = end
        for deleted in update.deletes:
            self._deleted.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        # Structs delete too: a value of a map the one before it, and what comes into a deleted parent goes with it.
        self._deleted_exact = False
        self._version += 1
        self.size += len(update.payload)
        self.changed += len(update.payload) + sum([deleted.length for deleted in update.deletes])
        if update.low_surrogates:
            self._pairs.add(update)
        self._shared.add(update)

    def _slices(self, update: InspectedUpdate) -> Iterator[bytes]:
        """Yield an update that is ready in the parts that the engine is given."""
        for part in slices(update, CausalOrder(update, self.state), SliceSize):
            if part is not None:
                yield part.payload
        if update.deletes:
            yield encode_update((), update.deletes, b"")

    # --- read ----------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return the whole document as one update: the same bytes object until the next change."""
        known = self._shared.find(NOTHING)
        if known is not None and known.is_current and not self.is_poisoned:
            return known.payload
        payload = self._shared.keep(NOTHING, self._native(self._doc.get_update))
        self.size, self.changed = len(payload), 0
        return payload

    def catch_up(self, state: dict[int, int]) -> tuple[bytes, bytes | None]:
        """Return what brings a peer with ``state`` up to date: an update, and perhaps another one to apply after it.

        Peers with the same state are told by the same bytes objects for a while.
        """
        vector = encode_state_vector(state)
        known = self._shared.find(vector)
        if known is None or self.is_poisoned:
            return self._shared.keep(vector, self._native(self._doc.get_update, vector)), None
        return known.payload, known.later()

    def forget_shared(self) -> None:
        """Forget the updates of ``catch_up`` that are not likely to be asked for again. Call it now and then."""
        self._shared.forget_known()

    def diff(self, state: dict[int, int]) -> bytes:
        """Return the update that brings a peer with ``state`` up to date. It always carries every deletion."""
        if not state:
            return self.encode()
        known = encode_state_vector(state)
        return self._native(self._doc.get_update, known)

    def _diff_between_characters(self, state: dict[int, int]) -> bytes:
        """Return the same as ``diff``, from whole characters on: the engine cannot begin with half of one."""
        return self.diff(self._pairs.between_characters(state) if self._pairs else state)

    def text(self) -> str:
        """Return the document as plain text."""
        return self._native(read_text, self._doc)

    def title(self) -> str | None:
        """Return the title, or None if the document has none."""
        return self._native(lambda: read_title(self._doc))

    def retitled(self, title: str) -> bytes:
        """Return the update that sets the title. It is made on this copy, which is of no use afterwards."""
        return self._native(lambda: write_title(self._doc, title))

    def whole(self) -> bool:
        """Return True if the engine holds exactly what it was given: nothing pending, nothing lost."""
        return _counted(self._engine_state()) == _counted(self.state)

    def reads_back(self) -> bool:
        """Return True if what ``encode`` writes reads back as all of this document."""
        return finish(self.reads_back_in_steps())

    def reads_back_in_steps(self) -> Steps[bool]:
        """Do the same in steps. Each reads or writes the whole document once."""
        if not self.whole():
            return False
        payload = self.encode()
        yield
        again = Document.load(payload, ())
        yield
        return (yield from self._equals(again))

    def equals(self, other: "Document") -> bool:
        """Return True if both hold the same content: clocks, deletions, and values.

        Both are read back first, since how finely the engine cuts the same text depends on how it arrived. Values are
        compared where bytes differ, since the engine writes the keys of an object in another order each time.
        """
        return finish(self._equals(other))

    def _equals(self, other: "Document") -> Steps[bool]:
        if _counted(self.state) != _counted(other.state) or self._deletions() != other._deletions():
            return False
        read = []
        for each in (self, other):
            yield
            again = Document.load(each.encode(), ())
            yield
            read.append(again.encode())
        if read[0] == read[1]:
            return True
        yield
        ours = yield from inspect_in_steps(read[0], STORED)
        theirs = yield from inspect_in_steps(read[1], STORED)
        return equivalent_updates(ours, theirs)

    def _live(self, lows: Iterable[Id]) -> list[Id]:
        """Return the surrogate pairs that still have at least one live half."""
        return [(client, low) for client, low in lows if not self._deleted.covers(client, low - 1, low + 1)]

    def _covers(self, update: InspectedUpdate) -> bool:
        return all(map(self.is_deleted, update.deletes))

    def _learn_deletions(self) -> bool:
        """Read every deletion from the engine. Return False if all were known already."""
        if self._deleted_exact:
            return False
        finish(self.learn_deletions_in_steps())
        return True

    # --- in steps --------------------------------------------------------------------------------------

    def is_deleted(self, deleted: DeletedRange) -> bool:
        """True if a range is known to be deleted."""
        return self._deleted.covers(deleted.client, deleted.clock, deleted.clock + deleted.length)

    def is_quick_about(self, update: InspectedUpdate, *, exact: bool) -> bool:
        """True if ``assess`` need not read the document to judge a small update. ``exact``: as there."""
        if self._nesting is None and self.size > QUICKLY_READ_BYTES and _has_structure(update):
            return False
        return not exact or self._deleted_exact or self.size <= QUICKLY_READ_BYTES or self._covers(update)

    def compare_in_steps(self, update: InspectedUpdate) -> Steps[Id | None]:
        """Return the first id at which ``update`` has other content than the document, if there is one."""
        return find_contradiction_in_steps(update, self.state, self._diff_between_characters)

    def knows_structure_for(self, update: InspectedUpdate) -> bool:
        """True unless ``learn_structure_in_steps`` must be done before ``update`` can be judged."""
        return self._nesting is not None or not _has_structure(update)

    def learn_structure_in_steps(self) -> Steps[None]:
        """Read how deep everything lies. On first need: a plain text never pays for it, nor a document only read."""
        nesting = Nesting()
        meanwhile: list[InspectedUpdate] = []
        self._learners.append(meanwhile)
        try:
            content = yield from inspect_in_steps(self.encode(), STORED)
            yield from nesting.check_and_add(content)
            for update in meanwhile:  # which grows until the last has been added
                yield from nesting.check_and_add(update)
        finally:
            self._learners = [each for each in self._learners if each is not meanwhile]
        self._nesting = nesting

    def learn_deletions_in_steps(self) -> Steps[None]:
        """Read every deletion from the engine."""
        version = self._version
        own = self._native(self._doc.get_state)
        only_deletes = yield from inspect_in_steps(self._native(self._doc.get_update, own), STORED)
        for index, deleted in enumerate(only_deletes.deletes, 1):
            self._deleted.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
            if index % ITEMS_PER_STEP == 0:
                yield
        self._deleted_exact = version == self._version

    def _deletions(self) -> IdRanges:
        """Return every deleted range: a diff against our own state holds nothing else."""
        own = self._native(self._doc.get_state)
        only_deletes = inspect_stored_update(self._native(self._doc.get_update, own))
        ranges = IdRanges()
        for deleted in only_deletes.deletes:
            ranges.add(deleted.client, deleted.clock, deleted.clock + deleted.length)
        return ranges

    def _engine_state(self) -> dict[int, int]:
        """Return the state vector as the engine has it. The bound on peers' state vectors does not apply to our own."""
        return decode_state_vector(self._native(self._doc.get_state), entries_max=sys.maxsize)

    def _native(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make one call into the engine. A panic arrives as a BaseException and poisons the document."""
        if self.is_poisoned:
            raise DocumentPoisoned
        try:
            return call(*args, **kwargs)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            self.is_poisoned = True  # the call may have stopped half-way
            raise
        except BaseException as cause:
            self.is_poisoned = True
            raise DocumentPoisoned from cause


def _damaged(waits_for: Mapping[int, int]) -> DocumentPoisoned:
    return DocumentPoisoned(f"The log is damaged: no row holds {min(waits_for.items())}.")


def _has_structure(update: InspectedUpdate) -> bool:
    """True if an update makes a shared type, or puts something into one."""
    if update.depth:
        return True
    for struct in update.structs:  # noqa: SIM110 - an iterator for one struct takes more than the rest
        if update.parent_of(struct):
            return True
    return False


def _counted(state: dict[int, int]) -> dict[int, int]:
    """Return a state vector without clients that wrote nothing."""
    return {client: clocks for client, clocks in state.items() if clocks}
