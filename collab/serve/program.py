"""A program that writes one update and waits until it is committed: a session without a socket.

It stands between REST and the room, so that a program's edit goes the same road as a person's: the same
guard, the same rights, the same log, the same acknowledgement.
"""

import asyncio

from collab.access.tokens import Principal
from collab.errors import CollabError, Conflict, PermissionDenied
from collab.ids import DocumentName
from collab.protocol.messages import EMPTY_UPDATE, Refused, Saved, SyncStep1, Update
from collab.room.session import Session
from collab.serve.outlet import Outgoing
from collab.serve.server import Server


class _Answer:
    """The outlet of a session that says one thing and waits for what becomes of it."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self, outgoing: Outgoing) -> None:
        """Saved is the good answer; being asked for more means that the update builds on what is not here."""
        match outgoing.message:
            case Saved():
                self._settle(None)
            case Refused():
                self._settle(PermissionDenied("The update was not accepted."))
            case SyncStep1():
                self._settle(Conflict("The update builds on edits that are not here; send those first."))

    def end(self, error: CollabError) -> None:
        """The room ended the session."""
        self._settle(error)

    def _settle(self, error: CollabError | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


async def write_update(server: Server, name: DocumentName, principal: Principal, update: bytes) -> None:
    """Write ``update`` as ``principal``, who may write, and return when it is committed.

    Raises UpdateRefused, Conflict when predecessors are missing, and whatever opening the document raises.
    """
    answer = _Answer()
    session = Session(server.next_session(), principal.user, principal.name, can_write=True)
    host = await server.rooms.join(name, session, answer)
    try:
        await server.persister.writable()
        host.receive(session.id, Update(update or EMPTY_UPDATE))
        await answer.future
    finally:
        host.leave(session.id, goodbye=True)
