"""A bound on what one socket may send for its documents before their tokens are checked."""

from collab.errors import Overloaded
from collab.limits import ServerLimits


class PreAuthBuffer:
    """A count of the frames that wait on one socket, over all of its documents."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._frames = 0
        self._bytes = 0

    def add(self, size: int) -> None:
        """Count a frame of ``size`` bytes that begins to wait. Raises Overloaded at the bound."""
        self._frames += 1
        self._bytes += size
        if self._frames > self._limits.preauth_frames_max or self._bytes > self._limits.preauth_bytes_max:
            raise Overloaded("Too much was sent before the token; reconnect.")

    def remove(self, size: int) -> None:
        """Count a frame of ``size`` bytes that no longer waits."""
        self._frames -= 1
        self._bytes -= size
