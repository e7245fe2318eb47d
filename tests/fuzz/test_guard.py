"""Damaged and crafted updates: the engine must survive all of those that pass the guard.

Each chunk runs in a process of its own, so that a crash of native code is noticed. As a program,
``python -m tests.fuzz.test_guard SEED COUNT`` runs one chunk and prints the outcome.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pycrdt
import pytest
from tqdm import tqdm

from collab.crdt.causality import is_ready
from collab.crdt.diff import diff_update
from collab.crdt.guard import inspect_stored_update, inspect_update
from collab.crdt.nesting import Nesting
from collab.crdt.ranges import IdRanges
from collab.crdt.statevector import decode_state_vector
from collab.crdt.update import InspectedUpdate
from collab.errors import UpdateRefused
from tests.fuzz.mutations import base_document, corpus, craft, mutate
from tests.services.node import ensure_interop_packages, node_command

_CHUNK = 25_000
_LIFE = 10
"""Updates that one document takes before a new one begins, so that updates can build on each other."""


@pytest.mark.parametrize("seed", range(12))
def test_updates_that_pass_the_guard_are_harmless(seed: int) -> None:
    _run_apart(seed, _CHUNK)


@pytest.mark.long
@pytest.mark.skipif("COLLAB_LONG" not in os.environ, reason="runs in `make test-long` only")
@pytest.mark.parametrize("seed", range(100, 140))
def test_a_million_updates_that_pass_the_guard_are_harmless(seed: int) -> None:
    _run_apart(seed, _CHUNK)


@pytest.mark.node
def test_updates_that_pass_the_guard_can_be_read_by_yjs() -> None:
    modules = ensure_interop_packages()
    chunk = Chunk(1000, None)
    for _ in range(_CHUNK):
        chunk.one()
    script = modules.parent / "apply_updates.mjs"
    question = json.dumps({"base": chunk.base.hex(), "lives": chunk.lives})
    command = [*node_command(), str(script)]
    answer = subprocess.run(command, input=question, capture_output=True, text=True, check=True)
    outcome = json.loads(answer.stdout)
    assert outcome["failures"] == []
    assert outcome["applied"] > _CHUNK // 20


def _run_apart(seed: int, count: int) -> None:
    with tempfile.NamedTemporaryFile("r") as trail:
        child = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.test_guard", str(seed), str(count), trail.name],
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert child.returncode == 0, f"crashed on {trail.read()}\n{child.stderr[-2000:]}"
    outcome = json.loads(child.stdout)
    assert outcome["broken"] == []
    assert outcome["applied"] > count // 20, outcome
    assert outcome["refused"] > count // 3, outcome


class Chunk:
    """One run: updates go through the guard, causality and nesting, and those that pass into a document."""

    def __init__(self, seed: int, trail: Path | None) -> None:
        self._random = random.Random(seed)
        self._trail = trail
        self._seeds = corpus()
        self.base = base_document()
        self.counts: Counter[str] = Counter()
        self.broken: list[list[str]] = []
        self.lives: list[list[str]] = []
        """The updates that each document took, except those that split a surrogate pair."""
        self._begin()

    def _begin(self) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._doc.apply_update(self.base)
        self._state = decode_state_vector(self._doc.get_state())
        self._nesting = Nesting()
        base = inspect_stored_update(self.base)
        self._nesting.add(base, self._nesting.check(base))
        self._low_surrogates = set(base.low_surrogates)
        self._life: list[str] = []
        self.lives.append(self._life)

    def one(self) -> None:
        """Try one damaged or crafted update."""
        crafted = self._random.random() < 0.15
        data = craft(self._random, self._state) if crafted else mutate(self._random, self._seeds)
        try:
            update = inspect_update(data)
        except UpdateRefused:
            self.counts["refused"] += 1
            return
        if not is_ready(update, self._state):
            self.counts["not ready"] += 1
            return
        update = diff_update(update, self._state, IdRanges())
        try:
            self._nesting.add(update, self._nesting.check(update))
        except UpdateRefused:
            self.counts["nested"] += 1
            return
        self.counts["applied"] += 1
        self._apply(update)

    def _apply(self, update: InspectedUpdate) -> None:
        low_surrogates = self._low_surrogates | update.low_surrogates
        splits_pair = any(id_ in low_surrogates for id_ in update.splits(self._state))
        if not splits_pair:
            self._life.append(update.payload.hex())
        if self._trail:
            self._trail.write_text(json.dumps([*self._life, update.payload.hex()]))
        try:
            self._doc.apply_update(update.payload)
            self._check(update, splits_pair)
        except BaseException as error:  # a panic of the engine is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            self.broken.append([f"{type(error).__name__}: {error}", *self._life, update.payload.hex()])
            splits_pair = True
        if splits_pair or len(self._life) == _LIFE:
            self._begin()

    def _check(self, update: InspectedUpdate, splits_pair: bool) -> None:
        """Assert that the document and its snapshot have everything that was applied."""
        for struct in update.structs:
            end = struct.clock + struct.length
            self._state[struct.client] = max(end, self._state.get(struct.client, 0))
        self._low_surrogates |= update.low_surrogates
        held = decode_state_vector(self._doc.get_state())
        snapshot = self._doc.get_update()
        if not splits_pair:  # the document replaces split pairs before the engine sees them
            assert held == self._state
            assert decode_state_vector(pycrdt.get_state(snapshot)) == self._state
            inspect_stored_update(snapshot)


def main(seed: int, count: int, trail: str | None = None) -> None:
    """Run a chunk and print the outcome as JSON."""
    chunk = Chunk(seed, Path(trail) if trail else None)
    for _ in tqdm(range(count), disable=None):
        chunk.one()
    json.dump({**chunk.counts, "broken": chunk.broken[:5]}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
