"""What this replica has subscribed to on one connection, and which of it Redis has confirmed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from collab.relay.resp import Reply, RespConnection, command, refuse_error

CONFIRM_S = 1.0
"""How long ``confirmed`` waits."""


class Subscriber:
    """The subscriptions of one connection. ``on_message`` gets a channel and a message on it.

    ``on_confirmed`` gets a channel whose confirmation nobody waits for.
    """

    def __init__(
        self,
        connection: RespConnection,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_confirmed: Callable[[bytes], None],
    ) -> None:
        self._connection = connection
        self._on_message = on_message
        self._on_confirmed = on_confirmed
        self._subscribed: set[bytes] = set()
        self._unconfirmed: Counter[bytes] = Counter()
        """How many confirmations of each channel are still to come: it may have been left and subscribed again."""
        self._awaited: dict[bytes, asyncio.Future[None]] = {}
        connection.on_reply = self._hear

    def add(self, channels: Iterable[bytes]) -> None:
        """Subscribe to channels, with one command; they are confirmed in this order."""
        new = [channel for channel in dict.fromkeys(channels) if channel not in self._subscribed]
        if new:
            self._subscribed.update(new)
            self._unconfirmed.update(new)
            self._connection.write(command(b"SUBSCRIBE", *new))

    def remove(self, channel: bytes) -> None:
        """Unsubscribe from a channel."""
        if channel in self._subscribed:
            self._subscribed.remove(channel)
            self._connection.write(command(b"UNSUBSCRIBE", channel))

    async def confirmed(self, channel: bytes) -> None:
        """Return when Redis has confirmed the subscription, or is too slow to wait for, or the connection is over."""
        if not self._unconfirmed[channel]:
            return
        awaited = self._awaited.setdefault(channel, asyncio.get_running_loop().create_future())
        either: tuple[asyncio.Future[Any], ...] = (awaited, self._connection.ended)
        try:
            await asyncio.wait(either, timeout=CONFIRM_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._awaited.pop(channel, None)

    def _hear(self, reply: Reply) -> None:
        refuse_error(reply)
        kind, channel, message = reply
        if kind == b"message":
            self._on_message(channel, message)
        elif kind == b"subscribe":
            self._confirm(channel)

    def _confirm(self, channel: bytes) -> None:
        self._unconfirmed[channel] -= 1
        if self._unconfirmed[channel]:
            return
        del self._unconfirmed[channel]
        awaited = self._awaited.get(channel)
        if awaited is None:
            self._on_confirmed(channel)
        elif not awaited.done():
            awaited.set_result(None)
