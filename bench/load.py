"""The load generator from Python's side: write its plan, start it, read what it measured.

``native/load.c`` does the work in a process of its own, on a core of its own.
"""

import json
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.native.build import program
from bench.plan import Plan, Wire, encode

_OUTCOME = struct.Struct("<dddQQQQQQQq")
_RECEIVED = struct.Struct("<dII")


class LoadFailed(Exception):
    """The load generator gave up: a server refused a client, or not everybody got in."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the servers' processes had used at one moment."""

    at_s: float
    cpu_ns: int
    resident_kib: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one client. Times are the monotonic clock's; 0 where it did not come so far."""

    started_s: float
    opened_s: float
    synced_s: float
    step2_bytes: int
    step2_hash: int
    update_frames: int
    update_bytes: int
    update_hash: int
    other_frames: int
    reads: int
    close_code: int
    """0 while it is open."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message that a recorded client got, without its Hocuspocus address."""

    at_s: float
    body: bytes


@dataclass(frozen=True)
class Load:
    """All that one run of the generator measured. Lists are in the order of the plan's participants."""

    marks: dict[str, Mark]
    totals: dict[str, float]
    outcomes: list[Outcome]
    sent_s: list[tuple[float, ...]]
    received: dict[int, list[Received]]

    def cpu_s(self, begin: str, end: str) -> float:
        """Return the CPU seconds that the servers used between two marks."""
        return (self.marks[end].cpu_ns - self.marks[begin].cpu_ns) / 1e9

    def growth_kib(self, begin: str, end: str) -> int:
        """Return by how much the servers' memory grew between two marks."""
        return self.marks[end].resident_kib - self.marks[begin].resident_kib

    def elapsed_s(self, begin: str, end: str) -> float:
        """Return the seconds between two marks."""
        return self.marks[end].at_s - self.marks[begin].at_s


def run_load(
    plan: Plan,
    wire: Wire,
    pids: Sequence[int],
    *,
    on_mark: Callable[[str], None] = lambda _: None,
    while_open: Callable[[], None] = lambda: None,
) -> Load:
    """Carry out the plan. ``while_open`` is called at its end, with every client still connected.

    Raises LoadFailed if a client did not get in.
    """
    with tempfile.TemporaryDirectory(prefix="collab-bench-") as directory:
        out = Path(directory) / "out"
        written = Path(directory) / "plan"
        with written.open("wb") as file:
            file.writelines(encode(plan, wire))
        command = [program("load"), str(written), str(out), ",".join(map(str, pids))]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            marks, totals = _follow(process, on_mark)
            load = _read(out, plan, marks, totals)
            while_open()
            assert process.stdin is not None
            process.stdin.close()
    lost = sum(not outcome.synced_s for outcome in load.outcomes)
    if lost:
        codes = sorted({outcome.close_code for outcome in load.outcomes if not outcome.synced_s})
        raise LoadFailed(f"{lost} of {len(load.outcomes)} clients were not synced; close codes {codes}")
    return load


def _follow(process: "subprocess.Popen[str]", on_mark: Callable[[str], None]) -> tuple[dict[str, Mark], dict[str, Any]]:
    assert process.stdout is not None
    assert process.stderr is not None
    marks: dict[str, Mark] = {}
    for line in process.stdout:
        found = json.loads(line)
        if "mark" not in found:
            return marks, found
        name = found.pop("mark")
        marks[name] = Mark(**found)
        on_mark(name)
    raise LoadFailed(process.stderr.read().strip() or f"the load generator ended with {process.wait()}")


def _read(out: Path, plan: Plan, marks: dict[str, Mark], totals: dict[str, float]) -> Load:
    outcomes = [Outcome(*fields) for fields in _OUTCOME.iter_unpack(_content(out, "connections"))]
    times = _content(out, "sent")
    sent, at = [], 0
    for participant in plan.participants:
        sent.append(struct.unpack_from(f"<{len(participant.sends)}d", times, at))
        at += 8 * len(participant.sends)
    return Load(marks, totals, outcomes, sent, _messages(_content(out, "received")))


def _messages(content: bytes) -> dict[int, list[Received]]:
    found: dict[int, list[Received]] = {}
    at = 0
    while at < len(content):
        at_s, client, size = _RECEIVED.unpack_from(content, at)
        at += _RECEIVED.size
        found.setdefault(client, []).append(Received(at_s, content[at : at + size]))
        at += size
    return found


def _content(out: Path, suffix: str) -> bytes:
    return out.with_name(f"{out.name}.{suffix}").read_bytes()
