"""What a relay is, by contract; ``tests/relay/contract.py`` runs it against every implementation.

It carries frames from one replica to the others while they have a document open. It may lose, repeat and
reorder: rows are placed by their ``seq`` and missing ones are read from the store, presence is placed by its
clocks and repeated. What it may not do is lose *silently for ever*: after any interruption it says so
through ``interrupted``, and every replica then asks the store.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from collab.ids import DocumentName, Epoch, WriterId
from collab.protocol.rows import CommittedRow


@dataclass(frozen=True, slots=True)
class RowFrame:
    """A committed row of a document."""

    document: DocumentName
    epoch: Epoch
    row: CommittedRow


@dataclass(frozen=True, slots=True)
class PresenceFrame:
    """Awareness states of one replica's own sessions: ``payload`` is what ``protocol.presence`` encodes.

    ``is_query`` asks every other replica to send its own (a replica that just opened the document).
    """

    document: DocumentName
    writer: WriterId
    payload: bytes
    is_query: bool = False


RelayFrame: TypeAlias = RowFrame | PresenceFrame


class Listener(Protocol):
    """Who is told. All calls only take note; they never block and never raise."""

    def relayed(self, frame: RelayFrame) -> None:
        """A frame of another replica for a subscribed document. Own frames do not come back."""

    def interrupted(self) -> None:
        """Frames may have been lost (a reconnect, a full queue, a silent server): ask the store."""

    def replica_lost(self, writer: WriterId) -> None:
        """A replica is heard no more, while this one hears itself: it was stopped or killed, or cut off."""


class Relay(Protocol):
    """Frames between replicas."""

    @property
    def up(self) -> bool:
        """False while frames are known not to arrive; the server then polls the store faster."""

    async def open(self, listener: Listener) -> None:
        """Start. Returns also when the other side cannot be reached: the relay comes up when it can."""

    async def close(self) -> None:
        """Stop. Idempotent."""

    async def subscribe(self, document: DocumentName) -> None:
        """After return, frames of this document arrive, or ``interrupted`` will be called when they do."""

    async def unsubscribe(self, document: DocumentName) -> None:
        """Frames of this document no longer arrive."""

    def publish(self, frame: RelayFrame) -> None:
        """Queue a frame for the other replicas. Never blocks; a full queue drops it and counts."""
