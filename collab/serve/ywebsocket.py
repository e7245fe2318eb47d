"""The conversation with a y-websocket client: one document, named by the URL, and rights known at the handshake."""

from typing import assert_never

from collab.access.tokens import Principal
from collab.errors import CollabError, ProtocolError, RoomClosed, SessionExpired
from collab.ids import DocumentName, UserId
from collab.observe.logs import get_logger
from collab.protocol.messages import (
    Authenticate,
    AwarenessUpdate,
    Denied,
    Leave,
    Pong,
    QueryAwareness,
    Stateless,
    SyncStep1,
    SyncStep2,
    Unknown,
    Update,
)
from collab.protocol.ywebsocket import YWebsocket
from collab.room.session import Session
from collab.serve.connection import Connection, Socket
from collab.serve.live_session import LiveSession
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.token_lease import TokenLease

log = get_logger("ywebsocket")

DIALECT = YWebsocket()


class YWebsocketConversation:
    """One y-websocket client, and the sink of its only session."""

    dialect = DIALECT.name

    def __init__(
        self,
        socket: Socket,
        parts: ServerParts,
        *,
        document: DocumentName | None,
        user: UserId | None,
    ) -> None:
        self._parts = parts
        self._connection = Connection(socket, DIALECT, parts.limits, parts.metrics, linger_on_error=True)
        self._connection.stats.set_context(document, user)
        # A client of this dialect cannot be asked for a token: it comes back by itself, with the one it has by then.
        self._lease = TokenLease(parts.timers, on_expired=lambda: self._connection.end(SessionExpired()))

    async def run(self, name: DocumentName, session: Session, principal: Principal) -> int:
        """Run until the socket ends, and return the close code. Errors end the socket, they are not raised."""
        self._lease.renew(principal)
        try:
            return await self._run(name, session)
        finally:
            self._lease.cancel()

    async def _run(self, name: DocumentName, session: Session) -> int:
        try:
            live = await LiveSession.join(self._parts, name, session, self, self._lease, peer=self._connection)
        except CollabError as error:
            return await self.refuse(error)
        except Exception:
            log.exception("connection_crashed")
            return await self.refuse(RoomClosed())

        async def on_frame(frame: bytes) -> None:
            message = DIALECT.decode(frame).message
            match message:
                case SyncStep1() | SyncStep2() | Update() | AwarenessUpdate() | QueryAwareness():
                    await live.say(message)  # a session that is over has ended the connection too
                case Unknown():
                    self._connection.count_unknown()
                case Stateless() | Authenticate() | Leave() | Pong():
                    raise ProtocolError("This message has no meaning on a y-websocket connection.")
                case _:
                    assert_never(message)

        try:
            return await self._connection.run(on_frame, keepalive_address=lambda: "")
        finally:
            live.leave(clean=self._connection.clean)

    async def refuse(self, error: CollabError) -> int:
        """Tell the client why it may not come in, and close."""
        if not error.retryable:
            self._connection.send(Denied(error.reason))
        self._connection.end(error)
        return await self._connection.run(self._ignore, keepalive_address=lambda: None)

    async def _ignore(self, _frame: bytes) -> None:
        return

    # --- the sink of the session ------------------------------------------------------------------------

    def send(self, message: EncodedMessage) -> None:
        """Queue a message for the client."""
        self._connection.send_encoded(message)

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session, and close the socket."""
        self._connection.end(error)
