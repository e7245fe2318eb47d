"""Real Yjs as an oracle: what do these updates make, in this order, and does anything still wait?

It stands between tests and a long-lived Node process (``oracle.mjs``), so that thousands of documents cost one start.
Questions about the same updates go together in one ``read``.
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
    """Real Yjs could not do what was asked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one document holds."""

    content: str
    """A hash, equal for equal content; empty when Yjs threw."""
    state: dict[int, int]
    """Its state vector."""
    waited: int | None
    """After which update something was parked for the first time."""
    waits: bool
    """Whether something still is."""
    error: str | None
    """What Yjs threw."""


@dataclass(frozen=True, slots=True)
class Written:
    """One update of a history."""

    bytes: bytes
    writer: int
    resync: bool
    """It answers a SyncStep1: it repeats what others brought, and overlaps it."""


class Oracle:
    """``with Oracle() as oracle``. A question that is not answered ``within_s`` ends the process and fails the test."""

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
        """End a process that hangs: it reads no more than it writes. One thread for all questions is cheap."""
        while not self._over.wait(self._within_s / 4):
            asked_s = self._asked_s
            if asked_s is not None and time.monotonic() - asked_s > self._within_s:
                self.process.kill()

    def read(self, orders: Iterable[Sequence[bytes]]) -> list[Reading]:
        """What documents hold that are given these updates, each in its order. Equal orders are read once."""
        places: dict[bytes, int] = {}
        indexed = [tuple(places.setdefault(update, len(places)) for update in order) for order in orders]
        once = tuple(dict.fromkeys(indexed))
        answers = self.ask("read", updates=[_text(update) for update in places], orders=once)
        readings = dict(zip(once, map(_reading, answers), strict=True))
        return [readings[order] for order in indexed]

    def show(self, *updates: bytes) -> Any:
        """What a document holds, whole: an object of its roots ``content``, ``default``, ``meta`` and ``list``."""
        return self.ask("show", updates=[_text(update) for update in updates])

    def merge(self, *updates: bytes) -> bytes:
        """These updates as one; where one in between is left out, it skips."""
        return base64.b64decode(self.ask("merge", updates=[_text(update) for update in updates]))

    def values(self) -> list[bytes]:
        """The updates of a document that holds content of every sort."""
        return [base64.b64decode(update) for update in self.ask("values")]

    def resend(self, *updates: bytes) -> bytes:
        """All that a client sends whose document was made of these updates."""
        return base64.b64decode(self.ask("resend", updates=[_text(update) for update in updates]))

    def history(self, seed: int, *, writers: int, edits: int, resyncs: int = 0, calls: int = 2) -> list[Written]:
        """What several people write, hearing of each other now and then, in the order in which it was made.

        ``calls``: how many an edit makes at most; ``resyncs``: how many answers to a SyncStep1 come between.
        """
        answer = self.ask("history", seed=seed, writers=writers, edits=edits, resyncs=resyncs, calls=calls)
        return [Written(base64.b64decode(each["bytes"]), each["writer"], each["resync"]) for each in answer]

    def ask(self, ask: str, **question: Any) -> Any:
        """Any question of ``oracle.mjs``."""
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
