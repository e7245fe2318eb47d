"""Work that is done in steps, so that whoever has it done may do something else in between.

A large update takes seconds to read, to compare and to integrate, and one event loop serves everybody. So every part of
that work is a generator, which stops after each step; what it returns is the result. No step depends on a clock: each
does a bounded amount of work.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]

ITEMS_PER_STEP = 512
"""Structs, deletions or values handled in one step where each takes a microsecond or two."""

BYTES_PER_STEP = 4096
"""Bytes of an update read in one step: some hundreds of structs."""


def finish(steps: Generator[object, None, T]) -> T:
    """Take all steps at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
