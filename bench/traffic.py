"""What the clients of a comparison type, say and open: real Yjs updates, made once before a run.

Everything is made from a seed, so that every server of a round gets the same bytes.
"""

import json
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pycrdt

from collab.protocol.varint import Writer

ROOT = "content"
"""The shared text that everybody writes to; collab reads it as the plain text of a document."""


@dataclass(frozen=True, slots=True)
class Typing:
    """What one client types: one update a key, each ``characters`` long."""

    client_id: int
    updates: tuple[bytes, ...]
    characters: int = 1


def typing(count: int, source: random.Random, *, characters: int = 1) -> Typing:
    """Return ``count`` updates of a new client that types one after another, without having seen anybody else."""
    doc: Any = pycrdt.Doc(client_id=source.getrandbits(32))
    text = doc.get(ROOT, type=pycrdt.Text)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(bytes(event.update)))
    for number in range(count):
        text.insert(number * characters, "x" * characters)
    del subscription
    return Typing(doc.client_id, tuple(made), characters)


def presence(client_id: int, clock: int, user: str) -> bytes:
    """Return an awareness update with one state, of the size that an editor with a cursor sends."""
    anchor = {"type": None, "tname": ROOT, "item": {"client": client_id, "clock": clock}, "assoc": 0}
    state = {"user": {"name": user, "color": "#30bced"}, "cursor": {"anchor": anchor, "head": anchor}}
    writer = Writer()
    writer.var_uint(1)
    writer.var_uint(client_id)
    writer.var_uint(clock)
    writer.var_string(json.dumps(state, separators=(",", ":")))
    return writer.to_bytes()


@dataclass(frozen=True, slots=True)
class EditedDocument:
    """A document with a past."""

    state: bytes
    length: int
    """Characters of its text."""


def large_document(edits: int, *, part: int = 100_000) -> EditedDocument:
    """Return a document of ``edits`` edits. A large one has several texts: to make one long text takes minutes."""
    parts = [
        edited_document(min(part, edits), seed=number, root=ROOT if number == 0 else f"{ROOT}{number}")
        for number in range(max(1, edits // part))
    ]
    return EditedDocument(pycrdt.merge_updates(*(each.state for each in parts)), parts[0].length)


def edited_document(edits: int, *, writers: int = 20, seed: int = 4, run: int = 10, root: str = ROOT) -> EditedDocument:
    """Return what is left of ``edits`` edits: runs of ``run`` keys at random places, of which a tenth delete."""
    source = random.Random(seed)
    main: Any = pycrdt.Doc()
    for begin, stop in pairwise(range(0, edits + 1, edits // writers)):
        doc: Any = pycrdt.Doc(client_id=source.getrandbits(32))
        doc.apply_update(main.get_update())
        _edit(doc.get(root, type=pycrdt.Text), (stop - begin) // run, source, run)
        main.apply_update(doc.get_update(main.get_state()))
    return EditedDocument(main.get_update(), len(main.get(root, type=pycrdt.Text)))


def _edit(text: Any, runs: int, source: random.Random, run: int) -> None:
    length = len(text)
    for _ in range(runs):
        if source.random() < 0.1 and length > 4 * run:
            begin = source.randrange(length - run)
            del text[begin : begin + run]
            length -= run
            continue
        begin = source.randint(0, length)
        text.insert(begin, "x" * run)  # leaves the same behind as one key after another
        length += run


def document_of(size: int, *, paragraph: int = 400, seed: int = 5) -> EditedDocument:
    """Return a document of ``size`` characters that were pasted paragraph by paragraph."""
    source = random.Random(seed)
    doc: Any = pycrdt.Doc(client_id=source.getrandbits(32))
    text = doc.get(ROOT, type=pycrdt.Text)
    for begin in range(0, size, paragraph):
        text.insert(begin, _words(source, min(paragraph, size - begin)))
    return EditedDocument(doc.get_update(), len(text))


def _words(source: random.Random, size: int) -> str:
    return "".join(source.choices("etaoin shrdlu ", k=size))
