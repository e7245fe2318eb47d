"""How long to wait before the next try, wherever the project tries something until it works.

A loop that waits keeps its own shape (one call, or the life of a connection); it takes only the number from here.
"""

import random
from collections.abc import Callable


class Backoff:
    """Waits that double from ``first_s`` to ``longest_s``, each shortened by a random part of at most a half.

    The randomness keeps replicas that lost the same server from coming back to it at the same moments.
    """

    def __init__(
        self, first_s: float, longest_s: float, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._uniform = uniform
        self._bound_s = first_s

    def next_s(self) -> float:
        """Return the seconds to wait now, and make the next wait longer."""
        bound_s = self._bound_s
        self._bound_s = min(2 * bound_s, self._longest_s)
        return self._uniform(bound_s / 2, bound_s)

    def reset(self) -> None:
        """Begin at ``first_s`` again: something worked."""
        self._bound_s = self._first_s
