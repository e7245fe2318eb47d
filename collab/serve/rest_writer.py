"""A program that writes one update and waits until it is committed: a session without a socket.

It stands between REST and the room, so that a program's edit goes the same road as a person's: the same
guard, the same rights, the same log, the same acknowledgement.
"""

import asyncio

from collab.access.tokens import Principal
from collab.errors import CollabError, StoreUnavailable
from collab.ids import DocumentName
from collab.protocol.messages import Saved, Update
from collab.room.events import Left, Said
from collab.room.session import Session
from collab.serve.parts import ServerParts
from collab.serve.sink import EncodedMessage

WRITE_S_MAX = 30.0
"""How long a write may take to be committed before the program is told that it failed."""


class _Answer:
    """The outlet of a session that says one thing and waits for what becomes of it."""

    dialect = "program"

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, message: EncodedMessage) -> None:
        """Saved is the good answer. Behind a refusal of somebody who may write stands ``end``, with the reason."""
        if isinstance(message.message, Saved) and not self.future.done():
            self.future.set_result(None)

    def end(self, error: CollabError) -> None:
        """The room ended the session."""
        if not self.future.done():
            self.future.set_exception(error)


async def write_update(
    parts: ServerParts, name: DocumentName, principal: Principal, update: bytes, *, timeout_s: float = WRITE_S_MAX
) -> None:
    """Write ``update`` as ``principal``, who may write, and return when it is committed.

    Raises UpdateRefused, Conflict when predecessors are missing, TokenExpired when it ended while the update came in,
    and whatever opening the document raises; nothing of the update is kept then. Only after Draining, RoomClosed or
    StoreUnavailable it may be that it was written, or will be: the same update again does no harm. Takes
    ``timeout_s`` at most once the document is open.
    """
    answer = _Answer()
    session = Session(parts.next_session(), principal.user, principal.name, can_write=True, queues_incomplete=False)
    host = await parts.rooms.join(name, session, answer)
    try:
        async with asyncio.timeout(timeout_s):
            await parts.log_writer.writable()
            parts.authenticator.may_write(principal, name)
            host.tell(Said(session.id, Update(update)))
            await answer.future
    except TimeoutError:
        raise StoreUnavailable("The update could not be saved in time; send it again.") from None
    finally:
        host.tell(Left(session.id, clean=True))
