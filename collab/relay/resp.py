"""A connection to Redis in its protocol, RESP2, with nothing between the socket and its user.

Every frame between replicas passes here twice, and a client library takes several times the processor time of both
ends. This is only what pub/sub needs: bytes out as they are, answers in as they come, a few at a time.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import hiredis

Reply: TypeAlias = Any
"""bytes, int, None, a list of replies, or hiredis.ReplyError for an answer that is an error."""

READ_BURST = 100
"""How many waiting answers are handled before other tasks get their turn."""


def command(*parts: bytes) -> bytes:
    """Return a command as Redis reads it."""
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class RespConnection(asyncio.Protocol):
    """One connection. Its user sets ``on_reply`` and ``on_writable``, and learns its end from ``ended``.

    What ``on_reply`` raises ends the connection too.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._reader = hiredis.Reader(protocolError=ConnectionError)
        self._transport: asyncio.Transport | None = None
        self._is_behind = False
        """True if answers wait for the next turn of the loop; nothing is read meanwhile."""
        self.is_writable = True
        """False while Redis reads more slowly than is written."""
        self.on_reply: Callable[[Reply], None] = refuse_error
        self.on_writable: Callable[[], None] = lambda: None
        self.ended: asyncio.Future[BaseException] = loop.create_future()
        """Why the connection is over; it is done as soon as it is."""

    def write(self, data: bytes) -> None:
        """Write commands. What cannot be sent yet is kept: wait for ``is_writable`` before much of it."""
        assert self._transport is not None
        self._transport.write(data)

    async def ask(self, *commands: bytes) -> None:
        """Write commands and return when all are answered. Raises ConnectionError if one is refused."""
        answered = self._loop.create_future()
        left = len(commands)

        def take(reply: Reply) -> None:
            nonlocal left
            refuse_error(reply)
            left -= 1
            if not left:
                answered.set_result(None)

        self.on_reply = take
        self.write(b"".join(commands))
        await asyncio.wait([answered, self.ended], return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise self.ended.result()

    def end(self, why: BaseException) -> None:
        """Close the connection at once: nothing more is sent or heard. Idempotent."""
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.abort()

    # --- what asyncio calls -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self.end(error or ConnectionError("Connection closed by server."))

    def pause_writing(self) -> None:
        """Note that the socket takes no more for now."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Tell that the socket takes more."""
        self.is_writable = True
        self.on_writable()

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        self._reader.feed(data)
        if not self._is_behind:
            self._handle_some()

    def _handle_some(self) -> None:
        """Handle a burst of answers; the rest follows in the next turn of the loop."""
        try:
            for _ in range(READ_BURST):
                reply = self._reader.gets()
                if reply is False:
                    self._caught_up()
                    return
                self.on_reply(reply)
                if self.ended.done():
                    return
        except Exception as error:  # noqa: BLE001 - whoever waits for the end raises it
            self.end(error)
            return
        self._fall_behind()

    def _fall_behind(self) -> None:
        assert self._transport is not None
        if not self._is_behind:
            self._is_behind = True
            self._transport.pause_reading()
        self._loop.call_soon(self._handle_some)

    def _caught_up(self) -> None:
        assert self._transport is not None
        if self._is_behind:
            self._is_behind = False
            self._transport.resume_reading()


def refuse_error(reply: Reply) -> None:
    """Raise ConnectionError if an answer is an error."""
    if isinstance(reply, hiredis.ReplyError):
        raise ConnectionError(str(reply))
