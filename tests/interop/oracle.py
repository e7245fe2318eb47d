"""Real Yjs as an oracle: the document that updates make in a given order, and whether structs stay pending.

One Node.js process (``oracle.mjs``) answers all questions of a test run, so that thousands of documents cost one start.
Questions about the same updates belong in one ``read``.
"""

import base64
import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any

from tests.services.node import ensure_interop_packages, node_command


class NoAnswer(AssertionError):
    """The oracle died, or did not answer in time."""


class YjsThrew(AssertionError):
    """Real Yjs threw an error."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What Yjs reads in one document."""

    content: str
    """A hash, equal for equal content; empty if Yjs threw."""
    state: dict[int, int]
    """Its state vector."""
    waited: int | None
    """The index of the first update after which structs were pending."""
    waits: bool
    """True if structs are still pending."""
    error: str | None
    """The error that Yjs threw."""


@dataclass(frozen=True, slots=True)
class Written:
    """One update of a history."""

    bytes: bytes
    writer: int
    resync: bool
    """True if it answers a SyncStep1, so that it repeats and overlaps other updates."""


class Oracle:
    """The Node.js process, used as ``with Oracle() as oracle``.

    If it does not answer ``within_s``, the process is killed and the test fails.
    """

    def __init__(self, *, within_s: float = 60) -> None:
        self._within_s = within_s
        self._asked_s: float | None = None
        self._over = Event()
        self._watchdog = Thread(target=self._watch, name="watch the oracle")

    def __enter__(self) -> "Oracle":
        script = ensure_interop_packages().parent / "oracle.mjs"
        self.process = subprocess.Popen(
            [*node_command(), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._watchdog.join()
        self.process.kill()
        self.process.communicate()

    def _watch(self) -> None:
        """Kill the process if it hangs. It may not even read its input, so a read with a timeout is not enough."""
        while not self._over.wait(self._within_s / 4):
            asked_s = self._asked_s
            if asked_s is not None and time.monotonic() - asked_s > self._within_s:
                self.process.kill()

    def read(self, orders: Iterable[Sequence[bytes]]) -> list[Reading]:
        """Return the readings of documents that get updates in these orders. Equal orders are read once."""
        places: dict[bytes, int] = {}
        indexed = [tuple(places.setdefault(update, len(places)) for update in order) for order in orders]
        once = tuple(dict.fromkeys(indexed))
        answers = self.ask("read", updates=[_text(update) for update in places], orders=once)
        readings = dict(zip(once, map(_reading, answers), strict=True))
        return [readings[order] for order in indexed]

    def show(self, *updates: bytes) -> Any:
        """Return the content of a document: an object of its roots ``content``, ``default``, ``meta`` and ``list``."""
        return self.ask("show", updates=[_text(update) for update in updates])

    def merge(self, *updates: bytes) -> bytes:
        """Return these updates merged into one, with a Skip where one in between is missing."""
        return base64.b64decode(self.ask("merge", updates=[_text(update) for update in updates]))

    def values(self) -> list[bytes]:
        """Return the updates of a document with every kind of content."""
        return [base64.b64decode(update) for update in self.ask("values")]

    def resend(self, *updates: bytes) -> bytes:
        """Return the SyncStep2 of a client whose document these updates make, for an empty server."""
        return base64.b64decode(self.ask("resend", updates=[_text(update) for update in updates]))

    def history(self, seed: int, *, writers: int, edits: int, resyncs: int = 0, calls: int = 2) -> list[Written]:
        """Return the updates of several writers who sometimes sync with each other, in the order they were made.

        ``calls``: the most calls in one edit; ``resyncs``: the number of answers to a SyncStep1 in between.
        """
        answer = self.ask("history", seed=seed, writers=writers, edits=edits, resyncs=resyncs, calls=calls)
        return [Written(base64.b64decode(each["bytes"]), each["writer"], each["resync"]) for each in answer]

    def ask(self, ask: str, **question: Any) -> Any:
        """Ask any question of ``oracle.mjs``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._asked_s = time.monotonic()
        try:
            self.process.stdin.write(json.dumps({"ask": ask, **question}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            self._asked_s = None
        if not line:
            raise NoAnswer(f"Asked to {ask}, the oracle did not answer.")
        outcome = json.loads(line)
        if "error" in outcome:
            raise YjsThrew(outcome["error"])
        return outcome["answer"]


def _reading(answer: dict[str, Any]) -> Reading:
    state = {int(client): clock for client, clock in answer.pop("state").items()}
    return Reading(state=state, **answer)


def _text(update: bytes) -> str:
    return base64.b64encode(update).decode()
