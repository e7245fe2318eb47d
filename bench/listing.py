"""Measure a page of the list: latency of ``SqlStore.list_documents`` among many documents.

Run from the top of a checkout: ``.venv/bin/python -m bench.listing``. It starts a private Postgres and makes an SQLite
file, fills both, asks for pages as several callers would, prints a table and leaves nothing behind. Times depend on
the machine: compare runs on one machine only.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import uvloop
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import create_async_engine
from tqdm import tqdm

from collab.ids import DocumentName
from collab.store.base import ListOrder, ListQuery, Position, Readable
from collab.store.catalog import new_document
from collab.store.migrate import upgrade
from collab.store.schema import documents
from collab.store.sql import SqlStore
from tests.services.private import PrivatePostgres

WORDS = [
    "minutes",
    "plan",
    "budget",
    "report",
    "notes",
    "review",
    "draft",
    "offer",
    "team",
    "garden",
    "house",
    "river",
    "summer",
    "travel",
    "café",
    "Ärger",
]
TEAMS = 100
CHUNK = 5000

EVERYTHING = Readable(frozenset({"**"}))
ONE_TEAM = Readable(frozenset({"team-7/*"}))
ALL_TEAMS = Readable(frozenset({"team-*/*"}))
FEW = Readable(frozenset(f"team-{number}/{number:06}" for number in range(20)))
NOTHING = Readable(frozenset({"other/**"}))

CASES: dict[str, ListQuery] = {
    **{f"first page by {order.value}": ListQuery(EVERYTHING, order) for order in ListOrder},
    "search, many matches, by updated": ListQuery(EVERYTHING, ListOrder.UPDATED, search="budget"),
    "search, one match, by updated": ListQuery(EVERYTHING, ListOrder.UPDATED, search="needle"),
    "search, one match, by name": ListQuery(EVERYTHING, search="needle"),
    "search, no match, by updated": ListQuery(EVERYTHING, ListOrder.UPDATED, search="no such text"),
    "prefix, by updated": ListQuery(EVERYTHING, ListOrder.UPDATED, prefix="team-7/"),
    "bin": ListQuery(EVERYTHING, ListOrder.UPDATED, in_bin=True),
    "caller of one team, by updated": ListQuery(ONE_TEAM, ListOrder.UPDATED),
    "caller of one team, search": ListQuery(ONE_TEAM, ListOrder.UPDATED, search="needle"),
    "caller of all teams, by name": ListQuery(ALL_TEAMS, ListOrder.NAME),
    "caller of all teams, by updated": ListQuery(ALL_TEAMS, ListOrder.UPDATED),
    "caller of all teams, search": ListQuery(ALL_TEAMS, ListOrder.UPDATED, search="needle"),
    "caller of twenty names": ListQuery(FEW, ListOrder.UPDATED),
    "caller of none": ListQuery(NOTHING, ListOrder.UPDATED),
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.listing", description=__doc__.split("\n\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20, help="how often each page is asked for")
    parser.add_argument("--databases", nargs="+", choices=("postgres", "sqlite"), default=["postgres", "sqlite"])
    options = parser.parse_args()
    for kind in options.databases:
        with _database(kind) as url:
            uvloop.run(_measure(kind, url, options.documents, options.rounds))


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite+aiosqlite:///{directory}/bench.sqlite3"
        return
    server = PrivatePostgres(durable=False).start()
    try:
        yield server.url()
    finally:
        server.close()


async def _measure(kind: str, url: str, count: int, rounds: int) -> None:
    await upgrade(url)
    await fill(url, count)
    store = SqlStore(url)
    await store.open()
    now = datetime.now(UTC)
    middle = Position(ListOrder.UPDATED, (now - timedelta(seconds=count * 30)).isoformat(), DocumentName("x"))
    cases = {**CASES, "a page in the middle, by updated": ListQuery(EVERYTHING, ListOrder.UPDATED, after=middle)}
    print(f"\n{count:,} documents on {kind}, 100 a page\n{'':<36} {'p50 ms':>8} {'max ms':>8} {'found':>6}")
    for name, query in cases.items():
        took_s, found = [], 0
        for _ in range(rounds):
            began_s = time.perf_counter()
            page = await store.list_documents(query)
            took_s.append(time.perf_counter() - began_s)
            found = len(page.documents)
        print(f"{name:<36} {statistics.median(took_s) * 1e3:>8.1f} {max(took_s) * 1e3:>8.1f} {found:>6}")
    await store.close()


async def fill(url: str, count: int) -> None:
    """Make this many documents, changed at random moments of the last weeks, one of a hundred in the bin."""
    drawn = random.Random(7)
    engine = create_async_engine(url)
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        for start in tqdm(range(0, count, CHUNK), leave=False):
            rows = [_document(drawn, now, number, count) for number in range(start, min(count, start + CHUNK))]
            await connection.execute(insert(documents), rows)
    async with engine.connect() as connection:
        automatic = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await automatic.execute(text("VACUUM ANALYZE documents" if "postgres" in url else "ANALYZE"))
    await engine.dispose()


def _document(drawn: random.Random, now: datetime, number: int, count: int) -> dict[str, object]:
    name = f"team-{number % TEAMS}/{number:06}"
    title = "" if drawn.random() < 0.1 else " ".join(drawn.choices(WORDS, k=4)).capitalize()
    if number == count // 3:
        title = "A needle"
    changed = now - timedelta(seconds=drawn.uniform(0, count * 60))
    times = {
        "created_at": changed - timedelta(days=drawn.random()),
        "updated_at": changed,
        "active_at": changed - timedelta(seconds=drawn.uniform(0, 10)),
        "deleted_at": now if drawn.random() < 0.01 else None,
    }
    return new_document(name, title, now) | times


if __name__ == "__main__":
    main()
