"""Frames that one turn of the event loop sends to one socket, written together at its end.

A write is a system call, which costs more than all else that is done for a frame. The acknowledgements of one commit
come in one turn, or an edit and the cursor that moves with it, or edits of several people that were read together.
All sockets share one callback, since one for each would cost nearly what it saves.
"""

import asyncio
from typing import Protocol


class Unwritten(Protocol):
    """A socket with frames that are not written yet."""

    def write_all(self) -> None:
        """Write them. It must not raise."""


class TurnWrites:
    """The sockets that were sent something in this turn."""

    def __init__(self) -> None:
        self._sockets: list[Unwritten] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, socket: Unwritten) -> None:
        """Have a socket write when this turn ends."""
        loop = asyncio.get_running_loop()
        if not self._sockets or loop is not self._loop:  # a loop that was closed never made its call
            self._sockets, self._loop = [], loop
            loop.call_soon(self._write_all)
        self._sockets.append(socket)

    def _write_all(self) -> None:
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.write_all()


TURN_WRITES = TurnWrites()
"""Of this process, which has one event loop at a time."""
