"""A REST write: one update, and waiting until it is committed. It is a session without a socket.

So an edit over REST takes the same path as a person's: the same guard, the same rights, the same log, the same
acknowledgement.
"""

import asyncio

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import CollabError, StoreUnavailable, TokenExpired
from collab.ids import DocumentName
from collab.protocol.messages import Saved, Update
from collab.room.session import Session
from collab.serve.live_session import LiveSession
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage
from collab.serve.token_lease import TokenLease

WRITE_S_MAX = 30.0
"""Seconds that a write may take to be committed before the program is told that it failed."""


class _Answer:
    """The sink of a session that sends one update and waits for its acknowledgement."""

    dialect = "rest"

    def __init__(self) -> None:
        self.saved: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, message: EncodedMessage) -> None:
        """Note that the update is saved. A refusal needs no note: ``end`` follows it, with the reason."""
        if isinstance(message.message, Saved) and not self.saved.done():
            self.saved.set_result(None)

    def end(self, error: CollabError) -> None:
        """Note that the room has ended the session."""
        if not self.saved.done():
            self.saved.set_exception(error)


async def write_update(
    parts: ServerParts, name: DocumentName, principal: Principal, update: bytes, *, timeout_s: float = WRITE_S_MAX
) -> None:
    """Write ``update`` as ``principal``, and return when it is committed.

    Takes ``timeout_s`` at most once the document is open.

    Raises:
        PermissionDenied: the principal may not write.
        UpdateRefused: the update is harmful or too large. Of one that was taken in several turns, a part may be kept.
        Conflict: it builds on edits that are not in the document.
        TokenExpired: the token expired before the update was handed over.
        Draining, RoomClosed, StoreUnavailable: it may have been written, or may be yet. Sending the same update again
            does no harm. After every other error nothing of the update is kept.
    """
    permit = await parts.authenticator.permit(principal, name, Role.EDITOR)
    answer = _Answer()
    lease = TokenLease(parts.timers, on_expired=lambda: None)  # an update that was handed over is still answered
    session = Session(parts.next_session(), principal.user, principal.name, can_write=True, queues_incomplete=False)
    live = await LiveSession.join(parts, name, session, answer, lease)
    live.follow(permit)
    lease.renew(principal)
    try:
        async with asyncio.timeout(timeout_s):
            await parts.log_writer.writable()
            if not live.say(Update(update)):
                raise TokenExpired
            await answer.saved
    except TimeoutError:
        raise StoreUnavailable("The update was not saved in time. Send it again.") from None
    finally:
        live.leave(clean=True)
