"""The conversation with a Hocuspocus provider: many documents on one socket, each with a token of its own.

Every document on the socket is a ``HocuspocusDocument`` with its own task: a slow load or a denial of one holds up no
other. After a denial the socket is kept, since closing it makes the provider come back a second later, for ever. Only
where the client must start over (its room is gone) is the whole socket closed.
"""

import asyncio
from functools import partial

from collab.access.tokens import Principal
from collab.errors import CollabError, NotAuthenticated, Overloaded, RoomClosed
from collab.observe.logs import get_logger
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import KEEPALIVE, Leave, Pong, Unknown
from collab.serve.connection import Connection, Socket
from collab.serve.hocuspocus_document import HocuspocusDocument, PreAuthBuffer
from collab.serve.parts import ServerParts

log = get_logger("hocuspocus")

DIALECT = Hocuspocus()
PARTING = DIALECT.encode(KEEPALIVE, address="")
"""For nobody, and so every provider passes over it. One that has heard nothing at all on its socket would come back in
more and more loops at once (3.4.4)."""


class HocuspocusConversation:
    """One socket of a Hocuspocus provider. ``principal``: who the handshake said it is, if it said."""

    def __init__(
        self,
        socket: Socket,
        parts: ServerParts,
        *,
        principal: Principal | None,
    ) -> None:
        limits = self._limits = parts.limits
        self._connection = Connection(socket, DIALECT, limits, parts.metrics, parting=PARTING)
        self._is_known = principal is not None
        self._early = PreAuthBuffer(limits)
        self._channels: dict[str, HocuspocusDocument] = {}
        self._fresh: asyncio.Queue[HocuspocusDocument] = asyncio.Queue(limits.documents_per_socket_max)
        self._make_channel = partial(
            HocuspocusDocument,
            parts=parts,
            connection=self._connection,
            early=self._early,
            principal=principal,
        )

    async def run(self) -> int:
        """Until the socket ends; the close code. Errors end the socket, they are not raised."""
        try:
            return await self._connection.run(
                self._converse, keepalive_address=self._keepalive_address, beside=self._run_channels
            )
        finally:
            for channel in self._channels.values():
                channel.leave()

    def end(self, error: CollabError) -> None:
        """End the socket for this reason."""
        self._connection.end(error)

    async def _converse(self, frame: bytes) -> None:
        address, message = DIALECT.decode(frame)
        if isinstance(message, Pong):
            return
        if isinstance(message, Unknown):
            self._connection.count_unknown()
            return
        channel = self._channels.get(address)
        if channel is None:
            if isinstance(message, Leave):
                return
            channel = self._open_channel(address)
        await channel.take(message, len(frame))

    def _open_channel(self, address: str) -> HocuspocusDocument:
        if len(self._channels) >= self._limits.documents_per_socket_max:
            raise Overloaded("Too many documents on one connection.")
        if sum(not channel.has_token for channel in self._channels.values()) >= self._limits.preauth_documents_max:
            raise Overloaded("Too many documents without a good token; send their tokens first.")
        channel = self._channels[address] = self._make_channel(address)
        self._fresh.put_nowait(channel)
        return channel

    async def _run_channels(self) -> None:
        """Owns the task of every channel."""
        channel = await self._first_channel()
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._run_channel(channel), name=f"channel {channel.address!r}")
                channel = await self._fresh.get()

    async def _first_channel(self) -> HocuspocusDocument:
        """A stranger who says nothing is not kept. Raises NotAuthenticated."""
        try:
            async with asyncio.timeout(None if self._is_known else self._limits.preauth_s):
                return await self._fresh.get()
        except TimeoutError:
            raise NotAuthenticated("No token came in time.") from None

    async def _run_channel(self, channel: HocuspocusDocument) -> None:
        try:
            await channel.run()
            self._go_on_after(channel)
        except CollabError as error:
            self._connection.end(error)
        except Exception:
            log.exception("channel_crashed", address=channel.address)
            self._connection.end(RoomClosed())
        finally:
            if self._channels.get(channel.address) is channel:
                del self._channels[channel.address]

    def _go_on_after(self, channel: HocuspocusDocument) -> None:
        """A client that left a document may have opened it again before it was let in. Raises Overloaded."""
        del self._channels[channel.address]
        if channel.has_more:
            self._open_channel(channel.address).continue_after(channel)

    def _keepalive_address(self) -> str | None:
        """Any document that the client surely knows."""
        return next((address for address, channel in self._channels.items() if channel.is_joined), None)
