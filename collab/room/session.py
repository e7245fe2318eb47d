"""What one client on one document may do, and where the conversation with it stands."""

from dataclasses import dataclass

from collab.ids import ClientId, SessionId, UserId


@dataclass(slots=True)
class Session:
    """One client on one document, through one connection."""

    id: SessionId
    user: UserId
    name: str
    can_write: bool

    waits: bool = True
    """An update of it that comes ahead of its predecessors waits for them. A program's does not: it is refused at
    once, and nothing of it is kept, for who was told "no" must be able to rely on it."""

    synced: bool = False
    """It has sent a SyncStep1, so it gets every update from there on. Before, an update would reach it ahead of
    what it builds on, and clients that use this server's own CRDT library lose such text."""

    asked: bool = False
    """A SyncStep1 of ours is on its way and not answered yet. There is never more than one."""

    owed: bool = False
    """The client sent a SyncStep1, so its next SyncStep2 is one it counts: it gets an acknowledgement.
    A SyncStep2 that answers any other SyncStep1 of ours gets none, or the client's counter of unsaved
    changes would fall below zero."""

    own: ClientId | None = None
    """The client that it is: the one of its first word. Later words may be of others, echoes of what it heard."""

    clients_added: int = 0
    """How many clients nobody knew it has spoken for."""

    @property
    def has_client_id(self) -> bool:
        """Whether it has said where a client is."""
        return self.own is not None
