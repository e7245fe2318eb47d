"""The conversation with a y-websocket client: one document, named by the URL, and rights known at the handshake."""

from collab.access.tokens import Principal
from collab.errors import CollabError, ProtocolError, RoomClosed, SessionExpired
from collab.ids import DocumentName, UserId
from collab.observe.logs import get_logger
from collab.protocol.messages import (
    AwarenessUpdate,
    Denied,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Unknown,
    Update,
)
from collab.protocol.ywebsocket import YWebsocket
from collab.room.events import Left, Said
from collab.room.session import Session
from collab.serve.connection import Connection, Socket
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.token_lease import TokenLease

log = get_logger("ywebsocket")

DIALECT = YWebsocket()


class YWebsocketConversation:
    """One y-websocket client. Is the outlet of its only session."""

    dialect = DIALECT.name

    def __init__(
        self,
        socket: Socket,
        parts: ServerParts,
        *,
        document: DocumentName | None,
        user: UserId | None,
    ) -> None:
        self._connection = Connection(socket, DIALECT, parts.limits, parts.metrics, holds=True)
        self._connection.account.names(document, user)
        # Nobody can be asked for a token here: the client comes back by itself, with the one that it has by then.
        self._lease = TokenLease(parts.timers, lead_s=0, on_over=lambda: self._connection.end(SessionExpired()))
        self._rooms = parts.rooms
        self._log_writer = parts.log_writer

    async def run(self, name: DocumentName, session: Session, principal: Principal) -> int:
        """Until the socket ends; the close code. Errors end the socket, they are not raised."""
        self._lease.rest_on(principal)
        try:
            return await self._run(name, session)
        finally:
            self._lease.drop()

    async def _run(self, name: DocumentName, session: Session) -> int:
        try:
            host = await self._rooms.join(name, session, self)
        except CollabError as error:
            return await self.refuse(error)
        except Exception:
            log.exception("connection_crashed")
            return await self.refuse(RoomClosed())

        async def converse(frame: bytes) -> None:
            message = DIALECT.decode(frame).message
            match message:
                case SyncStep1() | SyncStep2() | Update() | AwarenessUpdate() | QueryAwareness():
                    await self._log_writer.writable()
                    await self._connection.wait_writable()
                    if self._lease.is_over:
                        raise SessionExpired
                    host.tell(Said(session.id, message))
                case Unknown():
                    self._connection.count_unknown()
                case _:
                    raise ProtocolError("This message has no meaning on a y-websocket connection.")

        try:
            return await self._connection.run(converse, keepalive_address=lambda: "")
        finally:
            host.tell(Left(session.id, clean=self._connection.clean))

    async def refuse(self, error: CollabError) -> int:
        """Say why, and close."""
        if not error.retryable:
            self._connection.say(Denied(error.reason))
        self._connection.end(error)
        return await self._connection.run(self._never, keepalive_address=lambda: None)

    async def _never(self, _frame: bytes) -> None:
        return

    # --- outlet -------------------------------------------------------------------------------------

    def send(self, message: EncodedMessage) -> None:
        """From the host: a message for this client."""
        self._connection.deliver(message)

    def end(self, error: CollabError) -> None:
        """From the host: the session is over."""
        self._connection.end(error)
