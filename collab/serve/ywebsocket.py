"""The conversation with a y-websocket client: one document, named by the URL, and rights known at the handshake."""

from typing import assert_never

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import CollabError, PermissionDenied, ProtocolError, RoomClosed, SessionExpired, TooLarge
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
from collab.serve.connection import Connection, Pause
from collab.serve.live_session import LiveSession
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.socket import Socket
from collab.serve.token_lease import TokenLease

log = get_logger("ywebsocket")


class YWebsocketConversation:
    """One y-websocket client, and the sink of its only session. Nothing is read before the document is open."""

    __slots__ = ("_connection", "_lease", "_live")

    wire = YWebsocket()
    dialect = wire.name
    close_frame = None
    lingers = True

    def __init__(
        self, socket: Socket, parts: ServerParts, *, document: DocumentName | None, user: UserId | None
    ) -> None:
        self._connection = Connection(socket, self, parts, paused_for=Pause.JOINING)
        self._connection.stats.set_context(document, user)
        # A client of this dialect cannot be asked for a token: it comes back by itself, with the one it has by then.
        self._lease = TokenLease(parts.timers, on_expired=self._expire)
        self._live: LiveSession | None = None

    async def join(self, parts: ServerParts, name: DocumentName, principal: Principal) -> None:
        """Open the document and begin the session. What goes wrong ends the connection, it is not raised."""
        self._lease.renew(principal)
        try:
            permit = await parts.authenticator.permit(principal, name)
            session = Session(parts.next_session(), principal.user, principal.name, permit.can_write)
            self._live = await LiveSession.join(parts, name, session, self, self._lease, on_role=self._change_role)
            self._live.follow(permit)
        except CollabError as error:
            self.refuse(error)
        except Exception:
            log.exception("connection_crashed")
            self._connection.end(RoomClosed())
        except BaseException:
            self._connection.cancel()
            raise
        if self._connection.is_open:
            self._connection.go_on(Pause.JOINING)
        else:
            self.disconnected(clean=False)  # the peer has gone, or the server has begun to stop

    def refuse(self, error: CollabError) -> None:
        """Tell the client why it may not come in, and close."""
        if not error.retryable:
            self._connection.send(Denied(error.reason))
        self._connection.end(error)

    def _expire(self) -> None:
        self._connection.end(SessionExpired())

    def _change_role(self, role: Role | None) -> None:
        """End the session if it has no role any more. This dialect has no words for any other role."""
        if role is None and self._live is not None:
            self._live.leave(clean=False)
            self.refuse(PermissionDenied("You have no access to this document any more."))

    # --- the conversation -------------------------------------------------------------------------------

    def receive(self, message: bytes) -> None:
        """Take a message. Raises CollabError."""
        said = self.wire.decode(message).message
        match said:
            case SyncStep1() | SyncStep2() | Update() | AwarenessUpdate() | QueryAwareness():
                assert self._live is not None
                self._live.say(said)  # a session that is over has ended the connection too
            case Unknown():
                self._connection.count_unknown()
            case Stateless() | Authenticate() | Leave() | Pong():
                raise ProtocolError("This type of message is not part of the y-websocket protocol.")
            case _:
                assert_never(said)

    def receive_oversized(self, head: bytes) -> None:
        """Refuse a message that is too large. Raises TooLarge."""
        raise TooLarge

    def keepalive_address(self) -> str:
        """Return the address of the only document, which has none."""
        return ""

    def congested(self) -> None:
        """Take note that the client does not take what it is sent."""
        if self._live is not None:
            self._live.congested()

    def fell_behind(self, waiting_bytes: int) -> None:
        """Take note that more of it waits than may."""
        if self._live is not None:
            self._live.fell_behind(waiting_bytes)

    def drained(self) -> None:
        """Take note that the client has taken it."""
        if self._live is not None:
            self._live.drained()

    def disconnected(self, *, clean: bool) -> None:
        """Leave the document."""
        self._lease.cancel()
        if self._live is not None:
            self._live.leave(clean=clean)

    # --- the sink of the session ------------------------------------------------------------------------

    def send(self, message: EncodedMessage) -> None:
        """Send the client a message."""
        self._connection.send_encoded(message)

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session, and close the socket."""
        if self._live is not None:
            self._live.ended()
        self._connection.end(error)
