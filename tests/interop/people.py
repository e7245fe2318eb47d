"""The simulated deployment with real Yjs clients, whose documents live in the process of the oracle.

The clients make the edits of people, and rarer ones: split emoji, formats, nested types, undo. They send the messages
of a provider: presence, edits made offline, answers to a SyncStep1. One is a reader. One user has two pages open, which
exchange their edits without the server, as browser tabs may. A page may be reloaded, and is then another client.

An edit can be lost before it is acknowledged, if its author's page is closed and so is every page that received it.
Edits that another page in the author's browser got on top of it stay pending there, perhaps for ever, and are not
shown. Only such a page may have an update refused; it continues like any other.

A seed determines a story. Each step has a random generator of its own, so the other steps stay the same if some are
left out, and a failing story can be shortened (``shortest``).
"""

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from collab.crdt.stored import compact, load_document
from collab.ids import Sequence
from collab.protocol.awareness import decode_awareness, encode_awareness
from collab.protocol.messages import (
    AwarenessUpdate,
    FromServer,
    Refused,
    Saved,
    SyncStep1,
    SyncStep2,
    Update,
)
from collab.protocol.rows import decode_entries
from tests.interop.content import hash_of
from tests.interop.oracle import Oracle
from tests.network import NAME, WINDOWS_S, Network, SimulatedClient, Violation, now
from tests.protocol.build import EMPTY_STATE_VECTOR

STEPS = 120
ROUNDS_TO_REST_MAX = 60
"""Rounds of one second; presence of a lost client expires in half of them."""

RENEW_EVERY = 15
"""Seconds after which a client renews its presence."""


@dataclass(eq=False)
class PageClient(SimulatedClient):
    """A page in a browser, whose document lives in the process of the oracle."""

    doc: Any = None
    """Unused: the document is in the process of the oracle."""
    oracle: Oracle = field(kw_only=True)
    number: int = field(kw_only=True)
    present: bool = field(kw_only=True)
    """True if it has presence, as clients of people do."""
    hears_echo: bool = field(kw_only=True)
    """True if it gets its own updates back as acknowledgements, as y-websocket clients do."""
    other: "PageClient | None" = None
    """Another page in the same browser, which receives all edits at once."""
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    """Frames that have arrived and are not handled yet."""
    was_refused: bool = False
    """True if one of its updates was refused."""
    ids: list[int] = field(default_factory=list)
    """Its client ids, one for each load of the page."""

    @property
    def is_alone(self) -> bool:
        return self.other is None

    def open(self, seed: int) -> None:
        """Load the page with an empty document. The other page in the browser sends its own."""
        question = {"page": self.number, "seed": seed, "present": self.present, "tidies": self.can_write}
        self.ids.append(self.oracle.ask("open", **question))
        self.edits.clear()
        self.frames.clear()
        self.was_refused = False
        if self.other is not None:
            ((_, everything),) = self.other.answers([("step1", EMPTY_STATE_VECTOR)])
            self.frames.append(("step2", base64.b64decode(everything)))
            self.listen()

    def work(self, seed: int) -> None:
        self.say(self.oracle.ask("edit", page=self.number, seed=seed))

    def hello(self) -> None:
        self.sent_step1 = True
        self.say(self.oracle.ask("hello", page=self.number))

    def renew(self) -> None:
        self.say(self.oracle.ask("renew", page=self.number))

    def hear(self, message: FromServer) -> None:
        match message:
            case SyncStep1(state_vector):
                self.frames.append(("step1", state_vector))
            case SyncStep2(update) | Update(update):
                self.frames.append(("update", update))
            case AwarenessUpdate(entries):
                self.frames.append(("presence", encode_awareness(entries)))
            case Saved(update) if update and self.hears_echo:
                super().hear(message)
                self.frames.append(("update", update))
            case Refused():
                super().hear(message)
                self.was_refused = True
            case _:
                super().hear(message)

    def listen(self) -> None:
        """Handle all frames that have arrived, and send the answers."""
        if self.frames:
            frames, self.frames = self.frames, []
            self.say(self.answers(frames))

    def answers(self, frames: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """Return the answers to these frames."""
        heard = [(kind, base64.b64encode(payload).decode()) for kind, payload in frames]
        said: list[tuple[str, str]] = self.oracle.ask("hear", page=self.number, frames=heard)
        return said

    def say(self, said: Iterable[tuple[str, str]]) -> None:
        """Send messages to the server, if connected, and to the other page."""
        for kind, text in said:
            payload = base64.b64decode(text)
            if kind == "update":
                self.edits.append(payload)
            if kind in ("update", "presence") and self.other is not None:
                self.other.frames.append((kind, payload))
            if self.replica is not None:
                self._say(kind, payload)
        if self.other is not None:
            self.other.listen()

    def _say(self, kind: str, payload: bytes) -> None:
        match kind:
            case "step1":
                self._send(SyncStep1(payload))
            case "step2":
                self._send(SyncStep2(payload), payload if self.sent_step1 else None)
                self.sent_step1 = False
            case "update":
                self._send(Update(payload), payload)
            case "presence":
                self._send(AwarenessUpdate(decode_awareness(payload)))


class People(Network):
    """Four users with five pages on one or two replicas."""

    def __init__(self, oracle: Oracle, seed: int, **parts: Any) -> None:
        dice = random.Random(f"{seed}: people")
        super().__init__(seed, replicas=dice.randint(1, 2), window_s=WINDOWS_S[seed % len(WINDOWS_S)], **parts)
        oracle.ask("close")
        self.oracle = oracle
        self.seed = seed
        self.steps_taken: list[str] = []
        """Every step so far, in words."""
        self.met: Counter[str] = Counter()
        """Number of times that each kind of step was taken."""
        self.pages: list[PageClient] = []
        names = ("ann", "bob", "cyd", "cyd's other page", "a reader")
        for number, name in enumerate(names):
            page = PageClient(
                name,
                name != "a reader",
                user=name.removesuffix("'s other page"),
                oracle=oracle,
                number=number,
                present=dice.random() < 0.8,
                hears_echo=dice.random() < 0.5,
            )
            page.open(dice.getrandbits(32))
            self.pages.append(page)
        self.clients = list(self.pages)
        if dice.random() < 0.7:
            self.pages[2].other, self.pages[3].other = self.pages[3], self.pages[2]

    # --- steps -----------------------------------------------------------------------------------------

    def run_story(self, steps: int = STEPS, *, without: frozenset[int] = frozenset()) -> None:
        """Take all steps except those in ``without``; then settle, and compare all documents."""
        for page in self.pages:
            self.join(page, self.random.randrange(len(self.replicas)))
        for number in range(steps):
            if number not in without:
                self.random.seed(f"{self.seed}: {number}")
                self.do(self.choose())
        self.random.seed(f"{self.seed}: the end")
        self.settle()
        self.assert_converged()

    def choose(self) -> Callable[[], None]:
        dice = self.random.random()
        due = self.steps()
        away = [page for page in self.pages if page.replica is None]
        if dice < 0.1 and away:
            return partial(self.join, self.random.choice(away), self.random.randrange(len(self.replicas)))
        if dice < 0.2:
            return self.accident()
        if dice < 0.4 or not due:
            return partial(self.write, self.random.choice(self.pages))
        return self.random.choice(due)

    def do(self, step: Callable[[], None]) -> None:
        self.steps_taken.append(f"{len(self.steps_taken) + 1}: {_in_words(step)}")
        self.met[_call(step).__name__] += 1
        super().do(step)

    def write(self, page: PageClient) -> None:
        page.work(self.random.getrandbits(32))

    def accident(self) -> Callable[[], None]:
        match self.random.randrange(12):
            case 0:
                return partial(self.reload, self.random.choice(self.pages))
            case 1:
                return partial(PageClient.renew, self.random.choice(self.pages))
        return super().accident()

    def reload(self, page: PageClient) -> None:
        """Reload a page. Edits that only this page had are lost, but they were not acknowledged."""
        self.cut(page, clean=True)
        page.open(self.random.getrandbits(32))

    def hear(self, client: SimulatedClient) -> None:
        """Deliver some of the frames in flight to a page, at once."""
        assert isinstance(client, PageClient)
        for _ in range(self.random.randint(1, len(client.down))):
            super().hear(client)
        client.listen()

    # --- the end ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Connect every page, the reader as a new client, and let time pass until nothing is pending."""
        self.reload(self.pages[-1])
        self.rest()
        for page in self.pages:
            self.cut(page)
        self.rest()

    def rest(self) -> None:
        for passed in range(ROUNDS_TO_REST_MAX):
            for page in self.pages:
                if page.replica is None:
                    self.join(page, self.random.randrange(len(self.replicas)))
                if passed % RENEW_EVERY == 0:
                    page.renew()
            self.run_until_quiet()
            if not self.waits():
                return
        raise Violation(f"{self.waits()} never come to rest")

    def waits(self) -> list[str]:
        """Return the pages and replicas that still wait for something."""
        pages = [str(page) for page in self.pages if page.replica is None or page.unsaved]
        return pages + [str(replica) for replica in self.replicas if replica.room and replica.room.pending]

    def assert_converged(self) -> None:
        """Assert that all pages, all rooms and the log hold the same, as real Yjs and the engine read it."""
        held = self.oracle.ask("look", pages=[page.number for page in self.pages])
        expected = held[0]
        for page, one in zip(self.pages, held, strict=True):
            for client, clock in one["awaits"]:
                if self.durable.state.get(client, 0) > clock:
                    raise Violation(f"{page} waits for structs that are in the log")
            if page.was_refused and page.can_write and page.other is None:
                raise Violation(f"{page} may write, but was refused")
            if one["hash"] != expected["hash"]:
                raise Violation(f"{page} reads {one['content']}, {self.pages[0]} reads {expected['content']}")
            if one["state"] != expected["state"]:
                raise Violation(f"{page} has other clocks than {self.pages[0]}")
        self._assert_log_reads(expected["hash"])
        for page in self.pages:
            if not page.can_write and any(self.durable.state.get(id_) for id_ in page.ids):
                raise Violation(f"{page} is a reader, but changed the document")
            if page.can_write and not all(map(self.is_durable, page.edits)):
                raise Violation(f"an edit of {page}, which reconnected, is not in the log")

    def _assert_log_reads(self, expected: str) -> None:
        stored = now(self.store.load(NAME))
        rows = now(self.store.rows_after(NAME, Sequence(0)))
        snapshot = None if stored.snapshot is None else stored.snapshot.state
        documents = {
            **{str(replica): replica.room.document for replica in self.replicas if replica.room},
            "the log": load_document(None, rows),
            "a snapshot and the tail": load_document(snapshot, stored.tail),
        }
        for name, document in documents.items():
            if hash_of(document._doc) != expected:
                raise Violation(f"the engine reads {name} differently")
        orders = {
            **{name: [document.encode()] for name, document in documents.items()},
            "the log compacted": [compact(None, rows)],
            "a snapshot and the tail compacted": [compact(snapshot, stored.tail)],
            "the log's updates": [entry.update for row in rows for entry in decode_entries(row.payload)],
        }
        for name, reading in zip(orders, self.oracle.read(orders.values()), strict=True):
            if reading.content != expected or reading.waits or reading.error:
                raise Violation(f"Yjs reads {name} differently: {reading.error}")


def run_story(oracle: Oracle, seed: int, *, without: frozenset[int] = frozenset(), **parts: Any) -> People:
    """Run one story. Raises Violation with its steps if anything goes wrong."""
    people = People(oracle, seed, **parts)
    try:
        people.run_story(without=without)
    except Exception as error:
        raise Violation("\n".join([f"story {seed}: {error!r}", *people.steps_taken])) from error
    return people


def shortest(oracle: Oracle, seed: int, **parts: Any) -> str:
    """Return the report of a failing story, without the steps that it does not need to fail."""
    without: frozenset[int] = frozenset()
    why = ""
    for size in (32, 8, 2, 1):
        for first in range(0, STEPS, size):
            less = without | frozenset(range(first, first + size))
            try:
                run_story(oracle, seed, without=less, **parts)
            except Violation as error:
                without, why = less, str(error)
    return why


def first_that_fails(oracle: Oracle, seeds: Iterable[int], **parts: Any) -> int | None:
    """Return the first of these seeds whose story breaks a promise."""
    for seed in seeds:
        try:
            run_story(oracle, seed, **parts)
        except Violation:
            return seed
    return None


def _call(step: Callable[[], None]) -> Any:
    return step.func if isinstance(step, partial) else step


def _in_words(step: Callable[[], None]) -> str:
    call, arguments = _call(step), step.args if isinstance(step, partial) else ()
    owner = getattr(call, "__self__", None)
    subject = () if isinstance(owner, Network) or owner is None else (owner,)
    return " ".join(map(str, (*subject, call.__name__, *arguments)))
