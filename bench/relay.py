"""What the relay costs: CPU of the replica that publishes and of the one that hears it, for bursts of several sizes.

Run from the top of a checkout: ``.venv/bin/python -m bench.relay``. It starts a private Redis and, beside this process
that listens, a second one that publishes rows of one document at a steady rate, in bursts, as rooms that commit
together do. Every row must arrive, in order. The publisher's figure is without what its timer costs, which is measured
first. Times depend on the machine: compare runs on one machine only, and close together.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from tqdm import tqdm

from collab.ids import DocumentName, Epoch, Sequence, WriterId
from collab.protocol.rows import CommittedRow
from collab.relay.base import RelayFrame, RowFrame
from collab.relay.redis import RedisRelay
from tests.services.private import PrivateRedis

DOCUMENT = DocumentName("bench/relay")
KEY = b"k" * 32
PAYLOAD_BYTES = 60
"""A keystroke's update with its author, as a row holds it."""


def main() -> None:
    """Parse, measure, print."""
    options = _options()
    if options.publish:
        uvloop.run(_publish(options.publish, options.bursts[0], options))
        return
    server = PrivateRedis().start()
    try:
        print(
            f"{options.rate} rows/s; CPU us per row\n{'rows/burst':>10} {'publishes':>10} {'hears':>10} {'Redis':>10}"
        )
        lines = [
            uvloop.run(_measure(server, burst, options)) for burst in tqdm(options.bursts, leave=False, disable=None)
        ]
        print(*lines, sep="\n")
    finally:
        server.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__.split("\n\n")[0])
    parser.add_argument("--bursts", type=int, nargs="+", default=[1, 10, 50], help="rows published in one turn")
    parser.add_argument("--rate", type=int, default=2000, help="rows a second")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--publish", metavar="URL", help=argparse.SUPPRESS)
    return parser.parse_args()


class Counting:
    """A listener that counts what it hears, and sees that nothing is missing."""

    def __init__(self) -> None:
        self.heard = 0

    def relayed(self, frame: RelayFrame) -> None:
        """Count a row."""
        assert isinstance(frame, RowFrame)
        self.heard += 1
        assert frame.row.seq == self.heard, "a row was lost, or came in another order"

    def interrupted(self) -> None:
        """Nothing to do: the relay has come up."""

    def replica_lost(self, writer: WriterId) -> None:
        """Nothing to do: the publisher has ended."""


async def _measure(server: PrivateRedis, burst: int, options: argparse.Namespace) -> str:
    relay, listener = await _opened(server.url, 1)
    await relay.subscribe(DOCUMENT)
    command = [sys.executable, "-m", "bench.relay", "--publish", server.url, "--bursts", str(burst)]
    command += ["--rate", str(options.rate), "--seconds", str(options.seconds)]
    assert server.process is not None
    cpu_s, server_cpu_s = time.process_time(), _cpu_s(server.process.pid)
    publisher = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await publisher.communicate()
    cpu_s, server_cpu_s = time.process_time() - cpu_s, _cpu_s(server.process.pid) - server_cpu_s
    await relay.close()
    sent, publisher_us = said.split()
    assert listener.heard == int(sent), f"{sent.decode()} rows were sent and {listener.heard} heard"
    hears_us, server_us = (each_s / listener.heard * 1e6 for each_s in (cpu_s, server_cpu_s))
    return f"{burst:>10} {float(publisher_us):>10.1f} {hears_us:>10.1f} {server_us:>10.1f}"


async def _publish(url: str, burst: int, options: argparse.Namespace) -> None:
    """Publish at the rate; print how many rows, and what each cost."""
    relay, _ = await _opened(url, 2)
    sent = 0

    async def publish() -> None:
        nonlocal sent
        for _ in range(burst):
            sent += 1
            row = CommittedRow(Sequence(sent), WriterId(77), sent, os.urandom(PAYLOAD_BYTES))
            relay.publish(RowFrame(DOCUMENT, Epoch(0), row))

    async def only_make() -> None:
        for _ in range(burst):
            RowFrame(DOCUMENT, Epoch(0), CommittedRow(Sequence(0), WriterId(77), 0, os.urandom(PAYLOAD_BYTES)))

    idle_s = await _every(burst / options.rate, options.seconds, only_make)
    spent_s = await _every(burst / options.rate, options.seconds, publish)
    await asyncio.sleep(0.5)  # the last ones are on their way
    await relay.close()
    print(sent, (spent_s - idle_s) / sent * 1e6)


async def _every(period_s: float, seconds: float, act: Callable[[], Awaitable[None]]) -> float:
    """Act at a steady rate; return the CPU time that this took."""
    loop = asyncio.get_running_loop()
    cpu_s, began_s = time.process_time(), loop.time()
    for turn in range(int(seconds / period_s)):
        await asyncio.sleep(began_s + turn * period_s - loop.time())
        await act()
    return time.process_time() - cpu_s


async def _opened(url: str, writer: int) -> tuple[RedisRelay, Counting]:
    relay, listener = RedisRelay(url, key=KEY, writer=WriterId(writer)), Counting()
    await relay.open(listener)
    async with asyncio.timeout(10):
        while not relay.up:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    return relay, listener


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process, by the kernel's accounting."""
    total_ns = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total_ns += int(file.read().split()[0])
    return total_ns / 1e9


if __name__ == "__main__":
    main()
