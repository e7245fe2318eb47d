"""The other replicas, by their heartbeats and frames: all share one channel, so each notices when one falls silent."""

from collab.ids import WriterId

REPLICAS_MAX = 1_000
"""How many replicas are remembered, so that forged heartbeats cannot fill the memory."""


class Neighbours:
    """When each other replica was last heard, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._heard_s: dict[WriterId, float] = {}

    def __len__(self) -> int:
        return len(self._heard_s)

    def hear(self, writer: WriterId, now_s: float) -> None:
        """Take note of a sign of life."""
        if writer in self._heard_s or len(self._heard_s) < REPLICAS_MAX:
            self._heard_s[writer] = now_s

    def give_time(self, now_s: float) -> None:
        """Give all of them the usual time again: this replica was disconnected, and could not hear them."""
        self._heard_s = dict.fromkeys(self._heard_s, now_s)

    def take_silent(self, since_s: float) -> list[WriterId]:
        """Forget and return those that were not heard since then."""
        silent = [writer for writer, heard_s in self._heard_s.items() if heard_s < since_s]
        for writer in silent:
            del self._heard_s[writer]
        return silent
