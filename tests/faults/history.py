"""The oracle of the fault tests: it compares what clients were told with what a fresh process reads from the store.

Every edit is a word of its own, so the text alone shows which edits it contains and how often. Run as a program, this
module is the fresh process: ``python -m tests.faults.history URL DOCUMENT`` prints what is stored.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field

from collab.ids import DocumentName, Sequence
from collab.protocol.rows import CommittedRow
from collab.room.compaction import load_document
from collab.store.sql import SqlStore

WORD = re.compile(r"<[\w.]+>")


@dataclass
class History:
    """What the clients wrote, and what was acknowledged to them."""

    written: set[str] = field(default_factory=set)
    acknowledged: Counter[str] = field(default_factory=Counter)

    def has_acknowledged(self, count: int) -> bool:
        """Return True if at least ``count`` edits are acknowledged."""
        return self.acknowledged.total() >= count


@dataclass(frozen=True, slots=True)
class StoredTexts:
    """The text of one document, read in two ways that must agree."""

    loaded: str
    """The text as a server loads it: from the snapshot and the rows after it."""
    replayed: str
    """The text from all rows of the log, without the snapshot."""
    sequences: list[int]


def violations(history: History, stored: StoredTexts) -> list[str]:
    """Return a sentence for each broken promise."""
    found = Counter(WORD.findall(stored.loaded))
    acknowledged_twice = [word for word, times in history.acknowledged.items() if times > 1]
    lost = [word for word in history.acknowledged if word not in found]
    doubled = [word for word, times in found.items() if times > 1]
    invented = found.keys() - history.written
    broken = WORD.sub("", stored.loaded)
    complaints = {
        "acknowledged and not in the store": lost,
        "in the store more than once": doubled,
        "in the store and never written": sorted(invented),
        "acknowledged more than once": acknowledged_twice,
        "damaged": [broken] if broken else [],
        "missing from the sequence of rows": sorted(set(range(1, len(stored.sequences) + 1)) ^ {*stored.sequences}),
        "different text in the log and in the snapshot": [] if stored.loaded == stored.replayed else ["all"],
    }
    return [f"{len(words)} {complaint}, the first: {words[0]}" for complaint, words in complaints.items() if words]


async def read_store(url: str, document: str) -> StoredTexts:
    """Return what is stored, as a process of its own reads it."""
    command = (sys.executable, "-m", __name__, url, document)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0, f"{command} exits with {process.returncode}"
    return StoredTexts(**json.loads(printed))


async def _read(url: str, name: DocumentName) -> StoredTexts:
    store = SqlStore(url)
    await store.open()
    try:
        stored = await store.load(name)
        rows: list[CommittedRow] = []
        while len(rows) < stored.head:
            rows += await store.rows_after(name, Sequence(len(rows)))
    finally:
        await store.close()
    loaded = load_document(None if stored.snapshot is None else stored.snapshot.state, stored.tail)
    return StoredTexts(loaded.text(), load_document(None, rows).text(), [row.seq for row in rows])


if __name__ == "__main__":
    texts = asyncio.run(_read(sys.argv[1], DocumentName(sys.argv[2])))
    json.dump({"loaded": texts.loaded, "replayed": texts.replayed, "sequences": texts.sequences}, sys.stdout)
