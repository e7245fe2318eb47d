"""The machine a comparison runs on: which core is whose, and a few words about it.

The server under test has one core to itself. The load generator, Postgres, Redis and this program share the others,
or the second one where there are only two. Linux only.
"""

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NICE = -10
"""As root, so that other programs disturb less."""


def claim_cores() -> None:
    """Move this process, and so whatever it starts, off the server's core; allow it many sockets."""
    others = _cores()[1:] or _cores()
    os.sched_setaffinity(0, others)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with suppress(OSError):  # where sessions are scheduled as groups, the niceness of a process counts within its own
        Path("/proc/self/autogroup").write_text(str(_NICE))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def on_server_core() -> Iterator[None]:
    """Start processes on the server's core meanwhile."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {server_core()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def server_core() -> int:
    """Return the core of the servers under test."""
    return _cores()[0]


def _cores() -> list[int]:
    return list(range(os.cpu_count() or 1))


def describe() -> dict[str, str]:
    """Return what a reader of the figures wants to know about this machine."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "kernel": f"Linux {platform.release()}",
        "python": platform.python_version(),
    }


def load_average() -> float:
    """Return the number of processes that wanted to run in the last minute."""
    return os.getloadavg()[0]


def cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and its children, as the scheduler counts it."""
    total = 0
    for each in family(pid):
        with suppress(OSError, ValueError):
            total += int(Path(f"/proc/{each}/schedstat").read_text().split()[0])
    return total


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found
