"""The conversation with a Hocuspocus provider: many documents on one socket, each with a token of its own.

Every document on the socket is a ``HocuspocusDocument`` with a task of its own: a slow load or a denial of one holds
up no other. After a denial the socket stays, since closing it makes the provider come back a second later, for ever.
The whole socket is closed only where the client must start over because its room is gone.
"""

import asyncio

from collab.access.tokens import Principal
from collab.errors import CollabError, NotAuthenticated, Overloaded, RoomClosed
from collab.observe.logs import get_logger
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import KEEPALIVE, Leave, Pong, Unknown
from collab.serve.connection import Connection, Socket
from collab.serve.hocuspocus_document import HocuspocusDocument
from collab.serve.parts import ServerParts
from collab.serve.preauth_buffer import PreAuthBuffer

log = get_logger("hocuspocus")

DIALECT = Hocuspocus()
CLOSE_FRAME = DIALECT.encode(KEEPALIVE, address="")
"""Addressed to no document, so every provider ignores it. A provider that has heard nothing at all on its socket
before the close would come back in more and more loops at once (3.4.4)."""


class HocuspocusConversation:
    """One socket of a Hocuspocus provider."""

    def __init__(self, socket: Socket, parts: ServerParts, *, principal: Principal | None) -> None:
        """``principal``: from the token of the handshake, if there was one."""
        self._parts = parts
        self._limits = parts.limits
        self._connection = Connection(socket, DIALECT, parts.limits, parts.metrics, close_frame=CLOSE_FRAME)
        self._principal = principal
        self._buffer = PreAuthBuffer(parts.limits)
        self._documents: dict[str, HocuspocusDocument] = {}
        self._opened: asyncio.Queue[HocuspocusDocument] = asyncio.Queue(parts.limits.documents_per_socket_max)

    async def run(self) -> int:
        """Run until the socket ends, and return the close code. Errors end the socket, they are not raised."""
        try:
            return await self._connection.run(
                self._on_frame, keepalive_address=self._keepalive_address, background=self._run_documents
            )
        finally:
            for document in self._documents.values():
                document.disconnect()

    def end(self, error: CollabError) -> None:
        """End the socket for this reason."""
        self._connection.end(error)

    async def _on_frame(self, frame: bytes) -> None:
        address, message = DIALECT.decode(frame)
        if isinstance(message, Pong):
            return
        if isinstance(message, Unknown):
            self._connection.count_unknown()
            return
        document = self._documents.get(address)
        if document is None:
            if isinstance(message, Leave):
                return
            document = self._open(address)
        await document.receive(message, len(frame))

    def _open(self, address: str) -> HocuspocusDocument:
        if len(self._documents) >= self._limits.documents_per_socket_max:
            raise Overloaded("Too many documents on one connection.")
        if sum(not each.has_token for each in self._documents.values()) >= self._limits.preauth_documents_max:
            raise Overloaded("Too many documents without a good token; send their tokens first.")
        document = HocuspocusDocument(address, self._parts, self._connection, self._buffer, self._principal)
        self._documents[address] = document
        self._opened.put_nowait(document)
        return document

    async def _run_documents(self) -> None:
        """Run every document in a task of its own."""
        document = await self._first_document()
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._run_document(document), name=f"document {document.address!r}")
                document = await self._opened.get()

    async def _first_document(self) -> HocuspocusDocument:
        """Return the first document. Raises NotAuthenticated if a client without a token opens none in time."""
        try:
            async with asyncio.timeout(self._limits.preauth_s if self._principal is None else None):
                return await self._opened.get()
        except TimeoutError:
            raise NotAuthenticated("No token came in time.") from None

    async def _run_document(self, document: HocuspocusDocument) -> None:
        try:
            await document.run()
            self._go_on_after(document)
        except CollabError as error:
            self._connection.end(error)
        except Exception:
            log.exception("channel_crashed", address=document.address)
            self._connection.end(RoomClosed())
        finally:
            if self._documents.get(document.address) is document:
                del self._documents[document.address]

    def _go_on_after(self, document: HocuspocusDocument) -> None:
        """Open the document again if its client has, after leaving it. Raises Overloaded."""
        del self._documents[document.address]
        if waiting := document.take_waiting():
            document = self._open(document.address)
            for received in waiting:
                document.requeue(received)

    def _keepalive_address(self) -> str | None:
        """Return a document that the client surely knows."""
        return next((address for address, document in self._documents.items() if document.is_joined), None)
