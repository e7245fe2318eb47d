"""The conversation with a Hocuspocus provider: many documents on one socket, each with a token of its own.

Every document on the socket is a ``HocuspocusDocument``: a slow load or a denial of one holds up no other. After a
denial the socket stays, since closing it makes the provider come back a second later, for ever. Two things close the
whole socket: a room that is gone, since the client must start over, and the end of a stranger's time: a socket on which
no token was good for a while costs more than a new one every minute.
"""

import asyncio

from collab.access.tokens import Principal
from collab.errors import CollabError, NotAuthenticated, Overloaded
from collab.protocol.hocuspocus import Hocuspocus, read_address
from collab.protocol.messages import KEEPALIVE, Leave, Pong, Unknown
from collab.serve.connection import Connection, Pause
from collab.serve.hocuspocus_document import HocuspocusDocument
from collab.serve.live_session import LiveSession
from collab.serve.parts import ServerParts
from collab.serve.preauth_buffer import PreAuthBuffer
from collab.serve.socket import Socket

CLOSE_FRAME = Hocuspocus().encode(KEEPALIVE, address="")
"""Addressed to no document, so every provider ignores it. A provider that has heard nothing at all on its socket
before the close would come back in more and more loops at once (3.4.4)."""

STRANGER_MESSAGE_BYTES_MAX = 64 << 10
"""Size limit of one message before a good token. Honest clients send their token, a state vector and their presence."""


class HocuspocusConversation:
    """One socket of a Hocuspocus provider."""

    __slots__ = (
        "_began_s",
        "_buffer",
        "_connection",
        "_deadline",
        "_documents",
        "_parts",
        "_principal",
        "_was_admitted",
    )

    wire = Hocuspocus()
    close_frame = CLOSE_FRAME
    lingers = False

    def __init__(self, socket: Socket, parts: ServerParts, *, principal: Principal | None) -> None:
        """``principal``: from the token of the handshake, if there was one."""
        self._parts = parts
        self._principal = principal
        self._buffer = PreAuthBuffer(parts.limits)
        self._documents: dict[str, HocuspocusDocument] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._connection = Connection(socket, self, parts)
        self._was_admitted = principal is not None
        self._began_s = asyncio.get_running_loop().time()
        if principal is None:
            self._connection.allow_messages_of(STRANGER_MESSAGE_BYTES_MAX)
            self._begin_deadline(self._began_s + parts.limits.preauth_s)

    # --- the conversation -------------------------------------------------------------------------------

    def receive(self, message: bytes) -> None:
        """Take a message. Raises CollabError."""
        address, said = self.wire.decode(message)
        if isinstance(said, Pong):
            return
        if isinstance(said, Unknown):
            self._connection.count_unknown()
            return
        document = self._documents.get(address)
        if document is None:
            if isinstance(said, Leave):
                return
            document = self._open(address)
        document.receive(said, len(message))

    def receive_oversized(self, head: bytes) -> None:
        """Refuse a message that is too large, in its document if its client is there. Raises CollabError."""
        document = self._documents.get(read_address(head))
        if document is None or not document.is_joined:
            raise Overloaded("A message this large may come only after the token; reconnect.")
        document.refuse_oversized()

    def keepalive_address(self) -> str | None:
        """Return a document that the client surely knows."""
        return next((address for address, document in self._documents.items() if document.is_joined), None)

    def congested(self) -> None:
        """Take note that the client does not take what it is sent."""
        for session in self._sessions():
            session.congested()

    def fell_behind(self, waiting_bytes: int) -> None:
        """Take note that more of it waits than may."""
        for session in self._sessions():
            session.fell_behind(waiting_bytes)

    def drained(self) -> None:
        """Take note that the client has taken it."""
        for session in self._sessions():
            session.drained()

    def _sessions(self) -> list[LiveSession]:
        return [document.live for document in self._documents.values() if document.live is not None]

    def disconnected(self, *, clean: bool) -> None:
        """Leave every document."""
        self._end_deadline()
        for document in list(self._documents.values()):
            document.disconnect(clean=clean)
        self._documents.clear()

    def end(self, error: CollabError) -> None:
        """End the socket for this reason."""
        self._connection.end(error)

    # --- documents --------------------------------------------------------------------------------------

    def _open(self, address: str) -> HocuspocusDocument:
        if len(self._documents) >= self._parts.limits.documents_per_socket_max:
            raise Overloaded("Too many documents on one connection.")
        if sum(not each.has_token for each in self._documents.values()) >= self._parts.limits.preauth_documents_max:
            raise Overloaded("Too many documents without a good token; send their tokens first.")
        document = HocuspocusDocument(address, self._parts, self._connection, self._buffer, self._principal, self)
        self._documents[address] = document
        if not self._was_admitted:
            self._begin_deadline(self._began_s + self._parts.limits.stranger_s)
        return document

    def changed(self, document: HocuspocusDocument) -> None:
        """Take note of another state of a document. Raises Overloaded when its client has opened it again."""
        if document.has_left and self._documents.get(document.address) is document:
            self._go_on_after(document)
        if any(not each.may_read for each in self._documents.values()):
            self._connection.pause(Pause.TOKEN)
        else:
            self._connection.go_on(Pause.TOKEN)
        self._watch_stranger()

    def _go_on_after(self, document: HocuspocusDocument) -> None:
        """Forget a document that its client has left. Open it again if its client has, meanwhile."""
        del self._documents[document.address]
        if waiting := document.take_waiting():
            document = self._open(document.address)
            for received in waiting:
                document.requeue(received)

    # --- strangers --------------------------------------------------------------------------------------

    def _watch_stranger(self) -> None:
        """Limit the time in which no token is good. Nothing that a stranger sends makes it longer."""
        if any(each.is_admitted for each in self._documents.values()):
            self._was_admitted = True
            self._end_deadline()
            self._connection.allow_messages_of(self._parts.limits.frame_bytes_max)
        elif self._documents and self._was_admitted and self._deadline is None:
            self._begin_deadline(asyncio.get_running_loop().time() + self._parts.limits.stranger_s)

    def _begin_deadline(self, at_s: float) -> None:
        self._end_deadline()
        self._deadline = asyncio.get_running_loop().call_at(at_s, self._time_out)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        self._deadline = None
        self._connection.end(NotAuthenticated("No token came in time."))
