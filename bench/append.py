"""What one append costs: latency and CPU of ``SqlStore.append`` for several batch sizes, on a database of its own.

Run from the top of a checkout: ``.venv/bin/python -m bench.append``. It starts a private, durable Postgres (or makes
an SQLite file), appends, checks that every log is gapless, prints a table and leaves nothing behind. The rows are made
before they are measured, on the event loop that the server runs on. Times depend on the machine and its disk: compare
runs on one machine only.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tqdm import tqdm

from collab.ids import DocumentName, Epoch, WriterId
from collab.protocol.rows import Row
from collab.store.migrate import upgrade
from collab.store.sql import SqlStore
from tests.services.private import PrivatePostgres

PAYLOAD_BYTES = 120
"""A keystroke's update with its author, as a row holds it."""

WARM_UP = 50
"""Appends before those that are measured; after a few, Postgres keeps its plan."""


def main() -> None:
    """Parse, measure, print."""
    options = _options()
    with _database(options.database) as url:
        uvloop.run(_measure(url, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.append", description=__doc__.split("\n\n")[0])
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 15, 100], help="rows a transaction")
    parser.add_argument("--rounds", type=int, default=1000, help="transactions measured for each size and writer")
    parser.add_argument("--writers", type=int, default=1, help="processes' worth of writers, each with its own store")
    parser.add_argument("--documents", type=int, default=300, help="how many documents the rows are spread over")
    return parser.parse_args()


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite+aiosqlite:///{directory}/bench.sqlite3"
        return
    server = PrivatePostgres(durable=True).start()
    try:
        yield server.url()
    finally:
        server.close()


@dataclass(frozen=True)
class Figures:
    """One line of the table."""

    batch_rows: int
    latencies_s: list[float]
    cpu_s: float
    elapsed_s: float

    def __str__(self) -> str:
        ordered = sorted(self.latencies_s)
        p50_ms, p99_ms = (ordered[int(len(ordered) * part)] * 1e3 for part in (0.5, 0.99))
        rows = len(ordered) * self.batch_rows
        cpu_us = self.cpu_s / rows * 1e6
        return f"{self.batch_rows:>10} {p50_ms:>8.2f} {p99_ms:>8.2f} {cpu_us:>10.1f} {rows / self.elapsed_s:>8.0f}"


class Writer:
    """One process's worth of writing: a store, a writer id, and its numbers for each document."""

    def __init__(self, url: str, names: list[DocumentName], seed: int) -> None:
        self.store = SqlStore(url)
        self._names = names
        self._random = random.Random(seed)
        self._writer = WriterId(self._random.getrandbits(62))
        self._numbers: Counter[DocumentName] = Counter()

    def rows(self, size: int) -> list[Row]:
        """One batch: a row for each of ``size`` documents, as far as there are so many."""
        return [self._row(name) for name in self._random.sample(self._names, min(size, len(self._names)))]

    def _row(self, name: DocumentName) -> Row:
        self._numbers[name] += 1
        return Row(name, Epoch(0), self._writer, self._numbers[name], os.urandom(PAYLOAD_BYTES))

    async def write(self, batches: list[list[Row]]) -> list[float]:
        """The seconds that each append took."""
        took_s = []
        for rows in batches:
            began_s = time.perf_counter()
            await self.store.append(rows)
            took_s.append(time.perf_counter() - began_s)
        return took_s


async def _measure(url: str, options: argparse.Namespace) -> None:
    await upgrade(url)
    names = [DocumentName(f"bench/{number}") for number in range(options.documents)]
    writers = [Writer(url, names, seed) for seed in range(options.writers)]
    for writer in writers:
        await writer.store.open()
    await writers[0].store.append(writers[0].rows(options.documents))  # every document exists
    lines = []
    for size in tqdm(options.batches, unit="size", leave=False, disable=None):
        await asyncio.gather(*(writer.write([writer.rows(size) for _ in range(WARM_UP)]) for writer in writers))
        batches = [[writer.rows(size) for _ in range(options.rounds)] for writer in writers]
        began_s, cpu_s = time.perf_counter(), time.process_time()
        parts = await asyncio.gather(*(writer.write(each) for writer, each in zip(writers, batches, strict=True)))
        cpu_s, elapsed_s = time.process_time() - cpu_s, time.perf_counter() - began_s
        took_s = [each_s for part in parts for each_s in part]
        lines.append(Figures(min(size, options.documents), took_s, cpu_s, elapsed_s))
    for writer in writers:
        await writer.store.close()
    print(
        f"{options.database}, {options.writers} writer(s), {options.documents} documents; CPU is that of this process"
    )
    print(f"{'rows/batch':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU us/row':>10} {'rows/s':>8}")
    print(*lines, sep="\n")
    await _report_the_log(url, options.database)


async def _report_the_log(url: str, kind: str) -> None:
    """The logs must be gapless; and how many of the updates of the documents' rows were cheap."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        broken = await connection.scalar(text(GAPS))
        print("every log is gapless" if not broken else f"GAPS in {broken} documents")
        if kind == "postgres":
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
            updated, hot = (await connection.execute(text(HOT))).one()
            print(f"{hot / max(updated, 1):.0%} of {updated} updates of documents were heap-only (HOT)")
    await engine.dispose()


GAPS = """
    SELECT count(*) FROM documents d
    LEFT JOIN (SELECT document_id, count(*) AS rows, max(seq) AS last FROM updates GROUP BY 1) u ON u.document_id = d.id
    WHERE d.head_seq <> coalesce(u.rows, 0) OR d.head_seq <> coalesce(u.last, 0)
"""
HOT = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'documents'"


if __name__ == "__main__":
    main()
