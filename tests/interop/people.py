"""The simulated deployment with real Yjs in every browser: people whose documents live in the oracle's process.

They write what people write and then some: emoji cut in two, formats, nested types, undo. They say what a provider
says: presence, edits made while away, all they have when they are asked. One only reads. One has two pages open, which
tell each other what they do without the server, as browser tabs may. A page may be loaded anew: it is another client
from then on.

An edit can be lost before it is acknowledged: its author's page is closed, and so is every page that had heard of it.
What another page in the author's browser has heard on top of it waits there, perhaps for ever, shown to nobody. Such a
page alone may be told that something it sent was not saved, and goes on like any other.

A seed is a story, and every step of it throws its own dice: a story goes on as before where steps are left out, so
one that fails can be made short (``shortest``).
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
from tests.network import NAME, Client, Network, Violation, now
from tests.protocol.build import EMPTY_STATE_VECTOR

STEPS = 120
ROUNDS_TO_REST_MAX = 60
"""Of a second each: presence of who is gone is believed for half of that."""

RENEW_EVERY = 15
"""Seconds after which a client says again that it is there."""


@dataclass(eq=False)
class Page(Client):
    """One page that somebody has open."""

    doc: Any = None
    """It is in the oracle's process."""
    oracle: Oracle = field(kw_only=True)
    number: int = field(kw_only=True)
    present: bool = field(kw_only=True)
    """It shows itself; a program might not."""
    hears_echo: bool = field(kw_only=True)
    """A y-websocket client hears its own update when that is saved."""
    other: "Page | None" = None
    """Another page in the same browser, which hears at once of what is done here."""
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    """What has come in and is not heard yet."""
    was_refused: bool = False
    """Some of what it has is not saved, and it was told so."""
    ids: list[int] = field(default_factory=list)
    """Its client ids, one a load of the page."""

    def open(self, seed: int) -> None:
        """Load the page: nothing is left of what was there. The other page in the browser tells it what it has."""
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
        """Take in what has come, all at once, and answer."""
        if self.frames:
            frames, self.frames = self.frames, []
            self.say(self.answers(frames))

    def answers(self, frames: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """What it says to these frames."""
        heard = [(kind, base64.b64encode(payload).decode()) for kind, payload in frames]
        said: list[tuple[str, str]] = self.oracle.ask("hear", page=self.number, frames=heard)
        return said

    def say(self, said: Iterable[tuple[str, str]]) -> None:
        """To the server, if connected, and to the other page."""
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
    """Four people with five pages on one replica or two."""

    def __init__(self, oracle: Oracle, seed: int, **parts: Any) -> None:
        dice = random.Random(f"{seed}: people")
        super().__init__(seed, replicas=dice.randint(1, 2), **parts)
        oracle.ask("close")
        self.oracle = oracle
        self.seed = seed
        self.told: list[str] = []
        """Every step so far, in words."""
        self.met: Counter[str] = Counter()
        """How often each sort of step was taken."""
        self.pages: list[Page] = []
        names = ("ann", "bob", "cyd", "cyd's other page", "a reader")
        for number, name in enumerate(names):
            page = Page(
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

    def tell(self, steps: int = STEPS, *, without: frozenset[int] = frozenset()) -> None:
        """So many steps, but for some; then everybody comes to rest and is compared."""
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
        self.told.append(f"{len(self.told) + 1}: {_in_words(step)}")
        self.met[_call(step).__name__] += 1
        super().do(step)

    def write(self, page: Page) -> None:
        page.work(self.random.getrandbits(32))

    def accident(self) -> Callable[[], None]:
        match self.random.randrange(12):
            case 0:
                return partial(self.reload, self.random.choice(self.pages))
            case 1:
                return partial(Page.renew, self.random.choice(self.pages))
        return super().accident()

    def reload(self, page: Page) -> None:
        """The page is loaded anew. What only it had is lost, and nobody was told that it was saved."""
        self.cut(page, clean=True)
        page.open(self.random.getrandbits(32))

    def hear(self, client: Client) -> None:
        """Some of the frames under way to a page, at once."""
        assert isinstance(client, Page)
        for _ in range(self.random.randint(1, len(client.down))):
            super().hear(client)
        client.listen()

    # --- the end ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody comes back, the reader as one who has just come, and time passes until nothing waits."""
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
        """Who is not done."""
        pages = [str(page) for page in self.pages if page.replica is None or page.unsaved]
        return pages + [str(replica) for replica in self.replicas if replica.room and replica.room.pending]

    def assert_converged(self) -> None:
        """Everybody, every room and whatever is read from the log hold the same, to real Yjs and to the library."""
        held = self.oracle.ask("look", pages=[page.number for page in self.pages])
        expected = held[0]
        for page, one in zip(self.pages, held, strict=True):
            for client, clock in one["awaits"]:
                if self.durable.state.get(client, 0) > clock:
                    raise Violation(f"{page} waits for what is in the log")
            if page.was_refused and page.can_write and page.other is None:
                raise Violation(f"{page} may write, and was refused")
            if one["hash"] != expected["hash"]:
                raise Violation(f"{page} reads {one['content']}, {self.pages[0]} reads {expected['content']}")
            if one["state"] != expected["state"]:
                raise Violation(f"{page} has other clocks than {self.pages[0]}")
        self._assert_log_reads(expected["hash"])
        for page in self.pages:
            if not page.can_write and any(self.durable.state.get(id_) for id_ in page.ids):
                raise Violation(f"{page} may only read, and changed the document")
            if page.can_write and not all(map(self.is_durable, page.edits)):
                raise Violation(f"an edit of {page}, who came back, is not in the log")

    def _assert_log_reads(self, expected: str) -> None:
        stored = now(self.store.load(NAME))
        rows = now(self.store.rows_after(NAME, Sequence(0)))
        snapshot = None if stored.snapshot is None else stored.snapshot.state
        documents = {
            **{str(replica): replica.room.document for replica in self.replicas if replica.room},
            "the log": load_document(None, rows),
            "a snapshot and the tail": load_document(snapshot, stored.tail),
        }
        for what, document in documents.items():
            if hash_of(document._doc) != expected:
                raise Violation(f"{what} reads otherwise to the library")
        orders = {
            **{what: [document.encode()] for what, document in documents.items()},
            "the log folded": [compact(None, rows)],
            "a snapshot and the tail folded": [compact(snapshot, stored.tail)],
            "the log's updates": [entry.update for row in rows for entry in decode_entries(row.payload)],
        }
        for what, reading in zip(orders, self.oracle.read(orders.values()), strict=True):
            if reading.content != expected or reading.waits or reading.error:
                raise Violation(f"{what} reads otherwise to Yjs: {reading.error}")


def tell(oracle: Oracle, seed: int, *, without: frozenset[int] = frozenset(), **parts: Any) -> People:
    """One story. Whatever goes wrong in it is a Violation that holds its steps."""
    people = People(oracle, seed, **parts)
    try:
        people.tell(without=without)
    except Exception as error:
        raise Violation("\n".join([f"story {seed}: {error!r}", *people.told])) from error
    return people


def shortest(oracle: Oracle, seed: int, **parts: Any) -> str:
    """A story that fails, told without the steps that it does not need to fail."""
    without: frozenset[int] = frozenset()
    why = ""
    for size in (32, 8, 2, 1):
        for first in range(0, STEPS, size):
            less = without | frozenset(range(first, first + size))
            try:
                tell(oracle, seed, without=less, **parts)
            except Violation as error:
                without, why = less, str(error)
    return why


def first_that_fails(oracle: Oracle, seeds: Iterable[int], **parts: Any) -> int | None:
    """The first of these seeds whose story breaks a promise."""
    for seed in seeds:
        try:
            tell(oracle, seed, **parts)
        except Violation:
            return seed
    return None


def _call(step: Callable[[], None]) -> Any:
    return step.func if isinstance(step, partial) else step


def _in_words(step: Callable[[], None]) -> str:
    call, arguments = _call(step), step.args if isinstance(step, partial) else ()
    whose = getattr(call, "__self__", None)
    who = () if isinstance(whose, Network) or whose is None else (whose,)
    return " ".join(map(str, (*who, call.__name__, *arguments)))
