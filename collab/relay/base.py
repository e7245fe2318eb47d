"""The contract of a relay; ``tests/relay/contract.py`` runs it against every implementation.

A relay carries frames to the other replicas that have the document open. It may lose, repeat and reorder them: rows
are ordered by their ``seq`` and missing ones are read from the store; presence is ordered by its clocks and repeated.
But after an interruption it must call ``interrupted``, so that every replica asks the store: no loss is silent for
ever.
"""

from typing import Protocol, TypeAlias

from collab.ids import DocumentName, Epoch, WriterId
from collab.protocol.rows import CommittedRow
from collab.record import record


@record
class RowFrame:
    """A committed row of a document."""

    document: DocumentName
    epoch: Epoch
    row: CommittedRow


@record
class PresenceFrame:
    """Awareness states of one replica's own sessions, as ``protocol.presence`` encodes them.

    ``is_query`` asks the other replicas to send theirs; a replica that has just opened the document sets it.
    """

    document: DocumentName
    writer: WriterId
    payload: bytes
    is_query: bool = False


@record
class SharingFrame:
    """The members or links of a document have changed; the store says how. A hint, like every frame."""

    document: DocumentName


RoomFrame: TypeAlias = RowFrame | PresenceFrame
"""A frame for the room of the document."""

RelayFrame: TypeAlias = RoomFrame | SharingFrame


class Listener(Protocol):
    """The receiver of what a relay hears. Its methods only take note: they never block and never raise."""

    def relayed(self, frame: RelayFrame) -> None:
        """Take a frame of another replica for a subscribed document. Own frames do not come back."""

    def interrupted(self) -> None:
        """Take note that frames may have been lost, by a reconnect, a full queue or a silent server: ask the store."""

    def replica_lost(self, writer: WriterId) -> None:
        """Take note that another replica was stopped, killed or cut off: this one hears itself, but not that one."""


class Relay(Protocol):
    """One replica's connection to all others."""

    @property
    def up(self) -> bool:
        """True unless frames are known not to arrive; then the server polls the store faster."""

    async def open(self, listener: Listener) -> None:
        """Start. Returns even when nothing can be reached yet: the relay comes up as soon as possible."""

    async def close(self) -> None:
        """Stop. Idempotent."""

    async def subscribe(self, document: DocumentName) -> None:
        """Hear frames of this document: when this returns they arrive, or ``interrupted`` is called once they do."""

    async def unsubscribe(self, document: DocumentName) -> None:
        """Hear frames of this document no longer."""

    def publish(self, frame: RelayFrame) -> None:
        """Queue a frame for the other replicas. Never blocks; a full queue drops it and counts."""
