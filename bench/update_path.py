"""What one update costs: CPU of the guard, the room, the host and the encoding of frames, for 1 and for 10 listeners.

Run from the top of a checkout: ``make bench-update``. Nothing waits in it: messages go in as the dialect decodes them,
frames are encoded once and dropped where a socket would be, every row is committed at once into a list. Each figure
is the median of several rounds, each with a room of its own. Times depend on the machine: compare runs on one machine
only, and close together.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from tqdm import tqdm

from bench.rooms import HELLO, WRITER, YjsClient, make_empty_room, make_sessions
from collab.errors import CollabError
from collab.ids import Sequence, WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.protocol.messages import SyncStep2, Update
from collab.protocol.rows import Row
from collab.protocol.ywebsocket import YWebsocket
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.events import Joined
from collab.room.session import Session
from collab.serve.host import Host
from collab.serve.log_writer import LogWriter
from collab.serve.replica import Replica
from collab.serve.sink import EncodedMessage
from collab.store.base import Committed
from collab.store.memory import MemoryStore


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print."""
    options = _options(arguments)
    print(f"{'CPU us per update':<34}" + "".join(f"{f'{number} listening':>14}" for number in options.listeners))
    workloads = _workloads(options.updates)
    with tqdm(total=len(workloads) * len(options.listeners) * options.rounds, leave=False, disable=None) as bar:
        for workload in workloads:
            figures = [_median_us(workload, number, options, bar) for number in options.listeners]
            tqdm.write(f"{workload.name:<34}" + "".join(f"{figure:>14.1f}" for figure in figures))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.update_path", description=__doc__.split("\n\n")[0])
    parser.add_argument("--listeners", type=int, nargs="+", default=[1, 10], help="sessions besides the writer's")
    parser.add_argument("--window-ms", type=float, default=0.0, help="length of the batching window")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of which the median is taken")
    parser.add_argument("--updates", type=int, default=2000, help="keystrokes a round; the large updates are fewer")
    return parser.parse_args(arguments)


@dataclass(frozen=True)
class Workload:
    """Messages to measure, after those that make the document."""

    name: str
    before: tuple[Update, ...]
    measured: tuple[Update | SyncStep2, ...]


def _workloads(updates: int) -> list[Workload]:
    typing = YjsClient(7)
    first = Update(typing.type("Hello "))
    keystrokes = tuple(Update(typing.type("x")) for _ in range(updates))
    bulk = YjsClient(8)
    start = Update(bulk.type("Hello "))
    large = tuple(Update(bulk.scatter(1000)) for _ in range(max(2, updates // 200)))
    full = YjsClient(9)
    whole = Update(full.scatter(1000))
    resyncs = tuple(SyncStep2(_with_an_edit(full)) for _ in range(max(2, updates // 40)))
    return [
        Workload("keystroke", (first,), keystrokes),
        Workload("update of 1,000 structs", (start,), large),
        Workload("SyncStep2, 1,000 known, 1 new", (whole,), resyncs),
    ]


def _with_an_edit(author: YjsClient) -> bytes:
    author.type("x", 3)
    return author.everything


def _median_us(workload: Workload, listeners: int, options: argparse.Namespace, bar: "tqdm[None]") -> float:
    figures = []
    for _ in range(options.rounds):
        figures.append(_round_us(workload, listeners, options.window_ms / 1000))
        bar.update()
    return statistics.median(figures)


def _round_us(workload: Workload, listeners: int, window_s: float) -> float:
    """Return the microseconds of CPU that each measured message took in one new room."""
    path = Path(make_sessions(listeners), window_s)
    path.say_all(workload.before)
    gc.collect()
    began_s = time.process_time()
    path.say_all(workload.measured)
    spent_s = time.process_time() - began_s
    path.check(len(workload.before) + len(workload.measured))
    return spent_s / len(workload.measured) * 1e6


class NullSocket:
    """A sink that encodes each message as a y-websocket session does, and drops the frame."""

    dialect = "y-websocket"
    _dialect = YWebsocket()

    def __init__(self) -> None:
        self.updates = 0
        self.error: CollabError | None = None

    def send(self, message: EncodedMessage) -> None:
        """Encode and drop."""
        frame = message.frame(self._dialect, "")
        self.updates += frame is not None and isinstance(message.message, Update)

    def end(self, error: CollabError) -> None:
        """Remember why."""
        self.error = error


class NullLogWriter:
    """A log writer that is told of bytes and never asks for a row; ``Path`` asks for each row itself."""

    def submit(self, source: object, size: int) -> None:
        """Take note of nothing."""

    def release(self, size: int) -> None:
        """Take note of nothing."""


class Path:
    """A host with its room between sessions that drop what they are sent and a log in memory."""

    def __init__(self, sessions: Iterable[Session], window_s: float) -> None:
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._merges = window_s > 0
        self._host = Host(
            make_empty_room(window_s=window_s),
            replica=Replica(
                WriterId(1), MemoryStore(), MemoryRelay(MemoryBus(), WriterId(1)), ServerLimits(), Metrics()
            ),
            log_writer=cast(LogWriter, NullLogWriter()),
            clock=time.monotonic,
            call_later=lambda delay_s, act: self._ends.append((time.monotonic() + delay_s, act)),
            on_fail=lambda host: None,
            ask_turn=lambda host: None,
        )
        self._log: list[Row] = []
        self._sinks: list[NullSocket] = []
        for session in sessions:
            self._sinks.append(NullSocket())
            self._host.tell(Joined(session), self._sinks[-1])
            self._host.hear(session.id, HELLO)

    def say_all(self, messages: Iterable[Update | SyncStep2]) -> None:
        """Have the writer say every message, and commit each row at once."""
        for message in messages:
            self._host.hear(WRITER, message)
            while self._host.has_work:
                self._host.go_on()
            while (row := self._host.next_row()) is not None:
                self._log.append(row)
                self._host.row_written(Committed(Sequence(len(self._log))))
            if self._ends and self._ends[0][0] <= time.monotonic():
                self._ends.pop()[1]()
        while self._ends:
            self._ends.pop()[1]()

    def check(self, messages: int) -> None:
        """Fail unless every message was logged and every listener was sent it."""
        assert self._host.failed is None, self._host.failed
        assert [sink.error for sink in self._sinks] == [None] * len(self._sinks)
        assert len(self._log) == messages, "every message must have made a row"
        sent = [sink.updates for sink in self._sinks[1:]]
        assert all(0 < each < messages if self._merges else each == messages for each in sent), "not all was sent"


if __name__ == "__main__":
    main()
